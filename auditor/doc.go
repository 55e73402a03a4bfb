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
//
// Audit judges a window once, from all there is to know. Watcher (watcher.go) does so continuously for many CronWorkflows: what is
// seen comes in as it happens, each firing is judged by the same table as its grace ends and again when something happens that
// concerns it, until its verdict is final; State is what of that must outlive the process. WithState (recorded.go) lets an Audit
// know what a Watcher has recorded, so that the two do not contradict each other. The files watcher_*.go are one thing
// each: what was seen (watched, runs, edits, counting), the verdicts on it (verdicts, look), what may be forgotten (bounds), and
// the state (state).
package auditor
