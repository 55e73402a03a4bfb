package witness

import (
	"slices"
	"time"

	"github.com/robfig/cron/v3"
)

const (
	// shortestDeadline is the shortest one that a recovery is promised within.
	shortestDeadline = 20 * time.Second
	// quietBefore is how long before a live firing nothing is made.
	quietBefore = 5 * time.Second
	// unforeseeable is more time than there is before any firing.
	unforeseeable = 100 * 366 * 24 * time.Hour
	// look is how closely the time is looked at in which a firing was recoverable.
	look = 5 * time.Second
	// settle is how long after trouble a recovery may take to be tried again: delays grow up to a minute. opening is for how long
	// there must have been nothing in its way after that.
	settle, opening = time.Minute, 45 * time.Second
)

// notRecovered examines a firing that Argo did not run within its grace: was it to be recovered?
func (e *exam) notRecovered(c *cronWorkflow, f firing) {
	deadline := f.spec.deadline()
	if !c.live(f) || deadline < shortestDeadline || deadline < e.rules.Recoverable || c.wasBlocked(f) {
		return
	}
	end := earlier(f.at.Add(deadline), c.end(c.To))
	if run := c.ran(f.at, c.To); run != nil {
		end = earlier(end, run.Created)
	}
	var since time.Time
	open := time.Duration(0)
	for t := f.at.Add(c.grace(f.spec)); t.Before(end); t = t.Add(look) {
		if !c.recoverable(f, t) {
			since, open = time.Time{}, 0
			continue
		}
		if since.IsZero() {
			since = t
		}
		if t.Sub(since) >= settle && c.open(f, t) {
			open += look
		}
		if t.Sub(since) >= e.rules.Recoverable && open >= opening {
			e.mistake(NotRecovered, c, f.at, "from %s on it could be recovered by the rules, for %s by %s there was nothing in its way, and it had no run; its deadline was %s",
				stamp(since), open, stamp(t), stamp(f.at.Add(deadline)))
			return
		}
	}
}

// wasBlocked says whether Forbid may have been right not to run the firing.
func (c *cronWorkflow) wasBlocked(f firing) bool {
	return f.spec.policy() == "Forbid" && c.notForbidden(f) == ""
}

// recoverable says whether at t all held that does not depend on other runs.
func (c *cronWorkflow) recoverable(f firing, t time.Time) bool {
	i := c.specAt(t)
	if i < 0 || &c.Specs[i] != f.spec { // an edit since may have made it unknown what was due, and for how long
		return false
	}
	s := f.spec
	switch {
	case s.Backfill == "off" || s.Backfill == "dry-run" || s.CatchUp == "none" || s.AuditOff || s.whenFalse(t):
		return false
	case c.Served.IsZero() || c.Served.After(t) || c.statusAt(t).Stopped:
		return false
	case c.troubled.overlap(t, t):
		return false
	case !c.statusAt(t).LastScheduledTime.Before(f.at) && (s.SuccessfulLimit == 0 || s.FailedLimit == 0 || s.TTL >= 0 && s.TTL < time.Minute):
		return false // Argo has gone past it, and may have run it on the way
	case c.statusAt(t).SubmissionError:
		return false // Argo tries over and over itself, and writes over what Rollcall writes
	}
	return c.certain(f, t)
}

// certain says whether at t Rollcall could be certain that the firing had not run.
func (c *cronWorkflow) certain(f firing, t time.Time) bool {
	if !c.troubled.overlap(f.at.Add(-lag), t) { // after trouble it takes a while to see again
		return true // somebody watched all the time
	}
	if c.diedInTheAct(f, t) {
		return false
	}
	for _, v := range slices.Backward(c.verdict[f.at.Unix()]) {
		if v.Final || v.SaidAt.After(t) {
			continue
		}
		if v.Verdict == "Missed" && v.Certainty == "certain" && !c.blind.overlap(v.SaidAt, t) {
			return true // by its own word
		}
		break
	}
	return !c.Traceless && c.statusAt(t).LastScheduledTime.Before(f.at) && c.horizon(t).Before(f.at) && !c.cameAndWent(f)
}

// cameAndWent says whether a run ended and was deleted in the outage in which the firing was due: Argo has counted more then than
// Rollcall can name, and any of them may be the one that is asked for.
func (c *cronWorkflow) cameAndWent(f firing) bool {
	return slices.ContainsFunc(c.blind, func(s stretch) bool {
		return !s.from.After(f.at.Add(lag)) && !s.to.Before(f.at.Add(-lag)) && slices.ContainsFunc(c.counted, func(w *Workflow) bool {
			return !w.Ended.IsZero() && w.Ended.After(s.from.Add(-latency)) && !w.Deleted.IsZero() && w.Deleted.Before(s.to.Add(lag))
		})
	})
}

// diedInTheAct says whether, by t, a process may have died between the mark that it was about to create the run of the firing and the
// create, or just after that, and the run may have ended and been deleted since: whether it was created can then no longer be told.
func (c *cronWorkflow) diedInTheAct(f firing, t time.Time) bool {
	return !c.horizon(t).Before(f.at) && slices.ContainsFunc(c.Statuses, func(s Status) bool {
		return s.Intended.Equal(f.at) && c.troubled.overlap(s.At, earlier(s.At.Add(inFlight), t))
	})
}

