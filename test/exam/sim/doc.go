// Package sim makes up worlds – CronWorkflows, what people do to them, and what goes wrong – lets them happen in simulated time to
// the model of Argo's controller and to Rollcall's own operator over the fake API server, and asks the witness for mistakes.
package sim
