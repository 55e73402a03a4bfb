// Command rollcall calls the roll of Argo CronWorkflows: what ran, what did not and why, and brings lost runs back.
//
// Each command has a file, which builds it from its options; what several share is in flags.go, window.go, output.go,
// connection.go and source.go. Commands return errors and statuses (status.go); only main exits and reads the clock.
package main
