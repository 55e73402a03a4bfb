package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// ShiftKind says what a zone transition does to an expression.
type ShiftKind int

const (
	// Skipped: the expression names a wall-clock time at which nothing fires,
	// nor at the same instant under its new name. Mostly the clock never shows
	// it; but robfig also loses firings later on the day of a transition, and on
	// the next (Asia/Beirut, Australia/Lord_Howe).
	Skipped ShiftKind = iota + 1
	// Repeated: the clock shows a wall-clock time twice, and the expression
	// fires both times.
	Repeated
	// Stray: robfig fires at a wall-clock time that the expression does not name
	// (America/Havana: a schedule for Saturdays, on the Sunday that has no
	// midnight). Whether Argo does depends on when it last registered the
	// schedule: do not rely on either.
	Stray
)

// String is the kind as users see it.
func (k ShiftKind) String() string {
	switch k {
	case Skipped:
		return "Skipped"
	case Repeated:
		return "Repeated"
	case Stray:
		return "Stray"
	default:
		return fmt.Sprintf("ShiftKind(%d)", int(k))
	}
}

// Shift is one thing that one zone transition does to one expression.
type Shift struct {
	// At is the instant of the transition, in UTC.
	At time.Time
	// Zone is the name of the zone that changes.
	Zone string
	Kind ShiftKind
	// Expression is the text of the expression.
	Expression string
	// LocalTime is the wall-clock time concerned, "2026-03-29 02:30".
	LocalTime string
	// Firing is the second firing of a Repeated time and the firing of a Stray
	// one, in UTC; zero when Skipped.
	Firing time.Time
}

const (
	// maxTransitions bounds how many transitions Shifts looks at for one
	// expression: over a hundred years of daylight saving.
	maxTransitions = 256
	// shiftReach is how long after a transition, in seconds, robfig's walk by
	// the hour may still be out of step.
	shiftReach = 26 * 3600
)

// Shifts returns what the zone transitions in (after, until] do to the
// schedule, by transition, then by wall-clock time: at most limit entries, the
// earliest. It looks at the first 256 transitions of the window since
// 2015-01-01T00:00:00Z.
//
// Every transition counts that moves the clock, also that of a country that
// changes its zone. An hourly schedule is neither skipped nor repeated by an
// hour's shift: it fires every hour. Expressions in UTC and @every have no
// shifts.
//
// What the expression names is computed by arithmetic, in the offset before and
// the offset after the transition, and compared with what robfig fires.
func (s Schedule) Shifts(after, until time.Time, limit int) []Shift {
	if limit <= 0 {
		return nil
	}
	var all []Shift
	for i := range s.specs {
		if sp := &s.specs[i]; sp.fires() {
			all = append(all, sp.shifts(floor(after), floor(until), limit)...)
		}
	}
	slices.SortStableFunc(all, func(a, b Shift) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.LocalTime, b.LocalTime), cmp.Compare(a.Kind, b.Kind), a.Firing.Compare(b.Firing))
	})
	return all[:min(limit, len(all))]
}

func (s *spec) shifts(after, until int64, limit int) []Shift {
	var out []Shift
	_, at, before := stretch(s.Location, after)
	for seen := 0; at <= until && seen < maxTransitions && len(out) < limit; {
		_, end, offset := stretch(s.Location, at)
		if offset != before {
			out = append(out, s.shiftsAt(transition{at: at, before: before, after: offset, until: min(end, at+shiftReach)})...)
			seen++
		}
		at, before = end, offset
	}
	return out
}

// transition is one change of a zone's offset, in seconds.
type transition struct {
	at            int64
	before, after int64 // offsets east of UTC
	until         int64 // how far its effects are looked for; the next transition at most
}

// shiftsAt is what a transition does:
//
//	the expression names, by arithmetic        robfig fires   it is
//	a time left out (offset before)            not            Skipped
//	a time after the transition                not            Skipped, unless its first pass fired
//	a time that comes twice                    both times     Repeated, unless it is hourly
//	nothing                                    nevertheless   Stray
func (s *spec) shiftsAt(tr transition) []Shift {
	gap, overlap := max(tr.after-tr.before, 0), max(tr.before-tr.after, 0)
	fired := s.firedAround(tr.at, tr.at-overlap, tr.until)

	var out []Shift
	add := func(kind ShiftKind, local int64, firing time.Time) {
		out = append(out, Shift{
			At: time.Unix(tr.at, 0).UTC(), Zone: s.Location.String(), Kind: kind, Expression: s.Text,
			LocalTime: time.Unix(local, 0).UTC().Format("2006-01-02 15:04"), Firing: firing,
		})
	}
	for u := range s.named(tr.before, tr.at, min(tr.at+gap, tr.until)) {
		if !fired[u] {
			add(Skipped, u+tr.before, time.Time{})
		}
	}
	named := make(map[int64]bool)
	for u := range s.named(tr.after, tr.at, tr.until) {
		named[u] = true
		secondPass := u < tr.at+overlap
		switch {
		case !fired[u]:
			if !secondPass || !fired[u-overlap] {
				add(Skipped, u+tr.after, time.Time{})
			}
		case secondPass && fired[u-overlap] && !s.goesOn(u, tr.before):
			add(Repeated, u+tr.after, time.Unix(u, 0).UTC())
		}
	}
	for u := range fired {
		if u >= tr.at && !named[u] {
			add(Stray, u+tr.after, time.Unix(u, 0).UTC())
		}
	}
	return out
}

// goesOn says whether a second firing is that of an hourly schedule, which
// would have fired at that instant without the transition as well.
func (s *spec) goesOn(u, before int64) bool {
	if !s.everyHour() {
		return false
	}
	at, verdict := firstMatch(s.cron, u, before, u)
	return verdict == found && at == u
}

// named yields the instants in [from, to) that the expression names on a clock
// that stays offset seconds east of UTC.
func (s *spec) named(offset, from, to int64) func(func(int64) bool) {
	return func(yield func(int64) bool) {
		for {
			at, verdict := firstMatch(s.cron, from, offset, to-1)
			if verdict != found || !yield(at) {
				return
			}
			from = at + 1
		}
	}
}

// firedAround is the set of firings in [from, to), around the transition.
func (s *spec) firedAround(transition, from, to int64) map[int64]bool {
	out := make(map[int64]bool)
	c := newCursor(s)
	for at, ok := c.next(s.lead(transition)); ok && at < to; at, ok = c.next(at) {
		if at >= from {
			out[at] = true
		}
	}
	return out
}
