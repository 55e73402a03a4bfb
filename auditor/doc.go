// Package auditor calls the roll of one CronWorkflow: for every moment at which its schedule was due it gives exactly one
// verdict, with the reason, how sure it is, the cause as far as the evidence goes, and the evidence in sentences.
//
// It is pure: evidence and the present time come in as values, findings go out. It knows the package schedule and nothing
// else – no Kubernetes client, no Argo type, no logger, no clock, no context. Whoever reads a cluster, a dump or a record
// turns what was read into the values of evidence.go (internal/argo does).
//
// The decision table is in table.go, one row after the other, the first that holds decides. Where the evidence does not
// suffice the verdict is Unknown with a reason; absence of a Workflow alone never makes a miss, because Argo deletes
// Workflows all day (retention.go says from which time on it cannot have).
package auditor
