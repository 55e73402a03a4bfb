package witness

import (
	"slices"
	"time"
)

// doubled examines a firing that ran more than once.
func (e *exam) doubled(c *cronWorkflow, f firing, runs []*Workflow) {
	kind := DoubledByArgo
	if slices.ContainsFunc(runs, func(r *Workflow) bool { return r.BackfilledBy != "" }) {
		kind = DoubleRun
	}
	// A name keeps a run from being made twice, and where Argo takes the scheduled time for the zero time it gives another one.
	named := slices.ContainsFunc(runs, func(r *Workflow) bool { return r.Name == c.Name+zeroTimeName })
	if named && len(runs) == 2 {
		kind = DoubledByArgo
	}
	first, second := runs[0], runs[1]
	if len(runs) == 2 && maker(second) == "Argo" && c.heedless(f, second) {
		kind = DoubledByArgo
	}
	e.mistake(kind, c, f.at, "%d runs: %s made at %s by %s (gone at %s), %s made at %s by %s", len(runs),
		first.Name, stamp(first.Created), maker(first), stamp(first.Deleted), second.Name, stamp(second.Created), maker(second))
}

// heedless says whether Argo made the second run against all that Rollcall can do: for a CronWorkflow that it still took to be there,
// though the status said that the firing had run, or after it had set that back itself.
func (c *cronWorkflow) heedless(f firing, second *Workflow) bool {
	return !c.Deleted.IsZero() && second.Created.After(c.Deleted) || !c.statusAt(second.Created.Add(-latency)).LastScheduledTime.Before(f.at) || c.tookBack(f, second)
}

// tookBack says whether Argo, still at what it knew before, set lastScheduledTime back to before the firing, where Rollcall could not
// set that right until Argo ran it: its run was on record in the status, and gone.
func (c *cronWorkflow) tookBack(f firing, second *Workflow) bool {
	for i := len(c.Statuses) - 1; i > 0; i-- {
		before, back := c.Statuses[i-1], c.Statuses[i]
		switch {
		case back.At.After(second.Created):
		case !back.LastScheduledTime.Before(f.at):
			return false
		case !before.LastScheduledTime.Before(f.at):
			end := c.troubled.lastEnd(back.At.Add(-latency), second.Created)
			return !end.IsZero() && second.Created.Sub(end) < lag
		}
	}
	return false
}

func maker(w *Workflow) string {
	if w.BackfilledBy != "" {
		return "Rollcall"
	}
	return "Argo"
}

// run examines one Workflow of a CronWorkflow.
func (e *exam) run(c *cronWorkflow, r *Workflow) {
	at, of := c.of[r]
	if r.BackfilledBy != "" {
		if why := c.wrongRecovery(r, at, of); why != "" {
			e.mistake(WrongRecovery, c, at, "%s, made at %s by Rollcall: %s", r.Name, stamp(r.Created), why)
		}
		if other := c.besides(r); other != nil {
			e.mistake(TwoAtOnce, c, at, "under Forbid, %s (Rollcall's) was under way from %s to %s, and %s (%s's) from %s to %s",
				r.Name, stamp(r.Created), stamp(r.Ended), other.Name, maker(other), stamp(other.Created), stamp(other.Ended))
		}
	}
	if of && !r.Terminated.IsZero() {
		e.terminated(c, r, at)
	}
}

// byHand is the label of a run that somebody made with the command line.
const byHand = "cli"

// wrongRecovery says which rule forbade a run that Rollcall made; empty where none did. What Rollcall looked at just before may
// have changed while its request was on its way, and a request may take long where something is broken.
func (c *cronWorkflow) wrongRecovery(r *Workflow, at time.Time, of bool) string {
	if !of {
		return "it bears no firing's name"
	}
	i, due := c.due[at.Unix()]
	if !due {
		if c.nearlyDue(at) || at.Before(c.From) {
			return ""
		}
		return "nothing was due at " + stamp(at)
	}
	f := c.firings[i]
	sent := r.Created.Add(-inFlight)
	if end := c.any.lastEnd(sent.Add(-lag), r.Created); !end.IsZero() {
		return "" // when it was sent cannot be told
	}
	always := func(holds func(*Spec) bool) bool {
		return !c.anySpec(sent, r.Created, func(s *Spec) bool { return !holds(s) })
	}
	asked := r.BackfilledBy == byHand // who asks for it may want it in spite of that
	switch {
	case !asked && always(func(s *Spec) bool { return s.deadline() == 0 }):
		return "it has no deadline, so nothing may be recovered"
	case !asked && always(func(s *Spec) bool { return s.deadline() > 0 && sent.After(at.Add(s.deadline())) }):
		return "its deadline had passed"
	case always(func(s *Spec) bool { return s.Suspend }):
		return "it was suspended"
	case !asked && always(func(s *Spec) bool {
		return s.Backfill == "off" || s.Backfill == "dry-run" || s.CatchUp == "none" || s.AuditOff
	}):
		return "it was switched off for this CronWorkflow"
	case f.settled && f.spec.Suspend:
		return "it was suspended when the firing was due"
	case f.settled && f.spec.whenFalse(at):
		return "its when expression was false when the firing was due"
	case r.Created.Before(at.Add(10*time.Second - latency)): // Rollcall knows the API server's clock to half a second or so
		return "its grace was not over"
	}
	if spec := c.specAt(r.Created); spec >= 0 {
		// Its creation is known to the second, and the request took a moment.
		if next := nextFiring(c.schedules[spec], r.Created); !next.IsZero() && next.Sub(r.Created) < 4*time.Second && c.ran(next, r.Created) == nil {
			return "the live firing of " + stamp(next) + " was about to start"
		}
	}
	unfinished := 0
	for _, w := range c.counted {
		if w != r && w.BackfilledBy != "" && w.Created.Before(r.Created) && !w.over(r.Created.Add(2*latency)) { // ends are by Argo's clock
			unfinished++
		}
	}
	if unfinished >= c.rules.MaxParallel {
		return "too many recovered runs were under way already"
	}
	return ""
}

