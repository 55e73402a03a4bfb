package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	length := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 24 * time.Hour, 30 * 24 * time.Hour, 3 * 366 * 24 * time.Hour}).Draw(t, "length")
	return after, after.Add(time.Duration(rapid.Int64Range(0, int64(length)).Draw(t, "window")))
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
// answer may depend on the start: where the iteration comes to another result
// than asking a second before does, there is nothing to agree with.
func TestContainsAndLastAgreeWithFirings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, _, loc := drawSchedule(t)
		after, until := drawWindow(t, loc)
		n := rapid.SampledFrom([]int{1, 3, 50}).Draw(t, "n")
		const enough = 20_000
		firings, truncated := s.Firings(after.Add(-100*24*time.Hour), until, enough)
		if truncated {
			t.Skip("too many")
		}
		var inWindow []time.Time
		for _, f := range firings {
			if f.Before(after) {
				continue
			}
			if !surely(s, f) {
				t.Skip("depends on the start")
			}
			inWindow = append(inWindow, f)
		}
		for i, f := range inWindow {
			if i > 50 {
				break
			}
			if !s.Contains(f) {
				t.Errorf("%v: Firings has %v, Contains has not", s, f)
			}
			if s.Contains(f.Add(time.Nanosecond)) {
				t.Errorf("%v contains a fraction of a second", s)
			}
			if g := f.Add(time.Minute); !g.After(until) && s.Contains(g) && (i+1 >= len(inWindow) || !inWindow[i+1].Equal(g)) && surely(s, g) {
				t.Errorf("%v: Contains has %v, Firings has not", s, g)
			}
		}
		want := inWindow[max(0, len(inWindow)-n):]
		got := s.Last(until, n, after)
		if len(want) == 0 && len(got) == 0 {
			return
		}
		for _, f := range got {
			if !surely(s, f) {
				t.Skip("depends on the start")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v until %v, newest %d, not before %v (-Firings +Last):\n%s", s, until, n, after, diff)
		}
	})
}

// surely says whether some expression fires at f whatever the start.
func surely(s Schedule, f time.Time) bool {
	for i := range s.specs {
		sp := &s.specs[i]
		if !sp.fires() {
			continue
		}
		one := Schedule{specs: s.specs[i : i+1]}
		direct, ok := one.Next(f.Add(-time.Second))
		if ok && direct.Equal(f) {
			old, _ := one.Firings(f.Add(-400*24*time.Hour), f, 1_000_000)
			if len(old) > 0 && old[len(old)-1].Equal(f) {
				return true
			}
		}
	}
	return false
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
