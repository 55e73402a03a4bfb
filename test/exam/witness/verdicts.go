package witness

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func lost(verdict string) bool {
	return verdict == "Missed" || verdict == "Expired" || verdict == "GaveUp"
}
func ran(verdict string) bool {
	return verdict == "OnTime" || verdict == "Late" || verdict == "Backfilled"
}

func (v Verdict) text() string {
	text := v.Verdict
	for _, more := range []string{v.Reason, v.Certainty, v.Cause} {
		if more != "" {
			text += "/" + more
		}
	}
	return fmt.Sprintf("%s, said at %s (%s)", text, stamp(v.SaidAt), v.Where)
}

// verdicts examines what was said of one firing.
func (e *exam) verdicts(c *cronWorkflow, f firing) {
	e.report.Firings++
	all := c.verdict[f.at.Unix()]
	if len(c.runs[f.at.Unix()]) > 0 {
		e.report.Ran++
		if c.runs[f.at.Unix()][0].BackfilledBy != "" {
			e.report.Recovered++
		}
		if c.runs[f.at.Unix()][0].BackfilledBy == byHand {
			e.report.ByHand++
		}
	}
	accused := false
	for _, v := range all {
		switch {
		case v.Final:
		case lost(v.Verdict) && v.Certainty != "likely":
			if accused {
				continue // once is enough
			}
			if why := c.falseMiss(f, v); why != "" {
				accused = true
				e.mistake(FalseMiss, c, f.at, "%s: %s", v.text(), why)
			}
		case ran(v.Verdict) && c.ran(f.at, v.SaidAt.Add(latency)) == nil && !c.formersRun(f.at, v):
			if accused {
				continue
			}
			accused = true
			e.mistake(FalseRun, c, f.at, "%s: it had no run by then", v.text())
		}
	}
	if slices.ContainsFunc(all, func(v Verdict) bool { return lost(v.Verdict) && v.Certainty == "certain" }) {
		e.report.Accusations++
	}
	i := slices.IndexFunc(all, func(v Verdict) bool { return v.Final })
	if i < 0 {
		if (c.Deleted.IsZero() || c.Deleted.After(c.To)) && c.firstSeen().Before(f.at) && f.at.Sub(f.spec.From) > latency {
			e.mistake(NoVerdict, c, f.at, "nothing is said of it in the end%s", lastSaid(all))
		}
		return
	}
	e.final(c, f, all[i], accused)
}

// firstSeen is when Rollcall could first see the CronWorkflow: of what was before that it need not speak.
func (c *cronWorkflow) firstSeen() time.Time {
	seen := c.Created
	for {
		end := c.troubled.lastEnd(seen, seen.Add(lag))
		if !end.After(seen) {
			return seen
		}
		seen = end.Add(lag)
	}
}

func lastSaid(all []Verdict) string {
	if len(all) == 0 {
		return ""
	}
	return "; the last was " + all[len(all)-1].text()
}

// final examines what stands in the end.
func (e *exam) final(c *cronWorkflow, f firing, v Verdict, accused bool) {
	e.report.Verdicts[v.Verdict]++
	evidence := c.evidence(f)
	if evidence {
		e.report.Evidenced++
	}
	switch {
	case v.Verdict == "Unknown":
		if evidence {
			e.report.Unknown[v.Reason]++
		}
	case v.Verdict == "Pending":
		e.mistake(NoVerdict, c, f.at, "%s: its grace was over long before", v.text())
	case lost(v.Verdict):
		if why := c.falseMiss(f, v); why != "" && !accused {
			e.mistake(FalseMiss, c, f.at, "%s: %s", v.text(), why)
		}
	case ran(v.Verdict):
		if c.ran(f.at, v.SaidAt.Add(latency)) == nil && !c.formersRun(f.at, v) {
			if !accused {
				e.mistake(FalseRun, c, f.at, "%s: it had no run", v.text())
			}
		} else if why := c.wrongRun(f, v); why != "" {
			e.mistake(WrongRun, c, f.at, "%s: %s", v.text(), why)
		}
	case v.Verdict == "Skipped":
		if why := c.falseSkip(f, v); why != "" {
			e.mistake(FalseSkip, c, f.at, "%s: %s", v.text(), why)
		}
	default:
		e.mistake(NoVerdict, c, f.at, "%s: that is no verdict", v.text())
	}
}

