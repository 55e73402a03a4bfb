package schedule

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"
)

// clock shows firings as a wall clock of the zone does.
func clock(t testing.TB, firings []time.Time, zone string) []string {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, f := range firings {
		out = append(out, f.In(loc).Format("Mon 2006-01-02 15:04 -0700"))
	}
	return out
}

func TestFirings(t *testing.T) {
	tests := map[string]struct {
		expressions  []string
		zone         string
		after, until string
		limit        int
		want         []string
		truncated    bool
	}{
		"the window is open at its start and closed at its end": {
			expressions: []string{"*/10 * * * *"}, zone: "UTC", after: "2026-01-01T00:00:00Z", until: "2026-01-01T00:20:00Z", limit: 9,
			want: []string{"Thu 2026-01-01 00:10 +0000", "Thu 2026-01-01 00:20 +0000"},
		},
		"a fraction of a second after a firing is after it": {
			expressions: []string{"*/10 * * * *"}, zone: "UTC", after: "2026-01-01T00:00:00.5Z", until: "2026-01-01T00:10:00.5Z", limit: 9,
			want: []string{"Thu 2026-01-01 00:10 +0000"},
		},
		"a fraction of a second before a firing is before it": {
			expressions: []string{"*/10 * * * *"}, zone: "UTC", after: "2025-12-31T23:59:59.999999999Z", until: "2026-01-01T00:09:59.999999999Z", limit: 9,
			want: []string{"Thu 2026-01-01 00:00 +0000"},
		},
		"what several expressions name comes once, in order": {
			expressions: []string{"*/30 * * * *", "0 * * * *", "45 0 * * *"}, zone: "UTC", after: "2026-01-01T00:00:00Z", until: "2026-01-01T01:00:00Z", limit: 9,
			want: []string{"Thu 2026-01-01 00:30 +0000", "Thu 2026-01-01 00:45 +0000", "Thu 2026-01-01 01:00 +0000"},
		},
		"the limit keeps the earliest and says so": {
			expressions: []string{"* * * * *"}, zone: "UTC", after: "2026-01-01T00:00:00Z", until: "9999-01-01T00:00:00Z", limit: 2,
			want: []string{"Thu 2026-01-01 00:01 +0000", "Thu 2026-01-01 00:02 +0000"}, truncated: true,
		},
		"a limit that is just reached truncates nothing": {
			expressions: []string{"* * * * *"}, zone: "UTC", after: "2026-01-01T00:00:00Z", until: "2026-01-01T00:02:00Z", limit: 2,
			want: []string{"Thu 2026-01-01 00:01 +0000", "Thu 2026-01-01 00:02 +0000"},
		},
		"a limit of 0 only asks whether there is any": {
			expressions: []string{"* * * * *"}, zone: "UTC", after: "2026-01-01T00:00:00Z", until: "2026-01-01T00:02:00Z", limit: 0, want: []string{}, truncated: true,
		},
		"an empty window": {
			expressions: []string{"* * * * *"}, zone: "UTC", after: "2026-01-01T00:02:00Z", until: "2026-01-01T00:01:00Z", limit: 9, want: []string{},
		},
		"either day field will do when neither is a star": {
			expressions: []string{"0 5 13 * FRI"}, zone: "UTC", after: "2026-03-10T00:00:00Z", until: "2026-03-21T00:00:00Z", limit: 9,
			want: []string{"Fri 2026-03-13 05:00 +0000", "Fri 2026-03-20 05:00 +0000"},
		},
		"Europe/Berlin, spring: 02:30 does not exist on 29 March": {
			expressions: []string{"30 2 * * *"}, zone: "Europe/Berlin", after: "2026-03-27T12:00:00Z", until: "2026-03-30T12:00:00Z", limit: 9,
			want: []string{"Sat 2026-03-28 02:30 +0100", "Mon 2026-03-30 02:30 +0200"},
		},
		"Europe/Berlin, autumn: 02:30 comes twice on 25 October": {
			expressions: []string{"30 2 * * *"}, zone: "Europe/Berlin", after: "2026-10-24T12:00:00Z", until: "2026-10-26T12:00:00Z", limit: 9,
			want: []string{"Sun 2026-10-25 02:30 +0200", "Sun 2026-10-25 02:30 +0100", "Mon 2026-10-26 02:30 +0100"},
		},
		"America/New_York, spring: an hourly schedule goes on": {
			expressions: []string{"0 * * * *"}, zone: "America/New_York", after: "2026-03-08T05:30:00Z", until: "2026-03-08T08:00:00Z", limit: 9,
			want: []string{"Sun 2026-03-08 01:00 -0500", "Sun 2026-03-08 03:00 -0400", "Sun 2026-03-08 04:00 -0400"},
		},
		"America/New_York, autumn: 01:00 comes twice on 1 November": {
			expressions: []string{"0 1 * * *"}, zone: "America/New_York", after: "2026-10-31T12:00:00Z", until: "2026-11-02T12:00:00Z", limit: 9,
			want: []string{"Sun 2026-11-01 01:00 -0400", "Sun 2026-11-01 01:00 -0500", "Mon 2026-11-02 01:00 -0500"},
		},
		"Lord_Howe: robfig counts hours past a shift of 30 minutes and loses 05:00": {
			expressions: []string{"0 5 * * *"}, zone: "Australia/Lord_Howe", after: "2026-10-02T00:00:00Z", until: "2026-10-05T00:00:00Z", limit: 9,
			want: []string{"Sat 2026-10-03 05:00 +1030", "Mon 2026-10-05 05:00 +1100"},
		},
		"Beirut: robfig loses the Sunday whose midnight does not exist": {
			expressions: []string{"0 5 * * SUN"}, zone: "Asia/Beirut", after: "2026-03-20T00:00:00Z", until: "2026-04-06T00:00:00Z", limit: 9,
			want: []string{"Sun 2026-03-22 05:00 +0200", "Sun 2026-04-05 05:00 +0300"},
		},
		"Havana: robfig fires a Saturday schedule on the Sunday whose midnight does not exist": {
			expressions: []string{"0 5 * * SAT"}, zone: "America/Havana", after: "2026-03-05T00:00:00Z", until: "2026-03-15T00:00:00Z", limit: 9,
			want: []string{"Sat 2026-03-07 05:00 -0500", "Sun 2026-03-08 05:00 -0400", "Sat 2026-03-14 05:00 -0400"},
		},
		"Troll: two hours come twice": {
			expressions: []string{"0 2 * * *"}, zone: "Antarctica/Troll", after: "2026-10-24T12:00:00Z", until: "2026-10-26T12:00:00Z", limit: 9,
			want: []string{"Sun 2026-10-25 02:00 +0200", "Sun 2026-10-25 02:00 +0000", "Mon 2026-10-26 02:00 +0000"},
		},
		"Chatham: asked at 02:45, put back from 03:45, robfig answers with the past": {
			expressions: []string{"0 3 * * *"}, zone: "Pacific/Chatham", after: "2026-04-04T14:00:00Z", until: "2026-04-06T00:00:00Z", limit: 9,
			want: []string{"Sun 2026-04-05 03:00 +1245", "Mon 2026-04-06 03:00 +1245"},
		},
		"the last day of a leap year, where Go's ZoneBounds is wrong": {
			expressions: []string{"0 */8 * * *"}, zone: "America/New_York", after: "2028-12-31T00:00:00Z", until: "2029-01-01T12:00:00Z", limit: 9,
			want: []string{"Sun 2028-12-31 00:00 -0500", "Sun 2028-12-31 08:00 -0500", "Sun 2028-12-31 16:00 -0500", "Mon 2029-01-01 00:00 -0500"},
		},
		"robfig gives up after five years: 2100 is no leap year": {
			expressions: []string{"0 0 29 2 *"}, zone: "UTC", after: "2090-01-01T00:00:00Z", until: "2110-01-01T00:00:00Z", limit: 9,
			want: []string{"Fri 2092-02-29 00:00 +0000", "Wed 2096-02-29 00:00 +0000"},
		},
		"nothing fires before 2015": {
			expressions: []string{"* * * * *"}, zone: "UTC", after: "1990-01-01T00:00:00Z", until: "2014-12-31T23:59:59.9Z", limit: 9, want: []string{},
		},
		"nor in a year that is 2015 only by the zone's clock": {
			expressions: []string{"0 * * * *"}, zone: "Asia/Kolkata", after: "1990-01-01T00:00:00Z", until: "2015-01-01T00:30:00Z", limit: 9,
			want: []string{"Thu 2015-01-01 06:00 +0530"},
		},
		"a window of all time has its bounds": {
			expressions: []string{"0 0 1 1 *"}, zone: "UTC", after: "9997-06-01T00:00:00Z", until: "9999-12-31T23:59:59Z", limit: 9,
			want: []string{"Thu 9998-01-01 00:00 +0000", "Fri 9999-01-01 00:00 +0000"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := mustParse(t, tt.zone, tt.expressions...)
			firings, truncated := s.Firings(at(t, tt.after), at(t, tt.until), tt.limit)
			if diff := cmp.Diff(tt.want, clock(t, firings, tt.zone)); diff != "" || truncated != tt.truncated {
				t.Errorf("truncated %v, want %v (-want +got):\n%s", truncated, tt.truncated, diff)
			}
		})
	}
}

