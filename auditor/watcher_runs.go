package auditor

import (
	"slices"
	"strings"
	"time"
)

// seeRun takes in a run that may matter to this CronWorkflow.
func (h *watched) seeRun(run Run, now time.Time) {
	seen := h.runs[run.Name]
	switch {
	case seen == nil:
		seen = &seenRun{}
	case seen.UID != run.UID:
		h.loseRun(seen.Run, now) // nobody said so
		seen = &seenRun{}
	case seen.Finished() && !seen.FinishedAt.After(run.FinishedAt):
		run.FinishedAt = seen.FinishedAt
	}
	seen.Run = run
	h.runs[run.Name] = seen
	if !h.live {
		return
	}
	if run.Finished() {
		h.seeFinished(seen)
	}
	h.noteRun(run, now)
}

// loseRun takes in that a run is gone.
func (h *watched) loseRun(run Run, now time.Time) {
	seen := h.runs[run.Name]
	if seen != nil && seen.UID != run.UID {
		return // another has the name by now
	}
	if seen != nil {
		if seen.Finished() {
			run.FinishedAt, run.StartedAt = seen.FinishedAt, seen.StartedAt
		}
		delete(h.runs, run.Name)
	} else {
		seen = &seenRun{Run: run}
	}
	if !h.live {
		return
	}
	h.seeFinished(seen)
	h.noteRun(run, now)
	if o := h.openNamed(run.Name); o != nil && o.said.Reason == NameTaken {
		o.again = true
	}
	if !h.owns(run) {
		return
	}
	if !run.Finished() {
		run.FinishedAt = now
	}
	run.Deleting = true // so that it does not count as kept
	h.gone = append(h.gone, run)
	if len(h.gone) > recentSeen {
		h.gone = append(h.gone[:0], h.gone[recentSeen/4:]...)
	}
}

// noteRuns takes in all runs once more, after what they mean has changed.
func (h *watched) noteRuns() {
	for _, run := range h.runs {
		h.noteRun(run.Run, h.now)
	}
	h.notedLast = time.Time{}
	h.noteLast()
}

// noteRun notes what a run says of its firing.
func (h *watched) noteRun(run Run, now time.Time) {
	t, ok := ScheduledTimeOf(h.cw.Name, run.Name)
	if !ok {
		return
	}
	if !h.owns(run) {
		if o := h.openAt(t); o != nil {
			o.again = true // its name is taken
		}
		return
	}
	if t.After(now.Add(time.Minute)) {
		return // Argo makes none ahead of time
	}
	h.noteRan(h.recordOf(t, run))
}

// recordOf is what the record has of a run, by the first row of the decision table.
func (h *watched) recordOf(t time.Time, run Run) RecordedRun {
	recorded := RecordedRun{ScheduledTime: t, CreatedAt: run.CreatedAt, Verdict: OnTime}
	switch {
	case run.BackfilledBy != "":
		recorded.Verdict = Backfilled
	case run.CreatedAt.Sub(t) > h.opts.LateAfter:
		recorded.Verdict = Late
	}
	return recorded
}

// noteLast notes what status.lastScheduledTime says of a firing.
func (h *watched) noteLast() {
	status := h.cw.Status
	last := status.LastScheduledTime
	if last.IsZero() || last.Equal(h.notedLast) {
		return
	}
	if status.Intended.Equal(last) {
		h.noteMoved(last) // the annotation may be overwritten before this is
	}
	h.notedLast = last
	if slices.ContainsFunc(h.record.Moved, last.Equal) || !h.onSchedule(last) {
		return
	}
	if run := h.runs[WorkflowName(h.key.Name, last)]; run != nil && run.Owner != h.cw.UID {
		return // Argo has run it for the CronWorkflow that was deleted, of which this one has the name
	}
	recorded := RecordedRun{ScheduledTime: last, Verdict: OnTime}
	// It had not run when it was judged, unless the news of that is late.
	if written := status.WrittenAt; !last.After(h.cursor) && (written.IsZero() || written.Sub(last) > h.opts.LateAfter) {
		recorded.Verdict = Late
	}
	h.noteRan(recorded)
}

