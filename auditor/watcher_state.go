package auditor

import (
	"maps"
	"slices"
	"time"
)

// state is what must not be forgotten.
func (h *watched) state() State {
	s := State{
		UID: h.cw.UID, Epochs: slices.Clone(h.edits.epochs), Coverage: h.coverage(h.certain()), AuditedThrough: h.cursor,
		Totals: maps.Clone(h.totals), Record: h.record.clone(), Accounted: h.counting.accounted, Notable: slices.Clone(h.notable),
	}
	for _, o := range h.open {
		switch o.said.Verdict {
		case Missed:
			s.Open = append(s.Open, o.said)
		case "":
			s.Unsettled = append(s.Unsettled, Finding{ScheduledTime: o.at, Workflow: WorkflowName(h.cw.Name, o.at), Verdict: Pending, Deadline: o.deadline})
		default:
			s.Unsettled = append(s.Unsettled, o.said)
		}
	}
	for _, m := range h.strip {
		s.Strip = append(s.Strip, m.verdict)
	}
	return s
}

// certain is until when it has been seen whatever is still on its way.
func (h *watched) certain() time.Time {
	told := later(h.told[h.key.Namespace], h.told[""])
	if told.IsZero() {
		return h.now
	}
	return earlier(h.now, later(told, h.unchanged))
}

// resume adds what was seen here to a state of before.
func (h *watched) resume(s State) {
	if s.UID != h.cw.UID {
		return
	}
	since := later(h.Watcher.coverage[0].From, h.entered)
	until := s.AuditedThrough
	if n := len(s.Coverage); n > 0 {
		until = s.Coverage[n-1].To
	}
	until = h.confirmed(s, until)
	gap := until.Before(since)
	edited := h.edits.after(s.Epochs, until, since, gap, h.Watcher.opts.ControllerZone)
	h.parse()
	h.earlier = upTo(s.Coverage, until)
	ran := h.record.Runs
	h.joinRecord(s.Record, since)
	if gap {
		h.resumeCounts(s.Accounted, until, since)
	}
	h.verdicts = verdicts{cursor: s.AuditedThrough, since: s.AuditedThrough, totals: map[Verdict]int64{}}
	maps.Copy(h.totals, s.Totals)
	if len(s.Record.Runs) > 0 {
		first := slices.MinFunc(s.Record.Runs, func(a, b RecordedRun) int { return a.ScheduledTime.Compare(b.ScheduledTime) })
		h.since = earlier(h.since, first.ScheduledTime)
	}
	h.notable = slices.SortedFunc(slices.Values(s.Notable), func(a, b Finding) int { return a.ScheduledTime.Compare(b.ScheduledTime) })
	h.reopen(s, until)
	if h.cw.Settings.Off {
		h.open = nil
	}
	if h.strip = h.stripOf(s.Strip); !edited.IsZero() {
		h.openLate(edited)
	}
	for _, run := range h.record.Runs {
		if t := run.ScheduledTime; t.After(h.cursor) && h.listed(t) {
			h.addExtra(extra{at: t})
		}
	}
	h.findNext()
	for _, run := range ran {
		h.noteRan(run)
	}
	for _, run := range h.gone {
		h.noteRun(run, h.now) // it came before the roll began here
	}
	h.noteRuns()
	h.changed = len(h.edits.epochs) != len(s.Epochs)
	h.dirty = h.changed || h.err != nil
}

// confirmed is until when a process before watched, as it said itself, or before the oldest firing that it found absent without hearing
// from the API server that it was so: its watch may have been silent since.
func (h *watched) confirmed(s State, until time.Time) time.Time {
	for _, f := range s.Unsettled {
		e, ok := h.epochAt(f.ScheduledTime)
		if f.Verdict == Pending && ok && f.ScheduledTime.Add(h.grace(e.spec)).Before(until) {
			until = earlier(until, f.ScheduledTime.Add(-time.Second))
		}
	}
	return until
}

// reopen makes the firings of a state without a final verdict open again.
func (h *watched) reopen(s State, until time.Time) {
	for _, f := range slices.Concat(s.Open, s.Unsettled) {
		o := &open{at: f.ScheduledTime, deadline: h.deadlineOf(f.ScheduledTime), said: f, judged: until, absent: f.Verdict.Lost()} // a Pending one was not confirmed
		if f.Verdict == Pending {
			o.said = Finding{}
		}
		o.again = f.Verdict == Pending || f.Verdict.Lost() || f.Reason == NameTaken
		if i, found := h.openIndex(o.at); !found {
			h.open = slices.Insert(h.open, i, o)
		}
	}
}

// stripOf gives verdicts the times of the newest firings, which they are of.
func (h *watched) stripOf(verdicts []Verdict) []mark {
	var times []time.Time
	for _, e := range slices.Backward(h.parsed) {
		to := h.cursor
		if !e.until.IsZero() {
			to = earlier(to, e.until)
		}
		if n := len(verdicts) - len(times); n > 0 && e.from.Before(to) {
			times = append(e.schedule.Last(to, n, e.from.Add(time.Second)), times...)
		}
	}
	n := min(len(times), len(verdicts))
	var strip []mark
	for i, t := range times[len(times)-n:] {
		strip = append(strip, mark{t, verdicts[len(verdicts)-n+i]})
	}
	return strip
}