// besides is a run that was under way beside one that Rollcall made under Forbid, where that is Rollcall's doing: it made its own
// beside that one, or it left the other's maker, Argo, in the dark about it.
func (c *cronWorkflow) besides(r *Workflow) *Workflow {
	if c.anySpec(r.Created.Add(-inFlight), r.Created, func(s *Spec) bool { return s.policy() != "Forbid" }) {
		return nil
	}
	for _, other := range c.counted {
		_, live := c.of[other]
		switch {
		case other == r:
		case other.Created.Before(r.Created.Add(-latency)) && !other.over(r.Created.Add(2*latency)): // ends are by Argo's clock
			// One that came while the request was on its way could not be seen.
			if other.Created.Before(r.Created.Add(-inFlight)) || !c.any.overlap(other.Created, r.Created) {
				return other
			}
		case live && other.BackfilledBy == "" && other.Created.After(r.Created) && !r.over(other.Created.Add(latency)):
			told := slices.ContainsFunc(c.statusesOf(r.Created, other.Created), func(s Status) bool { return !s.At.Before(r.Created) && s.Active > 0 })
			// A moment in which the run is made and the status not yet written cannot be avoided, nor can an outage between them.
			if !told && other.Created.Sub(r.Created) > 2*latency && !c.troubled.overlap(r.Created, other.Created) &&
				!c.anySpec(r.Created, other.Created, func(s *Spec) bool { return s.policy() != "Forbid" }) {
				return other
			}
		}
	}
	return nil
}

// forgot says whether Argo wrote an older lastScheduledTime over that of a recovered run, so shortly before it stopped it that nobody
// could put that right: within a moment, or while no Rollcall could act.
func (c *cronWorkflow) forgot(at, made, stopped time.Time) bool {
	shown := false
	for _, s := range c.statusesOf(made.Add(-latency), stopped) {
		if shown && s.LastScheduledTime.Before(at) && (stopped.Sub(s.At) < latency || c.troubled.overlap(s.At, stopped)) {
			return true
		}
		shown = !s.LastScheduledTime.Before(at)
	}
	return false
}

// terminated examines a run that was told to stop. Under Replace a newer live firing does that, and nothing else may.
func (e *exam) terminated(c *cronWorkflow, r *Workflow, at time.Time) {
	when := r.Terminated
	due := slices.ContainsFunc(c.firings, func(f firing) bool {
		soon := !f.at.Before(when.Add(-lag)) || c.argoDown.overlap(f.at, when)
		return f.at.After(at) && soon && !f.at.After(when.Add(quietBefore)) // Argo's clock may be ahead
	})
	late := slices.ContainsFunc(c.counted, func(w *Workflow) bool {
		of, ok := c.of[w]
		return ok && of.After(at) && w.BackfilledBy == "" && !w.Created.Before(when.Add(-lag)) && !w.Created.After(when.Add(lag))
	})
	// It does so also where it cannot create what is to replace it.
	tried := slices.ContainsFunc(c.statusesOf(when.Add(-latency), when.Add(lag)), func(s Status) bool { return s.SubmissionError }) &&
		slices.ContainsFunc(c.firings, func(f firing) bool {
			return f.at.After(at) && !f.at.After(when) && when.Sub(f.at) <= f.spec.StartingDeadline
		})
	if due || late || tried {
		return
	}
	if r.BackfilledBy != "" {
		kind := RecoveryKilled
		if c.forgot(at, r.Created, when) {
			kind = StoppedByArgo
		}
		e.mistake(kind, c, at, "%s, made at %s by Rollcall, was told to stop at %s, when no newer firing was due; lastScheduledTime was %s",
			r.Name, stamp(r.Created), stamp(when), stamp(c.statusAt(when).LastScheduledTime))
		return
	}
	// Argo does that to its own runs too, where it could not write its status. It is because of a recovery if it did not know of
	// that one.
	last := c.statusAt(when).LastScheduledTime
	for _, w := range c.counted {
		if of, ok := c.of[w]; ok && w.BackfilledBy != "" && of.After(last) && w.Created.Before(when.Add(-2*latency)) && !c.any.overlap(w.Created, when) {
			e.mistake(LiveFiringLost, c, at, "%s was told to stop at %s, when no newer firing was due: lastScheduledTime was %s, and Rollcall had made %s at %s",
				r.Name, stamp(when), stamp(last), w.Name, stamp(w.Created))
			return
		}
	}
}