// noteRan records that a firing ran.
func (h *watched) noteRan(run RecordedRun) {
	t := run.ScheduledTime
	i, found := h.recordedAt(t)
	if found {
		old := h.record.Runs[i]
		if !old.CreatedAt.IsZero() || run.CreatedAt.IsZero() {
			return
		}
		h.record.Runs[i] = run // the run itself tells more than the status
		h.supersede(t)
		if !t.After(h.cursor) && h.openAt(t) == nil {
			h.addExtra(extra{t, old.Verdict})
		}
		return
	}
	o := h.openAt(t)
	switch {
	case o != nil:
		o.again = true
	case t.After(h.cursor):
		if h.listed(t) {
			h.addExtra(extra{at: t})
		}
	default:
		former, news := h.former(t)
		if !news {
			return
		}
		h.addExtra(extra{t, former})
	}
	h.record.Runs = slices.Insert(h.record.Runs, i, run)
	h.forgetRuns()
	if !run.CreatedAt.IsZero() {
		h.supersede(t)
	}
}

// supersede judges what is missed anew where a newer firing that ran makes it pointless. That is so once its run has been seen: Argo, back
// from a standstill, writes to the status of a CronWorkflow what it runs for the one that had that name before.
func (h *watched) supersede(newer time.Time) {
	if h.opts.CatchUp != CatchUpLatest && (len(h.parsed) == 0 || h.parsed[len(h.parsed)-1].spec.Policy != Replace) {
		return
	}
	for _, o := range h.open {
		o.again = o.again || o.said.Verdict == Missed && o.at.Before(newer)
	}
}

func (h *watched) recordedAt(t time.Time) (int, bool) {
	return slices.BinarySearchFunc(h.record.Runs, t, func(r RecordedRun, t time.Time) int { return r.ScheduledTime.Compare(t) })
}

// former is the final verdict that a firing up to the cursor had, which is empty where it is not known, or the firing
// had none; false when it is known that it ran, or it is none.
func (h *watched) former(t time.Time) (Verdict, bool) {
	for _, s := range slices.Backward(h.settled) {
		if s.at.Equal(t) {
			return s.verdict, true
		}
	}
	for _, f := range h.notable {
		if f.ScheduledTime.Equal(t) {
			return f.Verdict, !f.Verdict.Ran()
		}
	}
	return "", t.After(h.since) && (h.onSchedule(t) || h.listed(t))
}

// onSchedule says whether the schedule in effect is known to name t.
func (h *watched) onSchedule(t time.Time) bool {
	e, ok := h.epochAt(t)
	return ok && e.known && e.schedule.Contains(t)
}

// listed says whether t is a firing for no other reason than that it ran.
func (h *watched) listed(t time.Time) bool {
	e, ok := h.epochAt(t)
	return ok && (!e.known || len(e.schedule.Every()) > 0) && !e.schedule.Contains(t)
}

