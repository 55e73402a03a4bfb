package auditor

import (
	"slices"
	"time"

	"rollcall.dev/rollcall/schedule"
)

// edits follow the spec of one CronWorkflow.
type edits struct {
	epochs []Epoch
	// own is what was seen here alone, once the epochs of a record have been put before that; nil until then.
	own *edits
	// says is since when the object last said that its spec is what it is, and told when it first said so: it also changes with
	// edits of what does not matter here. spec is the last one seen, refused why it is no spec that Argo can run.
	says, told time.Time
	spec       Spec
	refused    error
	// traceless is Epoch.Traceless of the last one seen.
	traceless bool
	// appended is when an epoch was last added.
	appended time.Time
	// bore is the newest time that the object has borne: of a write to its spec, or of Argo's to its status.
	bore time.Time
	// heard, unless zero, says that the last epoch is dated by when it was heard of; it began no earlier than heard.
	heard time.Time
	// unwatched, unless zero, is until when it was watched before a gap after which it has not been seen yet.
	unwatched time.Time
}

// timestampsLag is how much earlier than seen an edit may say that it was: the times in managedFields are cut to seconds.
const timestampsLag = 2 * time.Second

// note takes in a spec as seen now. It returns the start of the stretch of which
// more is known than before, zero when that is none. What was in effect between two looks with a gap in between is not known
// when the spec was edited then; where the object cannot tell, that is so when it is not the same. An edit that says it is older than the
// gap and was not seen leaves unknown what was since then; one that can leave no trace is not certainly none. Wrote is the newest time that
// the object bears.
func (e *edits) note(seen Epoch, wrote, now time.Time, zone *time.Location) (edited time.Time) {
	if e.own != nil {
		e.own.note(seen, wrote, now, zone)
	}
	if wrote.After(e.bore) {
		edited = e.heardLate(wrote)
		e.bore = wrote
	}
	if more := e.take(seen, now, zone); edited.IsZero() || !more.IsZero() && more.Before(edited) {
		edited = more
	}
	return edited
}

// heardLate takes in that the object was written to at a time that it bears. An edit without a trace, which was heard of before that, was made
// before that as well: it was told late. It returns what note does.
func (e *edits) heardLate(wrote time.Time) (edited time.Time) {
	i := slices.IndexFunc(e.epochs, func(epoch Epoch) bool { return epoch.From.After(wrote.Add(timestampsLag)) })
	if i <= 0 || e.heard.IsZero() {
		return time.Time{}
	}
	before, appended := e.epochs[i-1], e.appended
	since := earlier(later(e.heard, before.From), wrote)
	e.epochs = e.epochs[:i]
	if !before.Unknown {
		e.add(Epoch{From: since, Unknown: true}, appended)
	}
	e.add(e.epoch(wrote), appended)
	return since
}

// take takes in a spec as seen now, and returns what note does.
func (e *edits) take(seen Epoch, now time.Time, zone *time.Location) (edited time.Time) {
	known := len(e.epochs) > 0
	same := known && sameSpec(e.spec, seen.Spec)
	touched := !seen.From.Equal(e.says)
	newer := seen.From.After(e.says)
	trace := !seen.Traceless || !onlyRemoves(e.spec, seen.Spec)
	justTold := !now.After(e.told.Add(timestampsLag)) // the edit before it
	late := justTold && e.says.Add(timestampsLag).Before(e.told)
	gap := e.unwatched
	e.unwatched, e.spec, e.traceless = time.Time{}, seen.Spec, seen.Traceless
	if touched {
		e.says, e.told = seen.From, now
	}
	if !same {
		_, e.refused = schedule.Parse(seen.Spec.Schedules, seen.Spec.Timezone, zone)
	}
	from := now
	switch {
	case !known:
		e.add(e.unwatchedEpoch(seen.From, now), now)
		return seen.From
	case !gap.IsZero() && touched && seen.From.Add(timestampsLag).After(gap):
		e.add(Epoch{From: gap, Unknown: true}, now)
		e.add(e.unwatchedEpoch(later(seen.From, gap), now), now)
		return gap
	case same:
		if gap.IsZero() {
			return time.Time{}
		}
		return e.doubt(gap, now)
	case !gap.IsZero():
		// Where it says that it is older than the gap, what was known before that may have been late news.
		if before := e.epochs[len(e.epochs)-1]; touched && !before.Unknown && seen.From.After(before.From) {
			gap = earlier(gap, seen.From)
		}
		e.add(Epoch{From: gap, Unknown: true}, now)
		e.add(e.epoch(now), now)
		return gap
	case touched && newer && !seen.From.After(now):
		// What it says may be long ago: a watch that was silent tells in order, and late. Where a field is removed, the object may
		// go back to an older time: who owned it is not listed any more.
		from = later(seen.From, e.epochs[len(e.epochs)-1].From)
	case !touched && trace && justTold && !seen.From.After(now):
		// An edit that has left its trace, in the same second as the one before, which has only just been told: both may be late.
		from = later(seen.From, e.epochs[len(e.epochs)-1].From)
	case !trace && late: // it says nothing of when a field was removed
		from = e.epochs[len(e.epochs)-1].From
		e.add(Epoch{From: from, Unknown: true}, now)
		e.add(e.epoch(now), now)
		e.heard = from
		return from
	}
	e.add(e.epoch(from), now)
	if from.Equal(now) {
		e.heard = later(e.bore, e.says)
	}
	return from
}