// formersRun says whether the run that status.lastScheduledTime told of is one that Argo made for a former CronWorkflow of the name.
func (c *cronWorkflow) formersRun(at time.Time, v Verdict) bool {
	return v.Reason == "StatusOnly" && slices.ContainsFunc(c.Workflows, func(w Workflow) bool {
		return w.Namespace == c.Namespace && w.Name == fmt.Sprintf("%s-%d", c.Name, at.Unix()) && w.BackfilledBy == ""
	})
}

// falseMiss says why the firing must not be called lost; empty where it may.
func (c *cronWorkflow) falseMiss(f firing, v Verdict) string {
	if run := c.ran(f.at, v.SaidAt); run != nil && (v.Certainty != "likely" || !run.DeletedByHand && !c.untimely(run, f.at) && !c.untold(f, run, v.SaidAt)) {
		switch {
		case run.BackfilledBy == "" && run.Created.Add(time.Second).Before(f.at.Add(c.grace(f.spec))) && v.SaidAt.Sub(run.Created) > latency:
			return fmt.Sprintf("it ran within its grace: %s was made at %s", run.Name, stamp(run.Created))
		case c.shouldKnow(run.Created, v.SaidAt):
			return fmt.Sprintf("it ran: %s was made at %s", run.Name, stamp(run.Created))
		}
	}
	if !f.settled {
		return ""
	}
	switch {
	case v.Certainty == "likely" && c.Traceless && c.changedUnseen(f.at, v.SaidAt):
		// What held then may be gone from the spec without a trace.
	case f.spec.Suspend:
		return "it was suspended then"
	case f.spec.whenFalse(f.at):
		return fmt.Sprintf("its when expression was false then: %s", f.spec.When)
	case f.spec.policy() == "Forbid" && !c.submissionError(f) && (v.Certainty != "likely" || !c.retriedBefore(v.SaidAt)):
		if run := c.blocked(f); run != nil && (v.Certainty != "likely" || !run.DeletedByHand || !run.over(v.SaidAt)) {
			return fmt.Sprintf("Forbid was right not to run it: %s was made at %s and ended at %s, and status.active had it", run.Name, stamp(run.Created), stamp(run.Ended))
		}
	}
	if v.Verdict != "GaveUp" && (f.spec.policy() == "Replace" || f.spec.CatchUp == "latest") {
		// Lost is lost: a newer run makes no difference to what was said before there was one.
		first := v.SaidAt
		for _, earlier := range c.verdict[f.at.Unix()] {
			if lost(earlier.Verdict) && earlier.SaidAt.Before(first) {
				first = earlier.SaidAt
			}
		}
		if run := c.newerRan(f.at, first); run != nil && c.shouldKnow(run.Created, first) {
			return fmt.Sprintf("it was superseded by %s, made at %s", run.Name, stamp(run.Created))
		}
	}
	return ""
}

// untimely says whether Argo, its clock far ahead, ran the firing so long before its time that what it ran then need not be there any more.
func (c *cronWorkflow) untimely(run *Workflow, at time.Time) bool {
	return run.Created.Before(at.Add(-inFlight)) && c.clock.overlap(run.Created, run.Created)
}

// untold says whether nothing told of the run: it came and went when Rollcall could not see, and Argo did not write it to the status, or
// set that back before Rollcall could see it.
func (c *cronWorkflow) untold(f firing, run *Workflow, said time.Time) bool {
	if c.seeable(run) || !run.Created.After(f.at.Add(c.grace(f.spec))) && c.statusAt(said).LastScheduledTime.After(f.at) {
		return false // once Argo has gone past it, its status says nothing of it, and absence needs another ground
	}
	for i, s := range c.Statuses {
		until := said
		if i+1 < len(c.Statuses) {
			until = earlier(until, c.Statuses[i+1].At)
		}
		if s.At.Before(said) && s.LastScheduledTime.Equal(f.at) && (!c.blind.overlap(s.At, s.At) || !c.blind.overlap(until, until)) {
			return false
		}
	}
	return true
}