// noteStatus notes what Argo wrote to the CronWorkflow.
func (h *watched) noteStatus(before Status, first bool, now time.Time) {
	r, s := &h.record, h.cw.Status
	at, n := now, len(r.Active)
	// As it is now it has been since the last write, the news of which may be late; the time of that is cut to the second. Where that is
	// not certain, a write of Argo's that is new is the one.
	written := s.ChangedAt
	born := first && h.watchedSince().Equal(h.cw.CreatedAt)
	if written.IsZero() && (s.WrittenAt.After(before.WrittenAt) && !first || born) {
		written = s.WrittenAt
	}
	if since := later(written.Add(time.Second), h.cw.CreatedAt); (!written.IsZero() || born) && since.Before(now) {
		at = since
	}
	switch {
	case n > 0 && r.Active[n-1].Runs == len(s.Active) && (len(s.Active) > 0 || !h.madeBetween(r.Active[n-1].At, at)):
	case n > 0 && !r.Active[n-1].At.Before(at):
		r.Active[n-1].Runs = len(s.Active)
	default:
		r.Active = append(r.Active, ActiveSeen{At: at, Runs: len(s.Active)})
		h.forgetActive()
	}
	if !first && len(before.Active) != len(s.Active) && at.Add(timestampsLag).Before(now) {
		h.reconsider(at) // what was judged meanwhile was judged without knowing
		h.dirty = true
	}
	if !first && s.SubmissionError != "" && s.SubmissionError != before.SubmissionError {
		if at = now; !s.WrittenAt.IsZero() && s.WrittenAt.Before(now) { // also where a silent watch tells of it after a newer look
			at = s.WrittenAt
		}
		r.Errors = append(r.Errors, ErrorSeen{At: at, Message: s.SubmissionError})
		h.forgetErrors()
	}
	stopped, resumed := newestUpTo(r.Stopped, now), newestUpTo(r.Resumed, now)
	switch was := !stopped.IsZero() && !resumed.After(stopped); {
	case s.Stopped && !was:
		r.Stopped = newest(append(r.Stopped, now), MaxStretches)
	case !s.Stopped && was && stopped.Equal(now):
		r.Stopped = r.Stopped[:len(r.Stopped)-1]
	case !s.Stopped && was:
		r.Resumed = newest(append(r.Resumed, now), MaxStretches)
	}
}

// madeBetween says whether a run was made in a stretch of time: that status.active is empty after that too is news.
func (h *watched) madeBetween(from, to time.Time) bool {
	for _, run := range h.runs {
		if run.CreatedAt.Add(timestampsLag).After(from) && !run.CreatedAt.Add(timestampsLag).After(to) {
			return true
		}
	}
	return false
}

func (h *watched) noteRecovery(r Recovery) {
	all := &h.record.Recoveries
	i, found := slices.BinarySearchFunc(*all, r.ScheduledTime, func(r Recovery, t time.Time) int { return r.ScheduledTime.Compare(t) })
	if found {
		if was := (*all)[i]; was.Attempts == r.Attempts && was.LastError == r.LastError && was.Ended == r.Ended {
			return
		}
		(*all)[i] = r
	} else {
		*all = slices.Insert(*all, i, r)
		h.forgetRecoveries()
	}
	h.changed, h.dirty = true, true
	if o := h.openAt(r.ScheduledTime); o != nil && r.Ended != "" {
		o.again = true
	}
}

func (h *watched) noteMoved(t time.Time) {
	i, found := slices.BinarySearchFunc(h.record.Moved, t, time.Time.Compare)
	if found {
		return
	}
	h.record.Moved = newest(slices.Insert(h.record.Moved, i, t), MaxSeen/10)
	h.changed, h.dirty = true, true
}

// missed takes in that nothing was seen from a time on.
func (h *watched) missed(from time.Time) {
	h.earlier = upTo(h.earlier, from) // of what another process saw after that, only the newest was taken
	if edited := h.edits.missed(from, h.seenAt, h.now); !edited.IsZero() {
		h.parse()
		h.rejudge(edited, false)
		h.openLate(edited)
	}
	if h.counting.unwatched.IsZero() {
		h.counting.unwatched = from
	}
	h.counting.again = h.now
	h.reconsider(from)
}

// upTo is what of the stretches lies before a time.
func upTo(all []Stretch, to time.Time) []Stretch {
	var kept []Stretch
	for _, s := range all {
		if s.To = earlier(s.To, to); !s.From.After(s.To) {
			kept = append(kept, s)
		}
	}
	return kept
}

// openNamed is the open firing whose run would have this name.
func (h *watched) openNamed(workflow string) *open {
	if !strings.HasPrefix(workflow, h.cw.Name) {
		return nil
	}
	t, ok := ScheduledTimeOf(h.cw.Name, workflow)
	if !ok {
		return nil
	}
	return h.openAt(t)
}

// newest are the last n at the most.
func newest[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }
