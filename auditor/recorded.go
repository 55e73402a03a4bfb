package auditor

import (
	"slices"
	"time"
)

// WithState adds to what was read of a CronWorkflow at one time what a Watcher had recorded of it before: the epochs of its spec,
// the stretches that were watched, and the record. It is put together as Watcher.Resume does; since nobody watched from the end of
// the state until now, what that stretch rests on is what was read.
//
// A state of another UID is left out. The caller sees to it that the state was not taken after now (State.TakenAt).
//
// A State holds the newest of what was seen, and an Audit may ask for what is older. Coverage therefore begins where the state still
// has everything: before that, a run that is not on record may have been forgotten.
func WithState(in Input, s State, now time.Time, opts Options) Input {
	cw := in.CronWorkflow
	if s.UID != cw.UID || !judgeable(cw, opts) {
		return in
	}
	key := Key{cw.Namespace, cw.Name}
	w := NewWatcher(opts)
	w.SeeCronWorkflow(cw, now)
	for _, run := range in.Runs {
		w.SeeRun(cw.Namespace, run, now)
	}
	w.Begin(now)
	w.Resume(key, s)
	merged, ok := w.Input(key)
	if !ok {
		return in
	}
	in.CronWorkflow.Epochs = merged.CronWorkflow.Epochs
	in.Record = merged.Record
	in.Record.Runs = slices.DeleteFunc(in.Record.Runs, func(run RecordedRun) bool { return !s.tellsOf(run) })
	in.Coverage = from(s.complete(in.CronWorkflow.Epochs), w.all[key].earlier)
	in.Lost = slices.DeleteFunc(slices.Concat(s.Open, s.Notable), func(f Finding) bool { return !f.Verdict.Lost() })
	return in
}

func judgeable(cw CronWorkflow, opts Options) bool {
	if checkName(cw) != nil {
		return false
	}
	_, err := readEpochs(cw, opts.withDefaults().ControllerZone)
	return err == nil
}

// tellsOf says whether a run is known by the state. Of the others the Workflows and the status speak for themselves; only that a
// firing which had not run when it was judged has run since, takes both.
func (s State) tellsOf(run RecordedRun) bool {
	if run.CreatedAt.IsZero() && !run.ScheduledTime.After(s.AuditedThrough) {
		return true
	}
	return slices.ContainsFunc(s.Record.Runs, func(r RecordedRun) bool { return r.ScheduledTime.Equal(run.ScheduledTime) })
}

// complete is from when on the state holds everything that was seen: the lists it is bounded by keep the newest recentSeen, and of
// older items only some.
func (s State) complete(epochs []Epoch) time.Time {
	times := func(n int, at func(int) time.Time) []time.Time {
		all := make([]time.Time, n)
		for i := range all {
			all[i] = at(i)
		}
		slices.SortFunc(all, time.Time.Compare)
		return newest(all, recentSeen)
	}
	runs := times(len(s.Record.Runs), func(i int) time.Time { return s.Record.Runs[i].ScheduledTime })
	if len(runs) == 0 {
		return s.AuditedThrough // nothing has run, or nothing that did was kept
	}
	since := runs[0]
	if slices.ContainsFunc(epochs, func(e Epoch) bool { return e.Spec.Policy == Forbid }) {
		active := times(len(s.Record.Active), func(i int) time.Time { return s.Record.Active[i].At })
		if len(active) == 0 {
			return s.AuditedThrough
		}
		since = later(since, active[0])
	}
	for _, stops := range [][]time.Time{s.Record.Stopped, s.Record.Resumed} {
		if len(stops) >= MaxStretches {
			since = later(since, slices.MinFunc(stops, time.Time.Compare))
		}
	}
	return since
}

// from is what of the stretches lies after a time, that time included.
func from(since time.Time, all []Stretch) []Stretch {
	var kept []Stretch
	for _, s := range all {
		if s.From = later(s.From, since); !s.From.After(s.To) {
			kept = append(kept, s)
		}
	}
	return kept
}