// changedUnseen says whether the spec was edited between two times while Rollcall could not see.
func (c *cronWorkflow) changedUnseen(from, to time.Time) bool {
	return slices.ContainsFunc(c.Specs, func(s Spec) bool { return s.From.After(from) && !s.From.After(to) && c.blind.overlap(s.From, s.From) })
}

// retriedBefore says whether a person had a run begin anew before t: it no longer tells then that it once ended, nor what was deleted for it.
func (c *cronWorkflow) retriedBefore(t time.Time) bool {
	return slices.ContainsFunc(c.counted, func(w *Workflow) bool { return !w.Retried.IsZero() && w.Retried.Before(t) })
}

// shouldKnow says whether Rollcall had to know at the time now what happened at t: what it records may be a minute old, and while
// it cannot see it cannot know.
func (c *cronWorkflow) shouldKnow(t, now time.Time) bool {
	if end := c.blind.lastEnd(t, now); end.After(t) {
		t = end
	}
	return now.Sub(t) > recordLag
}

// blocked is the run that rightly kept Forbid from running the firing: it was under way well before and after, and status.active
// said so.
func (c *cronWorkflow) blocked(f firing) *Workflow {
	for _, s := range c.statusesOf(f.at.Add(-latency), f.at.Add(latency)) {
		if s.Active == 0 {
			return nil
		}
	}
	for _, w := range c.counted {
		if w.Created.Before(f.at.Add(-latency)) && !w.over(f.at.Add(latency)) {
			return w
		}
	}
	return nil
}

func (c *cronWorkflow) submissionError(f firing) bool {
	return slices.ContainsFunc(c.statusesOf(f.at, f.at.Add(c.grace(f.spec)+latency)), func(s Status) bool { return s.SubmissionError })
}

// unlistedRan says whether there was a run of a newer time that no expression names, as of @every.
func (c *cronWorkflow) unlistedRan(at, until time.Time) bool {
	return slices.ContainsFunc(c.counted, func(w *Workflow) bool {
		unix, err := strconv.ParseInt(strings.TrimPrefix(w.Name, c.Name+"-"), 10, 64)
		return err == nil && unix > at.Unix() && w.Created.Before(until.Add(latency))
	})
}

// newerRan is a run of a newer firing that was made until then; nil where there is none. Where Argo's clock is ahead it runs a
// firing before its time.
func (c *cronWorkflow) newerRan(at, until time.Time) *Workflow {
	for i := c.due[at.Unix()] + 1; i < len(c.firings) && !c.firings[i].at.After(until.Add(2*time.Minute)); i++ {
		if run := c.ran(c.firings[i].at, until); run != nil {
			return run
		}
	}
	return nil
}

// wrongRun says why the verdict is that of another kind of run; empty where it is right.
func (c *cronWorkflow) wrongRun(f firing, v Verdict) string {
	var why string
	for _, run := range c.runs[f.at.Unix()] {
		delay := run.Created.Sub(f.at)
		switch {
		case v.Verdict == "Backfilled" && run.BackfilledBy == "":
			why = fmt.Sprintf("%s is Argo's", run.Name)
		case v.Verdict != "Backfilled" && run.BackfilledBy != "":
			why = fmt.Sprintf("%s is Rollcall's", run.Name)
		case v.Reason == "StatusOnly" || v.Reason == "ZeroTimeName": // which do not say how late it was
			return ""
		case v.Verdict == "OnTime" && delay > c.rules.LateAfter+latency:
			why = fmt.Sprintf("%s was made %s late", run.Name, delay)
		case v.Verdict == "Late" && delay < c.rules.LateAfter-latency:
			why = fmt.Sprintf("%s was made after %s", run.Name, delay)
		default:
			return ""
		}
	}
	return why
}

// falseSkip says why the firing must not be called Skipped; empty where it may.
func (c *cronWorkflow) falseSkip(f firing, v Verdict) string {
	if run := c.ran(f.at, v.SaidAt); run != nil && c.shouldKnow(run.Created, v.SaidAt) {
		return fmt.Sprintf("it ran: %s was made at %s", run.Name, stamp(run.Created))
	}
	if c.blind.overlap(f.at.Add(-lag), earlier(v.SaidAt, f.at.Add(c.grace(f.spec)+lag))) && v.Reason != "Superseded" {
		return "" // what it could see was older, and what it can see now need not tell
	}
	around := func(holds func(*Spec) bool) bool {
		return c.anySpec(f.at.Add(-c.grace(f.spec)), f.at.Add(c.grace(f.spec)), holds)
	}
	switch v.Reason {
	case "Suspended":
		if !around(func(s *Spec) bool { return s.Suspend }) {
			return "it was not suspended around that time"
		}
	case "Stopped":
		// Why Argo did not run one that was due shortly before it was stopped, nobody can tell who was not there.
		if !slices.ContainsFunc(c.statusesOf(c.Created, v.SaidAt), func(s Status) bool { return s.Stopped }) {
			return "it had never been stopped"
		}
	case "When":
		if !around(func(s *Spec) bool { return s.whenUnclear() || s.whenFalse(f.at) }) {
			return "no when expression was false then"
		}
	case "Forbidden":
		if around(func(s *Spec) bool { return s.whenFalse(f.at) }) {
			return "" // Argo asks that first, and comes to the same end
		}
		return c.notForbidden(f)
	case "Superseded":
		if !around(func(s *Spec) bool { return s.policy() == "Replace" || s.CatchUp == "latest" }) {
			return "neither Replace nor catch-up latest held"
		}
		if c.newerRan(f.at, v.SaidAt) == nil && !c.unlistedRan(f.at, v.SaidAt) {
			return "no newer firing ran"
		}
	default:
		return "that is no reason"
	}
	return ""
}

// notForbidden says why Forbid cannot have kept the firing from running; empty where it can.
func (c *cronWorkflow) notForbidden(f firing) string {
	if !c.anySpec(f.at.Add(-c.grace(f.spec)), f.at.Add(c.grace(f.spec)), func(s *Spec) bool { return s.policy() == "Forbid" }) {
		return "its policy was not Forbid"
	}
	if c.active(f.at, f.at.Add(-lag), f.at.Add(latency)) != nil {
		return ""
	}
	for _, s := range c.statusesOf(f.at.Add(-latency), f.at.Add(latency)) { // Argo may write what it took for active just after
		if s.Active > 0 {
			return ""
		}
	}
	return fmt.Sprintf("no run was under way since %s, and status.active was empty", stamp(f.at.Add(-lag)))
}

// evidence says whether anybody who watched could know what became of the firing.
func (c *cronWorkflow) evidence(f firing) bool {
	if f.spec.whenUnclear() || c.nameTaken(f.at, f.at, c.To) {
		return false
	}
	if runs := c.runs[f.at.Unix()]; len(runs) > 0 {
		return c.seeable(runs[0])
	}
	// Of a firing shortly after an edit nobody can tell whether Argo had taken note of it; and until its deadline Argo may run late
	// what it has not run, also when nobody watches.
	until := f.at.Add(max(c.grace(f.spec), f.spec.StartingDeadline) + recordLag)
	return f.settled && !c.blind.overlap(f.at.Add(-latency), earlier(until, c.To))
}

// seeable says whether the Workflow was there for a moment in which Rollcall could see, and stayed, or could be put on record.
func (c *cronWorkflow) seeable(w *Workflow) bool {
	gone := w.Deleted
	if gone.IsZero() {
		gone = c.To
	}
	for at := w.Created; !at.After(gone); {
		seen := earlier(at.Add(lag), gone)
		if end := c.blind.lastEnd(at, seen); !end.IsZero() {
			at = end.Add(time.Second)
			continue
		}
		forgot := c.dead.lastEnd(seen, seen.Add(recordLag))
		if forgot.IsZero() || gone.After(forgot.Add(lag)) {
			return true
		}
		at = forgot.Add(time.Second)
	}
	return false
}
