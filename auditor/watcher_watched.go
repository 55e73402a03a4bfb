package auditor

import (
	"fmt"
	"slices"
	"time"
)

// watched is what a Watcher keeps of one CronWorkflow, or only of its name.
type watched struct {
	*Watcher
	key Key
	// present says that it exists; live that the Watcher follows it: everything there is has been shown.
	present, live bool
	cw            CronWorkflow // as last seen, with the epochs seen so far
	entered       time.Time    // since when the Watcher follows it
	known         bool         // there was a record of it then
	seenAt        time.Time    // when it was last seen
	unchanged     time.Time    // when a look last found it as it was seen
	runs          map[string]*seenRun
	gone          []Run // deleted runs that verdicts may rest on
	record        Record
	earlier       []Stretch // coverage from before this Watcher
	counting      counting
	notedLast     time.Time // the lastScheduledTime that was last taken in
	edits         edits

	// opts, parsed and err follow from cw.
	opts   Options
	parsed []epoch
	err    error

	verdicts
	place int // in the queue
	wake  time.Time
	// dirty says that something was seen that a look should answer; changed that the state has changed since the last one.
	dirty, changed bool
	said           error // the last err that a Judgement had
}

type seenRun struct {
	Run
	counted bool // in counting
}

func newWatched(w *Watcher, key Key) *watched {
	return &watched{Watcher: w, key: key, runs: map[string]*seenRun{}, opts: w.opts, place: -1, verdicts: verdicts{totals: map[Verdict]int64{}}}
}

// enter begins to follow a CronWorkflow.
func (h *watched) enter(cw CronWorkflow, now time.Time) {
	h.live, h.entered = true, now
	h.see(cw, now)
	for _, run := range h.runs {
		run.counted = run.Finished()
	}
	h.counting.accounted = h.counted()
	h.start()
	h.noteRuns()
	if s, ok := h.resumed[h.key]; ok && s.UID == cw.UID {
		delete(h.resumed, h.key)
		h.known = true
		h.resume(s)
	}
}

// start chooses where the roll begins of a CronWorkflow that has none yet: at its creation where the Watcher was there, else as
// far back as a firing that did not run can still be saved, and is certain not to have run.
func (h *watched) start() {
	began, created := h.watchedSince(), h.cw.CreatedAt
	h.cursor = began
	if created.Before(began) && len(h.parsed) > 0 {
		r := rollOf(h.input(began, true), h.parsed, began, h.opts)
		if d := r.deadline(r.current().spec); d > 0 {
			back := later(began.Add(-d), later(r.horizon.from, r.lastByArgo()))
			h.cursor = earlier(began, later(created, back))
		}
	}
	h.since = h.cursor
	h.findNext()
}

// watchedSince is since when the Watcher has followed it without a gap.
func (h *watched) watchedSince() time.Time {
	from := h.Watcher.coverage[len(h.Watcher.coverage)-1].From
	if h.cw.CreatedAt.After(from) && !h.known {
		return h.cw.CreatedAt
	}
	return later(from, h.entered)
}

// coverage are the stretches in which somebody watched it, ascending; the last one is open and lasts until now, or until a time that is given
// in its place.
func (h *watched) coverage(now time.Time) []Stretch {
	all := slices.Clone(h.earlier)
	born := h.cw.CreatedAt
	for i, s := range h.Watcher.coverage {
		if i == len(h.Watcher.coverage)-1 {
			s.To = now
			for _, since := range []time.Time{h.blindSince(h.key.Namespace), h.silent[h.key.Namespace]} {
				if !since.IsZero() {
					s.To = earlier(s.To, since)
				}
			}
		}
		if !born.After(s.From) || h.known { // one that was born in between was seen from its birth on, unless it is begun anew
			s.From = later(s.From, h.entered)
		}
		if !s.From.After(s.To) {
			all = append(all, s)
		}
	}
	return union(all)
}

