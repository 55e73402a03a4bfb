package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestShifts(t *testing.T) {
	utc := func(s string) time.Time { return at(t, s) }
	tests := map[string]struct {
		expressions []string
		zone        string
		year        int
		want        []Shift
	}{
		"a time in the gap is skipped, one in the hour that comes twice is repeated": {
			[]string{"30 2 * * *"}, "Europe/Berlin", 2026, []Shift{
				{At: utc("2026-03-29T01:00:00Z"), Zone: "Europe/Berlin", Kind: Skipped, Expression: "30 2 * * *", LocalTime: "2026-03-29 02:30"},
				{At: utc("2026-10-25T01:00:00Z"), Zone: "Europe/Berlin", Kind: Repeated, Expression: "30 2 * * *", LocalTime: "2026-10-25 02:30", Firing: utc("2026-10-25T01:30:00Z")},
			},
		},
		"likewise across the Atlantic": {
			[]string{"15 1,2 * * *"}, "America/New_York", 2026, []Shift{
				{At: utc("2026-03-08T07:00:00Z"), Zone: "America/New_York", Kind: Skipped, Expression: "15 1,2 * * *", LocalTime: "2026-03-08 02:15"},
				{At: utc("2026-11-01T06:00:00Z"), Zone: "America/New_York", Kind: Repeated, Expression: "15 1,2 * * *", LocalTime: "2026-11-01 01:15", Firing: utc("2026-11-01T06:15:00Z")},
			},
		},
		"an hourly schedule fires every hour":                    {[]string{"0 * * * *"}, "Europe/Berlin", 2026, nil},
		"so does one of every five minutes":                      {[]string{"*/5 * * * *"}, "America/New_York", 2026, nil},
		"and one that names all hours":                           {[]string{"0 0-23 * * *"}, "Europe/Berlin", 2026, nil},
		"a time that is named twice over by the gap is not lost": {[]string{"30 2,3 29 3 *"}, "Europe/Berlin", 2026, nil},
		"a time by day is untouched":                             {[]string{"0 12 * * *"}, "Europe/Berlin", 2026, nil},
		"a day that no transition falls on is untouched":         {[]string{"30 2 * * MON"}, "Europe/Berlin", 2026, nil},
		"UTC has none":   {[]string{"30 2 * * *"}, "UTC", 2026, nil},
		"nor has @every": {[]string{"@every 1h"}, "Europe/Berlin", 2026, nil},
		"a shift of half an hour: robfig's walk by the hour is out of step until it meets a whole one": {
			[]string{"0 5 * * *"}, "Australia/Lord_Howe", 2026, []Shift{
				{At: utc("2026-04-04T15:00:00Z"), Zone: "Australia/Lord_Howe", Kind: Skipped, Expression: "0 5 * * *", LocalTime: "2026-04-05 05:00"},
				{At: utc("2026-10-03T15:30:00Z"), Zone: "Australia/Lord_Howe", Kind: Skipped, Expression: "0 5 * * *", LocalTime: "2026-10-04 05:00"},
			},
		},
		"half an hour skips and repeats hourly schedules too": {
			[]string{"0 * * * *", "45 * * * *"}, "Australia/Lord_Howe", 2026, []Shift{
				{At: utc("2026-04-04T15:00:00Z"), Zone: "Australia/Lord_Howe", Kind: Repeated, Expression: "45 * * * *", LocalTime: "2026-04-05 01:45", Firing: utc("2026-04-04T15:15:00Z")},
				{At: utc("2026-10-03T15:30:00Z"), Zone: "Australia/Lord_Howe", Kind: Skipped, Expression: "0 * * * *", LocalTime: "2026-10-04 02:00"},
			},
		},
		"nothing is said of what was before 2015": {
			[]string{"0 5 * * *"}, "Pacific/Apia", 2011, nil,
		},
		"two hours at once": {
			[]string{"0 2 * * *"}, "Antarctica/Troll", 2026, []Shift{
				{At: utc("2026-03-29T01:00:00Z"), Zone: "Antarctica/Troll", Kind: Skipped, Expression: "0 2 * * *", LocalTime: "2026-03-29 02:00"},
				{At: utc("2026-10-25T01:00:00Z"), Zone: "Antarctica/Troll", Kind: Repeated, Expression: "0 2 * * *", LocalTime: "2026-10-25 02:00", Firing: utc("2026-10-25T02:00:00Z")},
			},
		},
		"a midnight that does not exist takes robfig's day with it": {
			[]string{"0 5 * * SUN"}, "Asia/Beirut", 2026, []Shift{
				{At: utc("2026-03-28T22:00:00Z"), Zone: "Asia/Beirut", Kind: Skipped, Expression: "0 5 * * SUN", LocalTime: "2026-03-29 05:00"},
			},
		},
		"or makes it stray into the day after": {
			[]string{"0 5 * * SAT"}, "America/Havana", 2026, []Shift{
				{At: utc("2026-03-08T05:00:00Z"), Zone: "America/Havana", Kind: Stray, Expression: "0 5 * * SAT", LocalTime: "2026-03-08 05:00", Firing: utc("2026-03-08T09:00:00Z")},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			after := time.Date(tt.year, 1, 1, 0, 0, 0, 0, time.UTC)
			got := mustParse(t, tt.zone, tt.expressions...).Shifts(after, time.Date(tt.year+1, 1, 1, 0, 0, 0, 0, time.UTC), 20)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestShiftsKeepToWindowAndLimit(t *testing.T) {
	s := mustParse(t, "Europe/Berlin", "*/10 2 * * *")
	transition := at(t, "2026-03-29T01:00:00Z")
	if got := s.Shifts(transition.Add(-time.Second), transition, 4); len(got) != 4 || got[3].LocalTime != "2026-03-29 02:30" {
		t.Errorf("want the earliest four of the transition at the end of the window, got %+v", got)
	}
	if got := s.Shifts(transition, transition.AddDate(0, 1, 0), 4); got != nil {
		t.Errorf("the window is open at its start, got %+v", got)
	}
	if got := s.Shifts(transition.AddDate(0, -6, 0), transition.Add(-time.Nanosecond), 9); len(got) != 6 || got[0].Kind != Repeated {
		t.Errorf("want the six of last autumn, got %+v", got)
	}
	if got := s.Shifts(time.Time{}, at(t, "9999-01-01T00:00:00Z"), 0); got != nil {
		t.Errorf("limit 0, got %+v", got)
	}
}

// Go gives 31 December as the end of what 31 December lies in (golang/go#81583).
func TestShiftsAreFoundBeyondALeapYear(t *testing.T) {
	s := mustParse(t, "America/New_York", "30 2 * * *")
	var got []string
	for _, shift := range s.Shifts(at(t, "2028-12-31T12:00:00Z"), at(t, "2034-01-01T00:00:00Z"), 9) {
		got = append(got, shift.LocalTime)
	}
	want := []string{"2029-03-11 02:30", "2030-03-10 02:30", "2031-03-09 02:30", "2032-03-14 02:30", "2033-03-13 02:30"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStretchesFollowOneAnotherAndTheirOffsetsDiffer(t *testing.T) {
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		end := at(t, "2060-01-01T00:00:00Z").Unix()
		for x := at(t, "1850-01-01T00:00:00Z").Unix(); x < end; {
			start, next, offset := stretch(loc, x)
			_, before, _ := stretch(loc, start)
			if start > x || next <= x || before != next {
				t.Fatalf("%s: the stretch around %v is [%v, %v)", zone, time.Unix(x, 0).UTC(), time.Unix(start, 0).UTC(), time.Unix(next, 0).UTC())
			}
			if _, east := time.Unix(x, 0).In(loc).Zone(); int64(east) != offset {
				t.Fatalf("%s: offset %d at %v, want %d", zone, offset, time.Unix(x, 0).UTC(), east)
			}
			if next < end {
				if _, _, other := stretch(loc, next); other == offset && next-start < 20*365*daySeconds {
					t.Errorf("%s: nothing changes at %v", zone, time.Unix(next, 0).UTC())
				}
			}
			x = next
		}
	}
}

func TestShiftKindsHaveNames(t *testing.T) {
	for kind, want := range map[ShiftKind]string{Skipped: "Skipped", Repeated: "Repeated", Stray: "Stray", 0: "ShiftKind(0)"} {
		if got := kind.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
