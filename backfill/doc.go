// Package backfill brings lost firings back, exactly once each, or says why not.
//
// It decides and acts in separate steps. NewPlan (plan.go) says from an audit's findings and a policy which firings to
// recover, and why the others are left. Admit (admit.go) looks at the live state just before one create and says: go, wait
// until a time, or refuse; quiet.go and room.go hold the rules that keep live runs from harm. Both are pure. Classifier
// (class.go) sorts errors by what helps against them.
//
// The Executor (executor.go) carries plans out through the small interfaces of submitter.go: work.go has the queue of one
// plan, attempt.go one attempt with its retries, pass.go what one try asks in which order, overtaken.go what may have become
// of a firing since the audit, wait.go what is waited for and what is not, spread.go the limit on creates, create.go the create and
// what its answer leaves open, status.go what the CronWorkflow's status has to show for a run, and settle.go writes that and watches
// that it stays. It is level-triggered: each pass begins with a look at the cluster and asks what is missing, so that an interruption
// at any point is completed by the same plan again. Running twice is worse than not running: in doubt it does not create, and says so.
//
// It serves a user who waits for the end of one plan, and a controller that carries out plan after plan of many CronWorkflows.
// The latter sets a Journal (journal.go), which has each attempt on record before anything is written and takes down the
// outcomes, and Options.Patience, with which Run ends instead of waiting for long and says when a fresh plan is worth it.
// Plan.Attempted has attempts count on from the record, and upkeep.go remembers from plan to plan how often a status was
// repaired. Touch (touch.go) frees a stuck schedule where no firing is outstanding.
//
// The package knows schedule and auditor, and Kubernetes' error values; no Argo object and no client. internal/argo
// implements the interfaces against an API server.
package backfill
