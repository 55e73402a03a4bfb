package auditor

import (
	"slices"
	"time"
)

// verdicts is how far the roll of one CronWorkflow has been called.
type verdicts struct {
	// cursor is the scheduled time up to which every firing has been judged or is open; since is from when on every one that ran
	// is in the record.
	cursor, since time.Time
	// next is the first firing after cursor, due when its grace is over; zero when there is none.
	next, due time.Time
	// extras are firings to be judged although the cursor does not come to them.
	extras []extra
	open   []*open // ascending
	totals map[Verdict]int64
	// settled are the last firings whose final verdict is one of absence.
	settled []settled
	notable []Finding
	strip   []mark
	// recent are the last findings, for noticing a schedule that is stuck.
	recent []Finding
	stuck  string
	// moving is when the schedule was last found not to be.
	moving time.Time
}

// extra is a firing that ran after its verdict was final (former, empty when that is not known), or that is one only because
// it ran.
type extra struct {
	at     time.Time
	former Verdict
}

// mark is the verdict of a firing.
type mark struct {
	at      time.Time
	verdict Verdict
}

// settled is a firing with a final verdict, and when that was given.
type settled struct {
	mark
	since time.Time
}

// open is a firing whose verdict is not final.
type open struct {
	at time.Time
	// deadline is its starting deadline, until the end of its grace; zero where it has none.
	deadline, until time.Time
	// said is the verdict that was given; empty before the first.
	said Finding
	// judged is when it was first judged; again asks for another judgement.
	judged time.Time
	again  bool
	// absent says that it was found absent and due before (firing.absentBefore).
	absent bool
	// asking says that the API server is to be asked for its run, asked when that was last said, confirmed when it had none.
	asking           bool
	asked, confirmed time.Time
}

const (
	// askAgain is after what time an unanswered question is asked again.
	askAgain = 10 * time.Second
	// maxRecent is how many findings are looked at for a schedule that is stuck.
	maxRecent = 10
)

// wakeAt is when the next look is due; zero for never.
func (h *watched) wakeAt() time.Time {
	if !h.live || !h.blindSince(h.key.Namespace).IsZero() {
		return time.Time{}
	}
	if h.dirty || len(h.extras) > 0 && h.comesNext(h.extras[0]) {
		return h.now
	}
	var at time.Time
	note := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if !h.next.IsZero() {
		note(h.due)
	}
	for _, o := range h.open {
		switch {
		case o.again:
			return h.now
		case o.asking:
			note(o.asked.Add(askAgain))
		case !o.until.IsZero():
			note(o.until)
		default:
			note(o.deadline)
		}
	}
	note(h.stuckAt())
	return at
}

// stuckAt is when an @every schedule is stuck unless something runs before; zero when it is none or that has been said.
func (h *watched) stuckAt() time.Time {
	if len(h.parsed) == 0 || h.stuck != "" {
		return time.Time{}
	}
	current := h.parsed[len(h.parsed)-1]
	every := current.schedule.Every()
	if len(every) == 0 || current.spec.Suspend || h.cw.Settings.Off {
		return time.Time{}
	}
	last := h.cw.CreatedAt
	if n := len(h.record.Runs); n > 0 {
		last = later(last, h.record.Runs[n-1].ScheduledTime)
	}
	if t := h.cw.Status.LastScheduledTime; !slices.ContainsFunc(h.record.Moved, t.Equal) {
		last = later(last, t)
	}
	at := later(last, current.from).Add(2*every[0] + argoResync + time.Second)
	if !at.After(h.moving) {
		return h.moving.Add(argoResync)
	}
	return at
}

// findNext finds the first firing after the cursor.
func (h *watched) findNext() {
	h.next, h.due = time.Time{}, time.Time{}
	if h.cw.Settings.Off {
		return
	}
	for _, e := range h.parsed {
		after := later(h.cursor, e.from)
		if !e.until.IsZero() && !after.Before(e.until) {
			continue
		}
		t, ok := e.schedule.Next(after)
		if ok && (e.until.IsZero() || !t.After(e.until)) {
			h.next, h.due = t, t.Add(h.grace(e.spec))
			return
		}
	}
}

// reconsiderCauses has what was lost lately, for no known cause, looked at again; false when there is none.
func (h *watched) reconsiderCauses(now time.Time) (any bool) {
	for _, o := range h.open {
		if o.said.Verdict.Lost() && o.said.Cause == Undetermined && now.Sub(o.at) <= betweenWrites {
			o.again, any = true, true
		}
	}
	return any
}

// openAt is the open firing of that time; nil when there is none.
func (h *watched) openAt(t time.Time) *open {
	i, found := h.openIndex(t)
	if !found {
		return nil
	}
	return h.open[i]
}

func (h *watched) openIndex(t time.Time) (int, bool) {
	return slices.BinarySearchFunc(h.open, t, func(o *open, t time.Time) int { return o.at.Compare(t) })
}

func (h *watched) addExtra(e extra) {
	i, found := slices.BinarySearchFunc(h.extras, e.at, func(e extra, t time.Time) int { return e.at.Compare(t) })
	if !found {
		h.extras = newest(slices.Insert(h.extras, i, e), MaxCatchUp)
	}
}

