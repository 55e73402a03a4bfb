package schedule

import (
	"time"

	"github.com/robfig/cron/v3"
)

// robfigNext is SpecSchedule.Next of robfig/cron v3.0.1 (spec.go, MIT licence,
// © 2012 Rob Figueiredo), step by step, so that it gives the same answer also
// where that answer is peculiar. t is the first second that may be answered.
//
// It differs from the original where the original does not end: where a zone
// leaves out a whole day (Pacific/Apia 2011-12-30) adding a day leads back to
// the day before, for ever. Here the day left out is stepped over, and stuck
// says so. The seconds are taken in one step, as ParseStandard knows only
// second 0.
func robfigNext(s *cron.SpecSchedule, loc *time.Location, t time.Time) (next time.Time, ok, stuck bool) {
	t = t.In(loc)
	added := false
	yearLimit := t.Year() + 5

wrap:
	if t.Year() > yearLimit {
		return time.Time{}, false, stuck
	}

	for 1<<uint(t.Month())&s.Month == 0 {
		if !added {
			added = true
			t = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, loc)
		}
		t = t.AddDate(0, 1, 0)
		if t.Month() == time.January {
			goto wrap
		}
	}

	for !dayMatches(s, t.Day(), t.Weekday()) {
		if !added {
			added = true
			t = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, loc)
		}
		before := t
		t = t.AddDate(0, 0, 1)
		if !t.After(before) {
			stuck = true
			t = before.Add(24 * time.Hour)
		}
		// Midnight may not exist. robfig means to land on it nevertheless; where
		// the clock showed 1:00 it goes back into the day before.
		if t.Hour() != 0 {
			if t.Hour() > 12 {
				t = t.Add(time.Duration(24-t.Hour()) * time.Hour)
			} else {
				t = t.Add(time.Duration(-t.Hour()) * time.Hour)
			}
		}
		if t.Day() == 1 {
			goto wrap
		}
	}

	for 1<<uint(t.Hour())&s.Hour == 0 {
		if !added {
			added = true
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, loc)
		}
		t = t.Add(time.Hour)
		if t.Hour() == 0 {
			goto wrap
		}
	}

	for 1<<uint(t.Minute())&s.Minute == 0 {
		if !added {
			added = true
			t = t.Truncate(time.Minute)
		}
		t = t.Add(time.Minute)
		if t.Minute() == 0 {
			goto wrap
		}
	}

	for t.Second() != 0 {
		added = true
		t = toWholeMinute(t)
		if t.Second() == 0 {
			goto wrap
		}
	}
	return t, true, stuck
}

// toWholeMinute goes to second 0, or one second on where the clock is changed
// in between.
func toWholeMinute(t time.Time) time.Time {
	next := t.Add(time.Duration(60-t.Second()) * time.Second)
	_, before := t.Zone()
	if _, after := next.Zone(); before != after {
		return t.Add(time.Second)
	}
	return next
}

// dayMatches: both day fields must match, but either will do when neither is a
// star (crontab(5)).
func dayMatches(s *cron.SpecSchedule, day int, weekday time.Weekday) bool {
	dom := 1<<uint(day)&s.Dom > 0
	dow := 1<<uint(weekday)&s.Dow > 0
	if s.Dom&starBit > 0 || s.Dow&starBit > 0 {
		return dom && dow
	}
	return dom || dow
}
