package auditor

import (
	"fmt"
	"slices"
	"time"
)

// horizon is the earliest time from which on Argo's own policies cannot have deleted a run, why, and what would move it back.
type horizon struct {
	from        time.Time
	why, remedy string
}

// startsWithin is how soon Argo starts a run that it made.
const startsWithin = 10 * time.Second

const (
	keepMore   = "raise the history limits"
	keepLonger = "let runs live longer"
)

// retentionHorizon counts what Argo counts when it trims the history (argo-workflows v3.7.18, workflow/cron/operator.go,
// enforceHistoryLimit): the finished runs that the CronWorkflow controls. It deletes those that finished first, so whatever
// finished after the oldest one it would keep is still there.
func (r *roll) retentionHorizon() horizon {
	cw := r.in.CronWorkflow
	h := horizon{from: cw.CreatedAt, remedy: keepMore, why: "its history limits have not been reached since it was created at " + stamp(cw.CreatedAt)}
	note := func(from time.Time, why, remedy string) {
		if from.After(h.from) {
			h = horizon{from, why, remedy}
		}
	}
	var succeeded, failed, retried []time.Time
	for _, run := range r.in.Runs {
		switch {
		case !r.counts(run) || run.Deleting:
		case maybeRetried(run):
			retried = append(retried, run.StartedAt)
		case !run.Finished():
		case run.Succeeded:
			succeeded = append(succeeded, run.FinishedAt)
		default:
			failed = append(failed, run.FinishedAt)
		}
	}
	newestFirst := func(a, b time.Time) int { return b.Compare(a) }
	slices.SortFunc(succeeded, newestFirst)
	slices.SortFunc(failed, newestFirst)
	limit := func(finished []time.Time, limit int, kind, field string) {
		if limit <= 0 {
			note(r.now, fmt.Sprintf("%s is 0: Argo deletes %s runs at once", field, kind), keepMore)
			return
		}
		if len(finished) < limit {
			return
		}
		kept := finished[limit-1]
		note(kept, fmt.Sprintf("Argo keeps the last %d %s runs (%s), and the oldest of those finished at %s", limit, kind, field, stamp(kept)), keepMore)
	}
	limit(succeeded, cw.Retention.Successful, "successful", "successfulJobsHistoryLimit")
	limit(failed, cw.Retention.Failed, "failed", "failedJobsHistoryLimit")
	// One that failed, was kept, and goes on since somebody retried it, no longer shows what was deleted for it.
	if n := cw.Retention.Failed; n > 0 && len(failed) < n && len(failed)+len(retried) >= n {
		from := slices.MaxFunc(retried, time.Time.Compare)
		note(from, fmt.Sprintf("a run that was made long before started at %s, as when a failed one is retried; it may have been one of the last %d failed runs that Argo keeps (failedJobsHistoryLimit)", stamp(from), n), keepMore)
	}
	// Argo's own counter betrays whatever else deletes runs: its limit alone never leaves fewer than it allows. The counter of
	// failed runs does not, since it includes those that could not even be created, which is what is looked for here.
	if left, counted := len(succeeded), cw.Status.Succeeded; left < cw.Retention.Successful && counted > int64(left) {
		switch {
		case left > 0 && cw.Retention.TTL >= 0: // it may be the ttlStrategy alone, which too deletes what ended first
			note(succeeded[left-1], fmt.Sprintf("Argo has counted %d successful runs and would keep %d; of the %d that are left the oldest finished at %s", counted, cw.Retention.Successful, left, stamp(succeeded[left-1])), keepLonger)
		default:
			note(r.now, fmt.Sprintf("Argo has counted %d successful runs and would keep %d, but only %d are left: something else deletes them", counted, cw.Retention.Successful, left), keepLonger)
		}
	}
	if ttl := cw.Retention.TTL; ttl >= 0 {
		note(r.now.Add(-ttl), fmt.Sprintf("a ttlStrategy deletes runs %s after they end", ttl), keepLonger)
	}
	if what := cw.Retention.Unreadable; what != "" {
		note(r.now, fmt.Sprintf("%s could not be read, and may set a ttlStrategy or tell of a run", what), "let Rollcall read that, or put it into the dump")
	}
	if cw.Retention.Policy {
		note(r.now, "the controller's retentionPolicy may delete any finished run", keepLonger)
	}
	return h
}