// horizon is the earliest time such that no run that ended after it can have been deleted by t.
func (c *cronWorkflow) horizon(t time.Time) time.Time {
	spec := c.Specs[max(c.specAt(t), 0)]
	from := c.Created
	for _, of := range []struct {
		limit  int
		failed bool
	}{{spec.SuccessfulLimit, false}, {spec.FailedLimit, true}} {
		if of.limit == 0 {
			return t
		}
		var ended []time.Time
		for _, w := range c.counted {
			if w.Failed == of.failed && !w.Ended.IsZero() && !w.Ended.After(t) && (w.Deleted.IsZero() || w.Deleted.After(t)) {
				ended = append(ended, w.Ended)
			}
		}
		slices.SortFunc(ended, func(a, b time.Time) int { return b.Compare(a) })
		if len(ended) >= of.limit {
			from = later(from, ended[of.limit-1])
		}
	}
	if spec.TTL >= 0 {
		from = later(from, t.Add(-spec.TTL))
	}
	return from
}

// open says whether nothing was in the way of a recovery at t.
func (c *cronWorkflow) open(f firing, t time.Time) bool {
	schedules := c.schedules[c.specAt(t)]
	if c.quiet(f.spec, schedules, t) {
		return false
	}
	unfinished := 0
	for _, w := range c.counted {
		if w.BackfilledBy != "" && !w.Created.After(t) && !w.over(t) {
			unfinished++
		}
	}
	if unfinished >= c.rules.MaxParallel || c.newer(f, t) >= c.rules.MaxCatchUp {
		return false
	}
	if f.spec.StopStrategy && (unfinished > 0 || c.statusAt(t).Active > 0 || c.older(f, t)) {
		return false
	}
	if f.spec.policy() == "Replace" || f.spec.CatchUp == "latest" {
		if next := nextFiring(schedules, f.at); !next.IsZero() && !next.After(t) {
			return false // only the newest is worth it
		}
	}
	if f.spec.policy() == "Allow" {
		return true
	}
	if c.older(f, t) || c.active(time.Time{}, t.Add(-lag), t) != nil {
		return false
	}
	if f.spec.policy() == "Forbid" && f.spec.StartingDeadline < c.need(schedules, t, created) && c.argoDown.overlap(t.Add(-lag), t) {
		return false // nothing begins, and it could be in the way when Argo is back
	}
	next := nextFiring(schedules, t)
	return next.IsZero() || !t.Add(c.need(schedules, t, created)).After(next)
}

// quiet says whether t is around a live firing: from shortly before until it has started, or its grace is over.
func (c *cronWorkflow) quiet(s *Spec, schedules []cron.Schedule, t time.Time) bool {
	for _, live := range firingsBetween(schedules, t.Add(-c.grace(s)-time.Second), t.Add(quietBefore+look)) {
		if live.After(t) {
			return true
		}
		if t.Sub(live) <= c.grace(s) && (c.ran(live, t) == nil || t.Sub(live) < look) {
			return true
		}
	}
	return false
}

// older says whether an older firing was outstanding at t: they are recovered one after the other, the oldest first. newer is how
// many newer ones were.
func (c *cronWorkflow) older(f firing, t time.Time) bool {
	for i := c.due[f.at.Unix()] - 1; i >= 0; i-- {
		o := c.firings[i]
		if !o.at.Add(f.spec.deadline()).After(t) {
			return false
		}
		if c.ran(o.at, t) == nil {
			return true
		}
	}
	return false
}

func (c *cronWorkflow) newer(f firing, t time.Time) (n int) {
	for i := c.due[f.at.Unix()] + 1; i < len(c.firings) && c.firings[i].at.Before(t); i++ {
		if c.ran(c.firings[i].at, t) == nil {
			n++
		}
	}
	return n
}

// need is how much time before the next live firing a run is taken to need: that of the longest of the last 10 that are there, and a
// quarter, and 15 s; half an interval where there are none.
//
// Where Argo was held up, a run was there for much longer than it took: began says from when on it counts.
//
// Argo says by its own clock how long a run took; where that was wrong meanwhile, nobody can tell.
func (c *cronWorkflow) need(schedules []cron.Schedule, t time.Time, began func(*Workflow) time.Time) time.Duration {
	var there []*Workflow
	for _, w := range c.counted {
		if !w.Ended.IsZero() && !w.Ended.After(t) && (w.Deleted.IsZero() || w.Deleted.After(t)) {
			there = append(there, w)
		}
	}
	if len(there) == 0 {
		next, last := nextFiring(schedules, t), t
		if before := firingsBetween(schedules, t.Add(-24*time.Hour), t); len(before) > 0 {
			last = before[len(before)-1]
		}
		return next.Sub(last)/2 + look
	}
	slices.SortFunc(there, func(a, b *Workflow) int { return b.Ended.Compare(a.Ended) })
	var longest time.Duration
	for _, w := range there[:min(len(there), 10)] {
		if c.clock.overlap(w.Created, w.Ended) {
			return unforeseeable
		}
		longest = max(longest, w.Ended.Sub(began(w)))
	}
	return longest + longest/4 + 15*time.Second + look
}

func created(w *Workflow) time.Time { return w.Created }

func started(w *Workflow) time.Time {
	if w.Started.Before(w.Created) {
		return w.Created
	}
	return w.Started
}