func TestWhatNeverFiresEndsAtOnce(t *testing.T) {
	for _, expression := range []string{"0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", ", * * * *", "* , * * *", "* * , * *", "* * * , *", "* * , * ,"} {
		for _, zone := range []string{"UTC", "America/Havana", "Africa/Casablanca"} {
			s := mustParse(t, zone, expression)
			start := at(t, "2016-01-01T00:00:00Z")
			end := at(t, "9999-01-01T00:00:00Z")
			if _, ok := s.Next(start); ok {
				t.Errorf("%v fires", s)
			}
			firings, truncated := s.Firings(start, end, 1)
			last := s.Last(end, 1, start)
			shifts := s.Shifts(start, end, 10)
			if len(firings)+len(last)+len(shifts) > 0 || truncated || s.Contains(at(t, "2026-03-31T00:00:00Z")) {
				t.Errorf("%v: firings %v, last %v, shifts %v, truncated %v", s, firings, last, shifts, truncated)
			}
		}
	}
}

func TestNothingFiresAfterTheYear9999(t *testing.T) {
	s := mustParse(t, "America/Havana", "@yearly", "* * * * *")
	last := at(t, "9999-12-31T23:59:00Z")
	if next, ok := s.Next(last.Add(-time.Second)); !ok || !next.Equal(last) {
		t.Errorf("got %v %v, want the last minute", next, ok)
	}
	if next, ok := s.Next(last); ok {
		t.Errorf("got %v", next)
	}
}

func TestNextOfATimeBefore2015IsTheFirstSince(t *testing.T) {
	s := mustParse(t, "UTC", "0 0 * * *")
	for _, after := range []string{"0001-01-01T00:00:00Z", "2011-12-30T10:00:00Z", "2014-12-31T23:59:59.5Z"} {
		if next, ok := s.Next(at(t, after)); !ok || !next.Equal(at(t, "2015-01-01T00:00:00Z")) {
			t.Errorf("after %s: %v %v", after, next, ok)
		}
	}
}

func TestTimesOutOfAllBoundsAreHarmless(t *testing.T) {
	s := mustParse(t, "America/Havana", "0 0 * * *", "*/7 3 1 1 0")
	extremes := []time.Time{
		{}, time.Unix(math.MinInt64, 0), time.Unix(math.MaxInt64, 0), time.Unix(0, math.MaxInt64),
		time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<40, 0), time.Unix(-1<<40, 0),
	}
	for _, a := range extremes {
		s.Next(a)
		s.Contains(a)
		for _, b := range extremes {
			if firings, _ := s.Firings(a, b, 3); len(firings) > 3 {
				t.Errorf("%d firings", len(firings))
			}
			if last := s.Last(a, 3, b); len(last) > 3 {
				t.Errorf("%d last firings", len(last))
			}
			s.Shifts(a, b, 3)
		}
	}
	if firings, _ := s.Firings(extremes[2], extremes[0], math.MinInt); firings != nil {
		t.Error("firings with a negative limit")
	}
}

func TestTheZeroScheduleNeverFires(t *testing.T) {
	var s Schedule
	now := at(t, "2026-01-01T00:00:00Z")
	if _, ok := s.Next(now); ok || s.Contains(now) || s.Last(now, 1, time.Time{}) != nil || len(s.Expressions()) > 0 || s.String() != "" {
		t.Error("it does")
	}
}

