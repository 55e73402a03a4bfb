package auditor

import (
	"fmt"
	"slices"
	"time"
)

// looking is one look at one CronWorkflow.
type looking struct {
	*watched
	now       time.Time
	judgement Judgement
	evidence  *roll // of what did not simply run; made at most once
}

// look judges what is due; false when there is nothing to say.
func (h *watched) look(now time.Time) (Judgement, bool) {
	l := &looking{watched: h, now: now, judgement: Judgement{Key: h.key, UID: h.cw.UID, Err: h.err}}
	through := h.cursor
	h.settleCounts(now)
	l.skipTooMany()
	for !h.next.IsZero() && !h.due.After(now) {
		if found, ok := l.ran(h.next); ok {
			l.say(Finding{}, found)
			h.count(h.next, found.Verdict)
		} else {
			h.open = append(h.open, &open{at: h.next, again: true})
		}
		h.cursor = h.next
		h.findNext()
	}
	l.judgeExtras()
	for _, o := range h.open {
		due := o.again || o.asking && !now.Before(o.asked.Add(askAgain)) || !o.until.IsZero() && !now.Before(o.until) ||
			o.said.Verdict == Missed && !now.Before(o.deadline)
		if due {
			l.judge(o)
		}
	}
	l.settle()
	l.bound()
	h.forgetGone()
	l.noticeStuck()

	j := &l.judgement
	slices.SortStableFunc(j.Decided, func(a, b Finding) int { return a.ScheduledTime.Compare(b.ScheduledTime) })
	news := j.Err != nil && (h.said == nil || h.said.Error() != j.Err.Error())
	h.said = j.Err
	j.Changed = h.changed || len(j.Decided) > 0 || !h.cursor.Equal(through)
	h.changed = false
	return *j, j.Changed || news || len(j.Confirm) > 0
}

// roll is the evidence as it is now.
func (l *looking) roll() *roll {
	if l.evidence == nil {
		l.evidence = rollOf(l.input(l.now, true), l.parsed, l.now, l.opts)
	}
	return l.evidence
}

// ran is the verdict on a firing that ran, by the first row of the decision table; false when it is not known to have. Most firings
// run, and so cost no more than that.
func (l *looking) ran(t time.Time) (Finding, bool) {
	name := WorkflowName(l.cw.Name, t)
	i, recorded := l.recordedAt(t)
	seen := l.runs[name]
	exists := seen != nil && l.owns(seen.Run)
	switch {
	case !recorded && !exists:
		return Finding{}, false
	case !recorded: // it was left out while there were many
		l.record.Runs = slices.Insert(l.record.Runs, i, l.recordOf(t, seen.Run))
	}
	r := &roll{in: Input{CronWorkflow: l.cw}, now: l.now, opts: l.opts}
	if exists && seen.CreatedAt.Equal(l.record.Runs[i].CreatedAt) {
		r.runs = map[string][]Run{name: {seen.Run}} // says more than the record
	} else {
		r.in.Record = &Record{Runs: l.record.Runs[i : i+1]}
	}
	f := r.firing(epoch{}, t)
	ruling := f.ran()
	return f.finding(ruling), ruling.verdict.Ran()
}

// judgeExtras says what became of firings that the cursor does not come to: they ran.
func (l *looking) judgeExtras() {
	extras := l.extras
	l.extras = nil
	for i, e := range extras {
		if !l.comesNext(e) {
			l.extras = slices.Clone(extras[i:])
			return
		}
		found, ok := l.ran(e.at)
		if !ok {
			continue
		}
		l.say(Finding{Verdict: e.former}, found)
		l.uncount(e.at, e.former)
		l.count(e.at, found.Verdict)
		l.cursor = later(l.cursor, e.at)
	}
}

// judge judges an open firing.
func (l *looking) judge(o *open) {
	o.again, o.until = false, time.Time{}
	if o.judged.IsZero() {
		o.judged = l.now
	}
	if found, ok := l.ran(o.at); ok {
		o.asking = false
		l.sayOf(o, found)
		return
	}
	r := l.roll()
	e, ok := r.epochAt(o.at)
	f := r.firing(e, o.at)
	o.deadline = f.deadline
	if !ok || e.known && len(e.schedule.Every()) == 0 && !e.schedule.Contains(o.at) {
		o.asking, o.absent = false, false
		l.sayOf(o, f.finding(ruling{Unknown, SpecUnknown, time.Time{}, []string{
			fmt.Sprintf("The spec was edited at %s, as was only learnt later; by what it says since, this is no firing.", stamp(e.from))}}))
		return
	}
	f.absentBefore = o.absent
	found, _ := f.judge()
	switch {
	case found.Verdict == Pending: // its grace has become longer
		o.until = o.at.Add(f.grace)
	case (found.Verdict == Missed || found.Verdict == Expired) && !o.said.Verdict.Lost() && o.confirmed.IsZero():
		// What was the case at its time is asked again with the answer: news of that may have been on its way.
		o.asking, o.asked = true, l.now
		l.judgement.Confirm = append(l.judgement.Confirm, found)
	default:
		o.asking, o.absent = false, found.Verdict.Lost()
		if o.absent && !o.confirmed.IsZero() {
			found.Evidence = append(found.Evidence, fmt.Sprintf("The API server was asked for that very name at %s and has none.", stamp(o.confirmed)))
		}
		l.sayOf(o, found)
	}
}

