package auditor

import "time"

// State is what a Watcher knows of one CronWorkflow and must not forget over a restart: a record keeper writes it down after
// each change that matters and gives it back with Watcher.Resume. It is bounded (StateLimits).
type State struct {
	// UID is the CronWorkflow's; a state of another UID is of a former CronWorkflow of the name and is not resumed.
	UID string
	// Epochs are the stretches of unchanged spec seen so far, ascending, the oldest forgotten first.
	Epochs []Epoch
	// AuditedThrough is the scheduled time up to which every firing has a verdict that is counted in Totals.
	AuditedThrough time.Time
	// Totals counts final verdicts since the first look.
	Totals map[Verdict]int64
	// Record is what later verdicts rest on.
	Record Record
	// Open are the firings that are Missed: lost, and still to be recovered.
	Open []Finding
	// Notable are the last firings that were anything but OnTime or Skipped, newest last.
	Notable []Finding
	// Strip are the verdicts of the last 60 firings, oldest first.
	Strip []Verdict
}