func TestContains(t *testing.T) {
	tests := map[string]struct {
		expression, zone, at string
		want                 bool
	}{
		"a firing":                               {"0 5 * * *", "Europe/Berlin", "2026-01-01T04:00:00Z", true},
		"not a second later":                     {"0 5 * * *", "Europe/Berlin", "2026-01-01T04:00:01Z", false},
		"not a fraction later":                   {"0 5 * * *", "Europe/Berlin", "2026-01-01T04:00:00.1Z", false},
		"the second of a repeated pair":          {"30 2 * * *", "Europe/Berlin", "2026-10-25T01:30:00Z", true},
		"not what was skipped":                   {"30 2 * * *", "Europe/Berlin", "2026-03-29T01:30:00Z", false},
		"not what robfig loses on the way":       {"0 5 * * SUN", "Asia/Beirut", "2026-03-29T02:00:00Z", false},
		"what robfig strays to":                  {"0 5 * * SAT", "America/Havana", "2026-03-08T09:00:00Z", true},
		"a month later, what it loses by a slip": {"0 0 4 * *", "Australia/Lord_Howe", "2026-11-03T13:00:00Z", false},
		"the first second of 2015":               {"* * * * *", "UTC", "2015-01-01T00:00:00Z", true},
		"not what was due before":                {"* * * * *", "UTC", "2014-12-31T23:59:00Z", false},
		"the first of two firings, hours apart":  {"0 2 * * *", "Antarctica/Troll", "2026-10-25T00:00:00Z", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := mustParse(t, tt.zone, tt.expression).Contains(at(t, tt.at)); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestLast(t *testing.T) {
	tests := map[string]struct {
		expressions      []string
		until, notBefore string
		n                int
		want             []string
	}{
		"the newest, in ascending order": {
			[]string{"0 * * * *"}, "2026-01-01T12:30:00Z", "2020-01-01T00:00:00Z", 2, []string{"Thu 2026-01-01 11:00 +0000", "Thu 2026-01-01 12:00 +0000"},
		},
		"both ends belong to it": {
			[]string{"0 * * * *"}, "2026-01-01T12:00:00Z", "2026-01-01T11:00:00Z", 9, []string{"Thu 2026-01-01 11:00 +0000", "Thu 2026-01-01 12:00 +0000"},
		},
		"a fraction past the firing leaves it out": {
			[]string{"0 * * * *"}, "2026-01-01T12:00:00.5Z", "2026-01-01T11:00:00.5Z", 9, []string{"Thu 2026-01-01 12:00 +0000"},
		},
		"rare ones are found years back": {
			[]string{"0 0 29 2 *"}, "2026-01-01T00:00:00Z", "2016-01-01T00:00:00Z", 2, []string{"Sat 2020-02-29 00:00 +0000", "Thu 2024-02-29 00:00 +0000"},
		},
		"several expressions": {
			[]string{"0 5 * * *", "0 5,6 * * *"}, "2026-01-02T00:00:00Z", "2025-01-01T00:00:00Z", 3,
			[]string{"Wed 2025-12-31 06:00 +0000", "Thu 2026-01-01 05:00 +0000", "Thu 2026-01-01 06:00 +0000"},
		},
		"down to 2015, not beyond": {
			[]string{"0 0 1 1,7 *"}, "2015-12-01T00:00:00Z", "1990-01-01T00:00:00Z", 9, []string{"Thu 2015-01-01 00:00 +0000", "Wed 2015-07-01 00:00 +0000"},
		},
		"none wanted": {[]string{"0 * * * *"}, "2026-01-01T12:30:00Z", "2020-01-01T00:00:00Z", 0, []string{}},
		"none there":  {[]string{"0 0 1 1 *"}, "2026-12-01T00:00:00Z", "2026-02-01T00:00:00Z", 5, []string{}},
		"backwards":   {[]string{"* * * * *"}, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", 5, []string{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := mustParse(t, "UTC", tt.expressions...).Last(at(t, tt.until), tt.n, at(t, tt.notBefore))
			if diff := cmp.Diff(tt.want, clock(t, got, "UTC")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLastTakesAnyNumber(t *testing.T) {
	s := mustParse(t, "Europe/Berlin", "0 5 * * *")
	until := at(t, "2026-01-01T00:00:00Z")
	all, _ := s.Firings(until.AddDate(-3, 0, 0), until, math.MaxInt)
	if got := s.Last(until, math.MaxInt, until.AddDate(-3, 0, 0).Add(time.Second)); !slices.Equal(got, all) {
		t.Errorf("%d firings, want %d", len(got), len(all))
	}
}

// robfig truncates to minutes of UTC: here it misses 00:10.
func TestAnOffsetThatIsNoWholeMinuteIsLeftToRobfig(t *testing.T) {
	local := time.FixedZone("odd", 90)
	s, err := Parse([]string{"*/10 * * * *"}, "", local)
	if err != nil {
		t.Fatal(err)
	}
	original, err := cron.ParseStandard("*/10 * * * *")
	if err != nil {
		t.Fatal(err)
	}
	after := time.Date(2026, 1, 1, 0, 5, 30, 0, local)
	var want []time.Time
	for next := original.Next(after); len(want) < 20; next = original.Next(next) {
		want = append(want, next.UTC())
	}
	got, _ := s.Firings(after, after.AddDate(1, 0, 0), 20)
	if diff := cmp.Diff(want, got); diff != "" || got[0].In(local).Minute() == 10 {
		t.Errorf("(-robfig +here):\n%s", diff)
	}
}