// comesNext says whether no firing before the extra one is still to be judged: the cursor only moves forward.
func (h *watched) comesNext(e extra) bool { return h.next.IsZero() || e.at.Before(h.next) }

// deadlineOf is the starting deadline of a firing as an absolute time; zero for none.
func (h *watched) deadlineOf(t time.Time) time.Time {
	e, _ := h.epochAt(t)
	if d := EffectiveDeadline(e.spec, h.cw.Settings, h.opts.DefaultDeadline); d > 0 {
		return t.Add(d)
	}
	return time.Time{}
}

// final says whether Argo can start the firing no more, and Rollcall will not.
func (h *watched) final(o *open, now time.Time) bool {
	switch v := o.said.Verdict; {
	case v == "" || o.asking || o.again:
		return false
	case v.Ran() || v == Expired:
		return true
	case o.deadline.IsZero() || !now.Before(o.deadline):
		return v != Missed
	case v == Missed || o.said.Reason == NameTaken:
		return false
	}
	return h.cw.Status.LastScheduledTime.After(o.at)
}

// count puts a final verdict on the account.
func (h *watched) count(t time.Time, v Verdict) {
	h.totals[v]++
	if !v.Ran() {
		h.settled = newest(append(h.settled, settled{mark{t, v}, h.now}), recentSeen)
	}
}

// uncount takes a final verdict back.
func (h *watched) uncount(t time.Time, v Verdict) {
	if h.totals[v]--; h.totals[v] <= 0 {
		delete(h.totals, v)
	}
	h.settled = slices.DeleteFunc(h.settled, func(s settled) bool { return s.at.Equal(t) })
}

// reconsider opens again what was judged after a time from which on nothing was seen.
func (h *watched) reconsider(from time.Time) {
	for _, o := range h.open {
		if o.judged.After(from) {
			o.again, o.absent = true, false
		}
		o.again = o.again || o.said.Verdict.Lost() // how sure that is may have changed
	}
	for _, s := range slices.Clone(h.settled) {
		i, found := h.openIndex(s.at)
		if found || !s.since.After(from) || h.isExtra(s.at) {
			continue
		}
		h.uncount(s.at, s.verdict)
		o := &open{at: s.at, again: true, judged: s.since}
		if s.verdict.Lost() {
			o.confirmed = s.since // of what was skipped the API server was not asked
		}
		o.said = Finding{ScheduledTime: s.at, Workflow: WorkflowName(h.cw.Name, s.at), Verdict: s.verdict}
		if k, ok := slices.BinarySearchFunc(h.notable, s.at, compareFinding); ok {
			o.said = h.notable[k]
		}
		h.open = slices.Insert(h.open, i, o)
	}
}

// openLate opens the firings, up to the one that was judged last, that became due by an edit whose news is late. Their verdicts would
// be among those that are shown.
func (h *watched) openLate(edited time.Time) {
	if h.cw.Settings.Off {
		return
	}
	edited = later(edited, h.since) // the roll does not begin earlier for it
	if len(h.strip) >= MaxStrip {
		edited = later(edited, h.strip[0].at)
	}
	var late []time.Time
	for _, e := range h.parsed {
		after, until := later(edited, e.from), h.cursor
		if !e.until.IsZero() {
			until = earlier(until, e.until)
		}
		if after.Before(until) {
			late = append(late, e.schedule.Last(until, MaxStrip, after.Add(time.Second))...)
		}
	}
	for _, t := range newest(late, MaxStrip) {
		_, shown := slices.BinarySearchFunc(h.strip, t, func(m mark, t time.Time) int { return m.at.Compare(t) })
		if i, found := h.openIndex(t); !found && !shown {
			h.open = slices.Insert(h.open, i, &open{at: t, deadline: h.deadlineOf(t), again: true})
		}
	}
}

// show keeps a verdict for people to see.
func (h *watched) show(f Finding) {
	at := f.ScheduledTime
	i, found := slices.BinarySearchFunc(h.strip, at, func(m mark, t time.Time) int { return m.at.Compare(t) })
	if found {
		h.strip[i].verdict = f.Verdict
	} else if i > 0 || len(h.strip) < MaxStrip {
		h.strip = newest(slices.Insert(h.strip, i, mark{at, f.Verdict}), MaxStrip)
	}
	i, found = slices.BinarySearchFunc(h.notable, at, compareFinding)
	if found {
		h.notable = slices.Delete(h.notable, i, i+1)
	}
	if f.Verdict != OnTime && f.Verdict != Skipped && (i > 0 || len(h.notable) < MaxNotable) {
		h.notable = newest(slices.Insert(h.notable, i, f), MaxNotable)
	}
	i, found = slices.BinarySearchFunc(h.recent, at, compareFinding)
	if found {
		h.recent[i] = f
	} else if i > 0 || len(h.recent) < maxRecent {
		h.recent = newest(slices.Insert(h.recent, i, f), maxRecent)
	}
}

// calledLost says whether it is shown to people as lost.
func (h *watched) calledLost(at time.Time) bool {
	i, found := slices.BinarySearchFunc(h.notable, at, compareFinding)
	return found && h.notable[i].Verdict.Lost()
}

func compareFinding(f Finding, t time.Time) int { return f.ScheduledTime.Compare(t) }
