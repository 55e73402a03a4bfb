package backfill

import (
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// owed is what the CronWorkflow's status lacks of runs that exist or were seen to exist; seen are their scheduled times. Of
// those in append, the first that has to be appended is: one run per change.
//
//	the newest seen run is newer than status.lastScheduledTime     moved forward to it, never back
//	an unfinished controlled run of Rollcall's is not in active    appended
//	the run of the intended time is seen                           the intent is fulfilled
func owed(look Look, seen, appendable []time.Time) (change Change, any bool) {
	status := look.CronWorkflow.Status
	key := Key{UID: look.CronWorkflow.UID}
	for _, t := range seen {
		if t.After(status.LastScheduledTime) {
			change.LastScheduledTime = later(change.LastScheduledTime, t)
		}
		if !status.Intended.IsZero() && t.Equal(status.Intended) {
			change.Fulfilled = true
		}
	}
	for _, t := range appendable {
		run, ok := runOf(look, key, t)
		unfinished := ok && run.Controlled && run.BackfilledBy != "" && !run.Finished() && !run.Deleting
		if unfinished && !slices.Contains(status.Active, run.Name) {
			change.Append = &run
			break
		}
	}
	return change, change != Change{}
}

// runOf is the CronWorkflow's own run of the firing, among those of the look.
func runOf(look Look, key Key, scheduled time.Time) (auditor.Run, bool) {
	name := auditor.WorkflowName(look.CronWorkflow.Name, scheduled)
	for _, run := range look.Runs {
		if run.Name == name && owns(key, run) {
			return run, true
		}
	}
	return auditor.Run{}, false
}
