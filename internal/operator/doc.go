// Package operator keeps calling the roll: it carries what internal/argo sees to an auditor.Watcher, has its verdicts recorded and
// told, has a backfill.Executor recover what was lost, and sees that of several processes only one judges and acts.
//
// It knows what follows what: a last look before a verdict of absence, the record before an act, an intent before a create. It
// must not know how a verdict is found (auditor), when a run may be created (backfill), how objects look (internal/argo) nor
// how a record is written (internal/record).
//
// One goroutine owns the Watcher and everything that is kept by CronWorkflow (roll); all others ask it to do something, and wait
// at most for that. Whatever may take time — requests, writes, recoveries — happens outside of it.
package operator