// onlyRemoves says whether an edit may have done nothing but remove fields.
func onlyRemoves(before, after Spec) bool {
	return slices.Equal(before.Schedules, after.Schedules) && (after.Timezone == "" || after.Timezone == before.Timezone) && (!after.Suspend || before.Suspend) &&
		(after.Policy == "" || after.Policy == before.Policy) && (after.StartingDeadline == 0 || after.StartingDeadline == before.StartingDeadline) &&
		(after.When == "" || after.When == before.When) && (!after.StopStrategy || before.StopStrategy)
}

// epoch is that of the last spec; one that Argo cannot run is as good as unknown.
func (e *edits) epoch(from time.Time) Epoch {
	if e.refused != nil {
		return Epoch{From: from, Unknown: true}
	}
	return Epoch{From: from, Spec: e.spec}
}

// unwatchedEpoch is that of the last spec, seen at a time and not before.
func (e *edits) unwatchedEpoch(from, seen time.Time) Epoch {
	epoch := e.epoch(from)
	if e.traceless && !epoch.Unknown && from.Before(seen) {
		epoch.Traceless, epoch.TracelessUntil = true, seen
	}
	return epoch
}

func (e *edits) add(epoch Epoch, now time.Time) {
	e.appended, e.heard = now, time.Time{}
	if n := len(e.epochs); n > 0 && !epoch.From.After(e.epochs[n-1].From) {
		e.epochs = e.epochs[:n-1]
	}
	e.epochs = append(slices.Clip(e.epochs), epoch) // inputs share the old one
	e.epochs = e.epochs[max(0, len(e.epochs)-MaxEpochs):]
}

// missed says that nothing was seen from a time on until now, though what came after it may have been shown already, or something in
// between; before is when the CronWorkflow was last seen. It returns what note does.
func (e *edits) missed(from, before, now time.Time) (edited time.Time) {
	if e.own != nil {
		e.own.missed(from, before, now)
	}
	if since := later(from, before); !before.After(from) || since.Add(timestampsLag).Before(now) {
		e.unwatched = since // until it is seen anew
	}
	if !before.After(from) {
		return time.Time{}
	}
	i := slices.IndexFunc(e.epochs, func(epoch Epoch) bool { return epoch.From.After(from) })
	switch {
	case i > 0 && e.appended.After(from):
		e.epochs = slices.Insert(slices.Clone(e.epochs), i, Epoch{From: from, Unknown: true})
		e.epochs = e.epochs[max(0, len(e.epochs)-MaxEpochs):]
		return from
	case i < 0 && len(e.epochs) > 0 && e.told.After(from) && e.says.After(from):
		e.add(Epoch{From: from, Unknown: true}, before)
		e.add(e.unwatchedEpoch(e.says, e.told), before)
		return from
	}
	if i < 0 && len(e.epochs) > 0 {
		return e.doubt(from, before)
	}
	return time.Time{}
}

// doubt makes what the last epoch says of a gap, which ended when it was seen, uncertain where an edit can leave no trace. It returns what
// note does.
func (e *edits) doubt(gap, seen time.Time) (edited time.Time) {
	last := len(e.epochs) - 1
	if !e.traceless || e.epochs[last].Unknown {
		return time.Time{}
	}
	e.epochs = slices.Clone(e.epochs) // inputs share the old one
	e.epochs[last].Traceless, e.epochs[last].TracelessUntil = true, seen
	return gap
}

func sameSpec(a, b Spec) bool {
	return slices.Equal(a.Schedules, b.Schedules) && a.Timezone == b.Timezone && a.Suspend == b.Suspend && a.Policy == b.Policy &&
		a.StartingDeadline == b.StartingDeadline && a.When == b.When && a.StopStrategy == b.StopStrategy
}

// after are the epochs of an earlier record, followed by those seen since then. gap says that nobody watched in between. It returns since
// when more is known than the record knew, zero when that is not so.
func (e *edits) after(recorded []Epoch, until, since time.Time, gap bool, zone *time.Location) (edited time.Time) {
	own := e.epochs
	if e.own != nil {
		own = e.own.epochs
	}
	if len(recorded) == 0 || len(own) == 0 {
		return time.Time{}
	}
	joined := edits{}
	for _, epoch := range recorded {
		if epoch.From.After(since) {
			continue
		}
		if _, err := schedule.Parse(epoch.Spec.Schedules, epoch.Spec.Timezone, zone); err != nil {
			epoch = Epoch{From: epoch.From, Unknown: true} // by a hand, or another database of zones
		}
		joined.epochs = append(joined.epochs, epoch)
	}
	if len(joined.epochs) == 0 {
		return time.Time{}
	}
	if last := joined.epochs[len(joined.epochs)-1]; !last.Unknown {
		joined.spec = last.Spec
	}
	if gap {
		joined.unwatched = until
	}
	if own[0].Unknown {
		joined.add(own[0], since)
	} else {
		edited = joined.take(own[0], since, zone)
	}
	for _, epoch := range own[1:] {
		if joined.add(epoch, since); edited.IsZero() {
			edited = epoch.From
		}
	}
	if e.own == nil {
		alone := *e
		e.own = &alone
	}
	e.epochs = joined.epochs
	return edited
}