// union joins stretches that overlap, and keeps the newest.
func union(all []Stretch) []Stretch {
	slices.SortFunc(all, func(a, b Stretch) int { return a.From.Compare(b.From) })
	var joined []Stretch
	for _, s := range all {
		if n := len(joined); n > 0 && !s.From.After(joined[n-1].To) {
			joined[n-1].To = later(joined[n-1].To, s.To)
			continue
		}
		joined = append(joined, s)
	}
	return joined[max(0, len(joined)-MaxStretches):]
}

// input is the evidence for a verdict, which also rests on runs that are gone.
func (h *watched) input(now time.Time, withGone bool) Input {
	in := Input{CronWorkflow: h.cw, Record: &h.record, Coverage: h.coverage(now), Controller: *h.controller(h.cw.InstanceID)}
	in.Runs = make([]Run, 0, len(h.runs)+len(h.gone))
	for _, run := range h.runs {
		in.Runs = append(in.Runs, run.Run)
	}
	if withGone {
		in.Runs = append(in.Runs, h.gone...)
	}
	return in
}

// see takes in what the CronWorkflow is now.
func (h *watched) see(cw CronWorkflow, now time.Time) {
	before, first, seen := h.cw, h.seenAt.IsZero(), h.seenAt
	h.cw = cw
	var edited time.Time
	if n := len(cw.Epochs); n > 0 {
		seen := cw.Epochs[n-1]
		wrote := later(seen.From, later(cw.Status.WrittenAt, cw.Status.ChangedAt))
		edited = h.edits.note(seen, wrote, now, h.opts.ControllerZone)
	}
	h.seenAt = now
	if set := first || before.Settings != cw.Settings; set || !edited.IsZero() {
		h.parse()
		if before.Settings.Off && !cw.Settings.Off && !first {
			h.cursor = later(h.cursor, now)
		}
		if cw.Settings.Off {
			h.open, h.extras = nil, nil
		}
		h.rejudge(edited, set)
		if !first && !edited.IsZero() && edited.Add(timestampsLag).Before(now) {
			h.reconsider(edited) // the news is late
			h.openLate(edited)
		}
	}
	h.cw.Epochs = h.edits.epochs
	h.noteStatus(before.Status, first, now)
	if last := cw.Status.LastScheduledTime; last.After(now) && (first || h.watchedSince().After(seen)) {
		h.noteUnseen(Stretch{From: now, To: last}) // Argo's clock is ahead, and what is due only now may have run when nobody watched
	}
	if !first { // at first, what it says means nothing before the roll has a beginning
		h.noteLast()
	}
	if !before.Status.LastScheduledTime.Equal(cw.Status.LastScheduledTime) && len(h.open) > 0 {
		h.dirty = true
	}
}

// rejudge has open verdicts looked at again: all of them, or those on firings after an edit that the Watcher has only now come
// to know of.
func (h *watched) rejudge(edited time.Time, all bool) {
	for _, o := range h.open {
		if !edited.IsZero() && o.at.After(edited) {
			o.again, o.absent = true, false
		}
		o.again = o.again || all
	}
	h.findNext()
	h.changed, h.dirty = true, true
}

// parse works out what follows from the object. A CronWorkflow that cannot be judged has no epochs.
func (h *watched) parse() {
	h.cw.Epochs = h.edits.epochs
	h.opts = h.Watcher.opts.of(h.cw.Settings)
	h.parsed, h.err = nil, checkName(h.cw)
	if h.err != nil {
		return
	}
	parsed, err := readEpochs(h.cw, h.opts.ControllerZone)
	if err != nil {
		h.err = fmt.Errorf("CronWorkflow %s: %w", h.key, err)
		return
	}
	h.parsed, h.err = parsed, h.edits.refused
}

// epochAt is the epoch in effect at t; ok is false before the CronWorkflow was created.
func (h *watched) epochAt(t time.Time) (e epoch, ok bool) {
	return (&roll{epochs: h.parsed}).epochAt(t)
}

func (h *watched) grace(spec Spec) time.Duration {
	return EffectiveGrace(h.opts.Grace, EffectiveDeadline(spec, h.cw.Settings, h.opts.DefaultDeadline))
}