// sayOf gives the verdict on an open firing. A cause once found stays: what it rested on may be forgotten by now.
func (l *looking) sayOf(o *open, found Finding) {
	if found.Cause == Undetermined && o.said.Cause != "" {
		found.Cause = o.said.Cause
	}
	before := o.said
	o.said = found
	l.say(before, found)
}

// say gives a verdict where it is not the one given before.
func (l *looking) say(before, found Finding) {
	retracted := !found.Verdict.Lost() && (before.Verdict.Lost() || l.calledLost(found.ScheduledTime))
	l.show(found)
	if before.Verdict == found.Verdict && before.Reason == found.Reason && before.Certainty == found.Certainty && before.Cause == found.Cause &&
		before.CreatedAt.Equal(found.CreatedAt) {
		return
	}
	l.judgement.Decided = append(l.judgement.Decided, found)
	if before.Verdict != found.Verdict {
		l.judgement.Tally = append(l.judgement.Tally, found.Verdict)
	}
	l.judgement.Urgent = l.judgement.Urgent || found.Verdict.Lost() || retracted
}

// settle puts final verdicts on the account.
func (l *looking) settle() {
	l.open = slices.DeleteFunc(l.open, func(o *open) bool {
		if !l.final(o, l.now) {
			return false
		}
		l.close(o)
		return true
	})
}

func (l *looking) close(o *open) {
	l.count(o.at, o.said.Verdict)
	l.changed = true
	if o.said.Reason == ZeroTimeName {
		l.recordZeroTime(o)
	}
}

// recordZeroTime puts on record what the name of the run does not tell, once it is gone: of which firing it was.
func (l *looking) recordZeroTime(o *open) {
	if i, found := l.recordedAt(o.at); !found {
		l.record.Runs = slices.Insert(l.record.Runs, i, RecordedRun{ScheduledTime: o.at, CreatedAt: o.said.CreatedAt, Verdict: OnTime})
		l.forgetRuns()
	}
}

// skipTooMany leaves firings unjudged where nobody did for so long that more than MaxCatchUp are due.
func (l *looking) skipTooMany() {
	if l.next.IsZero() || l.now.Sub(l.next) < MaxCatchUp*time.Minute { // they are a minute apart at least
		return
	}
	var kept []time.Time
	for _, e := range slices.Backward(l.parsed) {
		from, to := later(l.cursor, e.from), l.now
		if !e.until.IsZero() {
			to = earlier(to, e.until)
		}
		if from.Before(to) {
			kept = append(e.schedule.Last(to, MaxCatchUp-len(kept), from.Add(time.Second)), kept...)
		}
	}
	if len(kept) < MaxCatchUp || !l.next.Before(kept[0]) {
		return
	}
	first, last, n := l.next, time.Time{}, int64(0)
	for l.next.Before(kept[0]) && n < maxSkipped {
		last = l.next
		l.cursor = l.next
		l.findNext()
		n++
	}
	l.cursor = kept[0].Add(-time.Second)
	l.since = later(l.since, l.cursor)
	l.findNext()
	l.totals[Unknown] += n
	said := fmt.Sprintf("Nobody judged the %d firings from %s to %s at their time, and only the newest %d of such are judged afterwards.", n, stamp(first), stamp(last), MaxCatchUp)
	l.say(Finding{}, Finding{
		ScheduledTime: last, Workflow: WorkflowName(l.cw.Name, last), Verdict: Unknown, Reason: EvidenceGone, Evidence: []string{said},
	})
}

// maxSkipped bounds the counting of what is not judged.
const maxSkipped = 1_000_000

// lostInARow is how many of the last firings were lost, those that were skipped not counted.
func (l *looking) lostInARow() (n int) {
	for _, found := range slices.Backward(l.recent) {
		switch {
		case found.Verdict.Lost():
			n++
		case found.Verdict != Skipped:
			return n
		}
	}
	return n
}

// noticeStuck says whether the schedule is stuck.
func (l *looking) noticeStuck() {
	stuck := ""
	at := l.stuckAt()
	switch {
	case len(l.parsed) == 0:
	case l.stuck != "" || !at.IsZero() && !l.now.Before(at), l.lostInARow() > 1:
		stuck = l.roll().stuck(Report{Findings: l.recent})
		if stuck == "" {
			l.moving = l.now
		}
	}
	if stuck != l.stuck {
		l.changed = true
	}
	l.stuck, l.judgement.Stuck = stuck, stuck
}
