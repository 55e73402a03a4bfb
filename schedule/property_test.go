package schedule

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// drawSchedule draws one to three expressions and a zone.
func drawSchedule(t *rapid.T) (Schedule, []string, *time.Location) {
	loc := drawZone(t)
	expressions := rapid.SliceOfN(rapid.Custom(drawExpression), 1, 3).Draw(t, "expressions")
	s, err := Parse(expressions, loc.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, expressions, loc
}

func drawWindow(t *rapid.T, loc *time.Location) (after, until time.Time) {
	after = drawInstant(t, loc)
	unit := rapid.SampledFrom([]time.Duration{17 * 24 * time.Hour, 25 * time.Hour, time.Hour, time.Minute, time.Nanosecond}).Draw(t, "unit")
	return after, after.Add(unit * time.Duration(rapid.IntRange(0, 60).Draw(t, "window")))
}

func TestFiringsAreThoseOfIteratingRobfigsNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, expressions, loc := drawSchedule(t)
		after, until := drawWindow(t, loc)
		limit := rapid.SampledFrom([]int{0, 1, 7, 300}).Draw(t, "limit")

		want := robfigsMerged(t, expressions, loc, after, until, limit)
		wantTruncated := len(want) > limit
		want = want[:min(limit, len(want))]

		got, truncated := s.Firings(after, until, limit)
		if len(want) == 0 {
			want = nil
		}
		if diff := cmp.Diff(want, got); diff != "" || truncated != wantTruncated {
			t.Errorf("%v after %v until %v: truncated %v, want %v; (-robfig +here):\n%s", s, after, until, truncated, wantTruncated, diff)
		}
	})
}

func TestNextIsRobfigsNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc := drawZone(t)
		expression := drawExpression(t)
		s, err := Parse([]string{expression}, loc.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		after := drawInstant(t, loc)
		want := robfigs(t, expression, loc, after, at2100, 0)
		got, ok := s.Next(after)
		if ok != (len(want) > 0) || ok && !got.Equal(want[0]) {
			t.Errorf("%v after %v: %v %v, robfig says %v", s, after, got, ok, want)
		}
	})
}

var at2100 = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// Contains and Last cannot agree with Firings from just any start, as robfig's
// answer may depend on the start: only seconds are compared of which robfig says
// the same whether asked months or one second ahead.
func TestContainsAndLastAgreeWithFirings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, _, loc := drawSchedule(t)
		after := drawInstant(t, loc).Truncate(time.Second)
		until := after.Add(time.Duration(rapid.IntRange(0, 120).Draw(t, "window")) * time.Hour)
		n := rapid.SampledFrom([]int{1, 3, 50}).Draw(t, "n")

		firings, _ := s.Firings(after.Add(-130*24*time.Hour), until, math.MaxInt)
		old, _ := slices.BinarySearchFunc(firings, after, time.Time.Compare)
		firings = firings[old:]
		fires := make(map[time.Time]bool)
		for _, f := range firings {
			fires[f] = true
		}
		doubtful := func(at time.Time) bool {
			direct, ok := s.Next(at.Add(-time.Second))
			return fires[at] != (ok && direct.Equal(at))
		}

		around := make(map[time.Time]bool)
		for _, f := range firings[max(0, len(firings)-2):] {
			for _, d := range []time.Duration{-time.Hour, -time.Second, 0, 30 * time.Minute} {
				around[f.Add(d)] = true
			}
		}
		for at := range around {
			if at.Before(after) || at.After(until) || doubtful(at) {
				continue
			}
			if s.Contains(at) != fires[at] {
				t.Errorf("%v at %v: Firings %v, Contains %v", s, at, fires[at], s.Contains(at))
			}
			if s.Contains(at.Add(time.Nanosecond)) {
				t.Errorf("%v contains a fraction of a second", s)
			}
		}

		want := firings[max(0, len(firings)-n):]
		got := s.Last(until, n, after)
		for _, f := range slices.Concat(want, got) {
			if doubtful(f) {
				t.Skip("depends on the start")
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%v until %v, newest %d, not before %v (-Firings +Last):\n%s", s, until, n, after, diff)
		}
	})
}

func TestShiftsAreWhatTheirKindSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, _, loc := drawSchedule(t)
		after, until := drawWindow(t, loc)
		shifts := s.Shifts(after, until, 50)
		if len(shifts) > 50 {
			t.Errorf("%d shifts, limit 50", len(shifts))
		}
		for i, shift := range shifts {
			if !shift.At.After(after) || shift.At.After(until) || i > 0 && shift.At.Before(shifts[i-1].At) {
				t.Errorf("%v: out of the window or of order: %+v", s, shift)
			}
			if (shift.Kind == Skipped) != shift.Firing.IsZero() {
				t.Errorf("%v: only Repeated and Stray have a firing: %+v", s, shift)
			}
			if shift.Kind != Skipped && shift.Firing.In(loc).Format("2006-01-02 15:04") != shift.LocalTime {
				t.Errorf("%v: the clock does not show that: %+v", s, shift)
			}
		}
	})
}