// joinRecord puts an earlier record before what was seen here since; of what both have, the earlier record has more to say.
func (h *watched) joinRecord(r Record, since time.Time) {
	own := h.record
	watched := h.Watcher.coverage
	theirs := func(t time.Time) bool {
		return t.Before(since) || !slices.ContainsFunc(watched, func(s Stretch) bool { return !t.Before(s.From) && (s.To.IsZero() || !t.After(s.To)) })
	}
	h.record = Record{
		Moved:   merge(r.Moved, own.Moved),
		Active:  joinActive(r.Active, own.Active, since, watched),
		Errors:  join(r.Errors, own.Errors, func(e ErrorSeen) time.Time { return e.At }, since, theirs),
		Stopped: join(r.Stopped, own.Stopped, func(t time.Time) time.Time { return t }, since, theirs),
		Resumed: join(r.Resumed, own.Resumed, func(t time.Time) time.Time { return t }, since, theirs),
		Unseen:  join(r.Unseen, own.Unseen, func(s Stretch) time.Time { return s.From }, since, theirs),
	}
	h.record.Runs = unite(r.Runs, nil, func(r RecordedRun) time.Time { return r.ScheduledTime })
	h.record.Recoveries = unite(r.Recoveries, own.Recoveries, func(r Recovery) time.Time { return r.ScheduledTime })
	if n := len(h.record.Stopped); n > 0 && !h.cw.Status.Stopped && len(own.Stopped) == 0 && !newestUpTo(h.record.Resumed, h.now).After(h.record.Stopped[n-1]) {
		h.record.Resumed = append(h.record.Resumed, h.now) // at some time when nobody watched
	}
}

// join takes of a what is theirs, of b what is not before since.
func join[T any](a, b []T, at func(T) time.Time, since time.Time, theirs func(time.Time) bool) []T {
	joined := slices.DeleteFunc(slices.Clone(a), func(v T) bool { return !theirs(at(v)) })
	for _, v := range b {
		known := theirs(at(v)) && slices.ContainsFunc(joined, func(of T) bool { return at(of).Equal(at(v)) })
		if !known && !at(v).Before(since) {
			joined = append(joined, v)
		}
	}
	slices.SortStableFunc(joined, func(a, b T) int { return at(a).Compare(at(b)) })
	return joined
}

// joinActive is join, but that what was seen here had been so since the last write to it, however late the news of that came: so all is
// taken that is later than what the earlier record knows of. And in the gaps of what was watched here the earlier record has more to say.
func joinActive(a, b []ActiveSeen, since time.Time, watched []Stretch) []ActiveSeen {
	at := func(s ActiveSeen) time.Time { return s.At }
	for i := 1; i < len(watched); i++ {
		gap := Stretch{watched[i-1].To, watched[i].From}
		within := func(s ActiveSeen) bool { return s.At.After(gap.From) && s.At.Before(gap.To) }
		told := slices.ContainsFunc(a, within)
		n := slices.IndexFunc(b, func(s ActiveSeen) bool { return s.At.After(gap.From) })
		if !told || n == 0 || len(b) == 0 || !gap.From.After(since) {
			continue
		}
		before := len(b) - 1 // what was so when the gap began, and when it was over
		if n > 0 {
			before = n - 1
		}
		over := b[before].Runs
		inGap := func(s ActiveSeen) bool { return s.At.After(gap.From) && !s.At.After(gap.To) }
		for _, s := range b[before:] {
			if inGap(s) {
				over = s.Runs
			}
		}
		b = slices.DeleteFunc(slices.Clone(b), inGap)
		for _, s := range a {
			if within(s) {
				b = append(b, s)
			}
		}
		b = append(b, ActiveSeen{At: gap.To, Runs: over})
		slices.SortStableFunc(b, func(a, b ActiveSeen) int { return a.At.Compare(b.At) })
	}
	if n := slices.IndexFunc(b, func(s ActiveSeen) bool { return len(a) == 0 || s.At.After(a[len(a)-1].At) }); n >= 0 {
		since = earlier(since, b[n].At)
	}
	return join(a, b, at, since, func(t time.Time) bool { return t.Before(since) })
}

// unite takes one of each time, those of a where both have one.
func unite[T any](a, b []T, at func(T) time.Time) []T {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b T) int { return at(a).Compare(at(b)) })
	return slices.CompactFunc(all, func(a, b T) bool { return at(a).Equal(at(b)) })
}

// resumeCounts compares Argo's count of finished runs with what was accounted for before a gap.
func (h *watched) resumeCounts(accounted int64, until, since time.Time) {
	for _, run := range h.runs {
		if h.counts(run.Run) && run.Finished() && run.FinishedAt.After(until) {
			accounted++
		}
	}
	if h.counted() > accounted {
		h.noteUnseen(Stretch{From: until, To: since})
	}
}

func (s State) clone() State {
	s.Epochs, s.Coverage, s.Open, s.Unsettled = slices.Clone(s.Epochs), slices.Clone(s.Coverage), slices.Clone(s.Open), slices.Clone(s.Unsettled)
	s.Notable, s.Strip, s.Totals, s.Record = slices.Clone(s.Notable), slices.Clone(s.Strip), maps.Clone(s.Totals), s.Record.clone()
	return s
}

func (r Record) clone() Record {
	r.Runs, r.Recoveries, r.Moved, r.Active = slices.Clone(r.Runs), slices.Clone(r.Recoveries), slices.Clone(r.Moved), slices.Clone(r.Active)
	r.Errors, r.Stopped, r.Resumed, r.Unseen = slices.Clone(r.Errors), slices.Clone(r.Stopped), slices.Clone(r.Resumed), slices.Clone(r.Unseen)
	return r
}
