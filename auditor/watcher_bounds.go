package auditor

import (
	"fmt"
	"slices"
	"time"
)

// slack is how far a list grows over its bound before it is cut, so that not every addition looks for what to cut.
const slack = 50

// forgetRuns keeps the newest runs, and of the others those that the roll has not come to and that are gone.
func (h *watched) forgetRuns() {
	over := len(h.record.Runs) - recentSeen
	if over <= slack {
		return
	}
	i := 0
	h.record.Runs = slices.DeleteFunc(h.record.Runs, func(r RecordedRun) bool {
		i++
		if i > over {
			return false
		}
		t := r.ScheduledTime
		if judged := !t.After(h.cursor) && h.openAt(t) == nil && !h.isExtra(t); judged {
			h.since = later(h.since, t)
			return true
		}
		return h.runs[WorkflowName(h.cw.Name, t)] != nil
	})
	h.record.Runs = newest(h.record.Runs, MaxSeen)
}

func (h *watched) isExtra(t time.Time) bool {
	return slices.ContainsFunc(h.extras, func(e extra) bool { return e.at.Equal(t) })
}

// forgetActive keeps the newest changes of status.active, and of the others those in effect at a firing without a verdict.
func (h *watched) forgetActive() {
	all := h.record.Active
	over := len(all) - recentSeen
	if over <= slack {
		return
	}
	var kept []ActiveSeen
	for i, a := range all[:over] {
		if h.unjudgedIn(a.At, all[i+1].At) {
			kept = append(kept, a)
		}
	}
	h.record.Active = newest(append(kept, all[over:]...), MaxSeen)
}

// forgetErrors keeps the newest errors, and of the others those that showed in the grace of a firing without a verdict.
func (h *watched) forgetErrors() {
	over := len(h.record.Errors) - recentSeen
	if over <= slack {
		return
	}
	var kept []ErrorSeen
	for _, e := range h.record.Errors[:over] {
		if h.unjudgedIn(e.At.Add(-h.longestGrace()), e.At.Add(time.Second)) {
			kept = append(kept, e)
		}
	}
	h.record.Errors = newest(append(kept, h.record.Errors[over:]...), MaxSeen)
}

// unjudgedIn says whether a firing without a verdict lies in [from, to).
func (h *watched) unjudgedIn(from, to time.Time) bool {
	from = later(h.cursor, from.Add(-time.Second))
	if !from.Before(to) {
		return false
	}
	for _, e := range h.parsed {
		if t, ok := e.schedule.Next(later(from, e.from)); ok && t.Before(to) && (e.until.IsZero() || !t.After(e.until)) {
			return true
		}
	}
	return false
}

func (h *watched) longestGrace() (longest time.Duration) {
	for _, e := range h.parsed {
		longest = max(longest, h.grace(e.spec))
	}
	return longest
}

// forgetRecoveries keeps the newest recoveries, and of the others those of open firings.
func (h *watched) forgetRecoveries() {
	over := len(h.record.Recoveries) - recentSeen
	if over <= slack {
		return
	}
	i := 0
	h.record.Recoveries = slices.DeleteFunc(h.record.Recoveries, func(r Recovery) bool {
		i++
		return i <= over && h.openAt(r.ScheduledTime) == nil
	})
	h.record.Recoveries = newest(h.record.Recoveries, MaxSeen+MaxOpen)
}

// maxStrays is how many deleted runs are kept that the schedule does not name: they say that it is read wrongly.
const maxStrays = 10

// forgetGone drops the deleted runs on which no verdict rests: they ended before the firings that are still to be judged.
func (h *watched) forgetGone() {
	if len(h.gone) == 0 {
		return
	}
	strays := 0
	for i, run := range slices.Backward(h.gone) {
		t, ok := ScheduledTimeOf(h.cw.Name, run.Name)
		e, in := h.epochAt(t)
		current := len(h.parsed) > 0 && in && e.from.Equal(h.parsed[len(h.parsed)-1].from)
		switch stray := ok && current && run.BackfilledBy == "" && !h.onSchedule(t) && !h.listed(t); {
		case !run.FinishedAt.Before(h.cursor.Add(-countingLag)):
		case stray && strays < maxStrays:
			strays++
		default:
			h.gone = slices.Delete(h.gone, i, i+1)
		}
	}
}

// noteUnseen notes a stretch in which runs came and went unseen. Of too many, the two oldest become one.
func (h *watched) noteUnseen(s Stretch) {
	h.record.Unseen = append(h.record.Unseen, s)
	if u := h.record.Unseen; len(u) > MaxStretches {
		u[1].From = u[0].From
		h.record.Unseen = u[1:]
	}
}

// bound gives up what there is too much of, the oldest first.
func (l *looking) bound() {
	var missed, unsettled, asking []*open
	for _, o := range l.open {
		switch o.said.Verdict {
		case Missed:
			missed = append(missed, o)
		case "":
			asking = append(asking, o)
		default:
			unsettled = append(unsettled, o)
		}
	}
	drop := map[*open]bool{}
	for _, o := range missed[:max(0, len(missed)-MaxOpen)] {
		l.noteRecovery(Recovery{ScheduledTime: o.at, Ended: TooManyMissed, LastError: fmt.Sprintf("More than %d firings were missed.", MaxOpen)})
		o.said.Verdict = ""
		l.judge(o)
		drop[o] = true
	}
	for _, o := range unsettled[:max(0, len(unsettled)-MaxUnsettled)] {
		drop[o] = true
	}
	for _, o := range asking[:max(0, len(asking)-MaxUnconfirmed)] {
		o.asking = false
		l.sayOf(o, Finding{ScheduledTime: o.at, Workflow: WorkflowName(l.cw.Name, o.at), Verdict: Unknown, Reason: EvidenceGone,
			Evidence: []string{"No run of it was seen, and the API server could not be asked for it."}})
		drop[o] = true
	}
	if len(drop) > 0 {
		l.open = slices.DeleteFunc(l.open, func(o *open) bool {
			if drop[o] {
				l.close(o)
			}
			return drop[o]
		})
	}
}