// lastByArgo is the latest scheduled time that Argo may have dealt with. What Rollcall moved lastScheduledTime to for a run that it
// has not made yet says that Argo's own was older, since it only moves it forward.
func (r *roll) lastByArgo() time.Time {
	last := r.in.CronWorkflow.Status.LastScheduledTime
	if r.intended() {
		last = last.Add(-time.Second)
	}
	return later(last, r.newestArgo)
}

// intended says whether lastScheduledTime was moved for a run that Rollcall has not made yet.
func (r *roll) intended() bool {
	status := r.in.CronWorkflow.Status
	return !status.Intended.IsZero() && status.Intended.Equal(status.LastScheduledTime)
}

// outdated says whether the evidence is older than the time it is judged by.
func (r *roll) outdated() bool {
	return !r.in.ReadAt.IsZero() && r.now.Sub(r.in.ReadAt) > DefaultGrace
}

// absence says how sure it is that a firing for which nothing was found did not run, and on what grounds. Certainty is empty
// where nothing speaks against a run that came and was deleted.
func (f *firing) absence() (Certainty, []string) {
	certainty, said := f.absenceWhenRead()
	if certainty == Certain && f.outdated() && f.deadline.After(f.in.ReadAt) {
		return Likely, append(said, fmt.Sprintf("That is as of %s: the evidence does not say whether it was started later.", stamp(f.in.ReadAt)))
	}
	return certainty, said
}

func (f *firing) absenceWhenRead() (Certainty, []string) {
	for _, c := range f.in.Coverage {
		if c.covers(f.at, f.now) {
			if f.ranUnseen() {
				return Likely, []string{"Rollcall watched from before the scheduled time until now, but Argo counted more finished runs than can be named."}
			}
			return Certain, []string{fmt.Sprintf("Rollcall has watched without a gap since %s and saw no run.", stamp(c.From))}
		}
	}
	for _, c := range f.in.Coverage {
		if c.covers(f.at, f.at) && f.horizon.from.Before(c.To) && !f.ranUnseen() && !f.ranUnseenSince(c.To) {
			return Certain, []string{fmt.Sprintf("Rollcall watched without a gap from %s to %s and saw no run, and a later one would still exist unless somebody deleted it by hand: %s.",
				stamp(c.From), stamp(c.To), f.horizon.why)}
		}
	}
	last := f.lastByArgo()
	newer, retained := f.at.After(last), f.horizon.from.Before(f.at.Add(-clockSkew)) // where Argo's clock is ahead it runs a firing early

	var said []string
	switch {
	case newer && f.intended():
		said = append(said, fmt.Sprintf("Rollcall has moved its status to %s ahead of a run it has not made, so Argo's own last one was older.", stamp(f.in.CronWorkflow.Status.LastScheduledTime)))
	case newer && last.IsZero():
		said = append(said, "Argo has not scheduled any run of it yet.")
	case newer:
		said = append(said, fmt.Sprintf("Argo's last scheduled run is that of %s, before this firing.", stamp(last)))
	default:
		said = append(said, fmt.Sprintf("Argo has scheduled a newer firing since (%s), so its status says nothing about this one.", stamp(last)))
	}
	switch {
	case newer && retained:
		said = append(said, fmt.Sprintf("Argo cannot have deleted a run of it: %s.", f.horizon.why))
	case retained:
		said = append(said, fmt.Sprintf("A run of it would still exist unless somebody deleted it by hand: %s.", f.horizon.why))
	default:
		said = append(said, fmt.Sprintf("A run of it could have been deleted since: %s.", f.horizon.why))
	}
	switch {
	case !retained && f.attempted():
		return "", append(said, "An attempt to recover it is on record, and what came of that is not.")
	case !retained && f.ranUnseen():
		return "", append(said, "Argo counted more finished runs than can be named.")
	case !retained && f.mayBeSubmitted():
		return "", append(said, "Argo's attempt to create it was not refused but failed, as when the answer is lost, so the run may have been there.")
	case newer && retained && !f.ranUnseen() && f.traceless():
		return Likely, append(said, "The spec can have been another at that time without leaving a trace.")
	case newer && retained && !f.ranUnseen():
		return Certain, said
	case newer || retained:
		return Likely, said
	case f.mayHaveRunLate():
		return "", said
	case f.absentBefore:
		return Likely, append(said, "It had not run when Rollcall last looked.")
	}
	for _, c := range f.in.Coverage {
		if c.covers(f.at, f.at.Add(f.grace)) && !f.ranUnseen() {
			return Likely, append(said, fmt.Sprintf("Rollcall watched from %s to %s and saw none.", stamp(c.From), stamp(c.To)))
		}
	}
	return "", said
}