// liveLost examines a live firing under Forbid: was it in a recovered run's way, so that it never ran, or ran late? How long a run takes
// while Argo is away cannot be foreseen: then only what never ran counts.
func (e *exam) liveLost(c *cronWorkflow, f firing) {
	if !c.live(f) || f.spec.policy() != "Forbid" || c.argoDown.overlap(f.at.Add(-latency), f.at.Add(2*latency)) {
		return
	}
	own := c.runs[f.at.Unix()]
	if len(own) > 0 && own[0].Created.Sub(f.at) < 2*latency {
		return
	}
	var recovered *Workflow
	for _, w := range c.counted {
		if slices.Contains(own, w) || !w.alive(f.at.Add(-10*time.Second), f.at.Add(-time.Second)) {
			continue
		}
		if w.BackfilledBy == "" {
			return // another one was in its way
		}
		recovered = w
	}
	if recovered == nil || len(own) > 0 && c.argoDown.overlap(recovered.Created.Add(-time.Second), f.at) {
		return
	}
	made := recovered.Created
	if i := c.specAt(made); i >= 0 {
		need := c.need(c.schedules[i], made, started)
		if need == unforeseeable || !made.Add(need-look).After(f.at) || c.Specs[i].policy() != "Forbid" {
			return // nobody could know that it would take so long, or that there would be Forbid
		}
	}
	became := "it never ran"
	if len(own) > 0 {
		became = "it ran at " + stamp(own[0].Created)
	}
	e.mistake(LiveFiringLost, c, f.at, "Forbid skipped it for %s, made at %s by Rollcall and ended at %s: %s",
		recovered.Name, stamp(recovered.Created), stamp(recovered.Ended), became)
}

// live says whether the firing was to run by what its spec says, and its grace was over well before the end.
func (c *cronWorkflow) live(f firing) bool { return c.liveFor(f, c.grace(f.spec)+lag) }

// liveFor says whether the firing was to run by what its spec says, and so much time was left for it.
func (c *cronWorkflow) liveFor(f firing, left time.Duration) bool {
	return f.settled && !f.spec.Suspend && !f.spec.whenFalse(f.at) && !f.spec.whenUnclear() && !c.statusAt(f.at).Stopped &&
		!c.nameTaken(f.at, f.at, c.To) && !c.Served.IsZero() && c.Served.Before(f.at) && f.at.Add(left).Before(c.end(c.To))
}

// unscheduled examines the firings after the faults: Argo was to run each. That a schedule is dead shows by the first that it does not
// run, when the grace of that is over; a minute later it is to be alive. Where Rollcall is to keep its hands off, it does.
func (e *exam) unscheduled(c *cronWorkflow) {
	if e.FaultsEnd.IsZero() {
		return
	}
	var dead, shown time.Time // the first firing of a row that Argo did not run, and the end of its grace
	for _, f := range c.firings {
		switch {
		case !f.at.After(e.FaultsEnd) || !c.liveFor(f, lag) || f.at.Sub(f.spec.From) < time.Minute,
			f.spec.Backfill == "off" || f.spec.Backfill == "dry-run",
			f.spec.policy() == "Forbid" && c.notForbidden(f) == "":
			continue
		case slices.ContainsFunc(c.runs[f.at.Unix()], func(w *Workflow) bool { return w.BackfilledBy == "" }):
			dead = time.Time{}
			continue
		case dead.IsZero():
			dead, shown = f.at, f.at.Add(c.grace(f.spec))
		}
		if f.at.After(shown.Add(time.Minute)) {
			e.mistake(LeftUnscheduled, c, f.at, "it was due %s after the faults had ended, and Argo had run none since %s; lastScheduledTime was %s",
				f.at.Sub(e.FaultsEnd).Round(time.Second), stamp(dead), stamp(c.statusAt(f.at).LastScheduledTime))
		}
	}
}