// traceless says whether a field may have been in the spec at the firing that was removed, without a trace, before somebody watched.
func (f *firing) traceless() bool {
	return f.epoch.traceless && (f.epoch.tracelessUntil.IsZero() || !f.epoch.tracelessUntil.Before(f.at))
}

// mayHaveRunLate says whether Argo could start it late, inside its starting deadline, when nobody watched: that it had not run before
// then says little. Argo starts none late without a deadline, and none older than its last, though a create may hang until after that.
func (f *firing) mayHaveRunLate() bool {
	deadline := f.epoch.spec.StartingDeadline
	if deadline <= 0 || f.in.Record == nil {
		return false
	}
	for _, c := range f.in.Coverage {
		if !c.covers(f.at, f.at) {
			continue
		}
		passed := slices.ContainsFunc(f.in.Record.Runs, func(run RecordedRun) bool {
			return run.Verdict != Backfilled && run.ScheduledTime.After(f.at) && !run.CreatedAt.IsZero() && !run.CreatedAt.After(c.To)
		})
		end := earlier(f.at.Add(deadline), f.now)
		unseen := slices.ContainsFunc(f.in.Record.Unseen, func(s Stretch) bool { return s.From.Before(end) && !s.To.Before(c.To) })
		return (!passed || unseen) && c.To.Before(end)
	}
	return true
}

// attempted says whether Rollcall began to recover it, without its being on record how that ended: the run may have been made, by
// a process that died then.
func (f *firing) attempted() bool {
	return f.in.Record != nil && slices.ContainsFunc(f.in.Record.Recoveries, func(r Recovery) bool {
		return r.ScheduledTime.Equal(f.at) && r.Attempts > 0 && r.Ended == ""
	})
}

// ranUnseen says whether Argo counted runs around the firing that nobody can name.
func (f *firing) ranUnseen() bool {
	return f.in.Record != nil && slices.ContainsFunc(f.in.Record.Unseen, func(s Stretch) bool { return s.covers(f.at, f.at) })
}

// ranUnseenSince says whether Argo counted runs at any time since then that nobody can name.
func (f *firing) ranUnseenSince(t time.Time) bool {
	return f.in.Record != nil && slices.ContainsFunc(f.in.Record.Unseen, func(s Stretch) bool { return !s.To.Before(t) })
}

// maybeRetried says whether an unfinished run may have failed before: a retry sets startedAt anew, and Argo starts what it made within
// moments. What Rollcall made may have waited for Argo.
func maybeRetried(run Run) bool {
	return !run.Finished() && run.BackfilledBy == "" && run.StartedAt.Sub(run.CreatedAt) > startsWithin
}
