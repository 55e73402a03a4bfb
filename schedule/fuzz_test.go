package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/robfig/cron/v3"
)

// robfigParse is what Argo asks robfig for; a panic is an error.
func robfigParse(expression, timezone string) (parsed cron.Schedule, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if timezone != "" {
		expression = "CRON_TZ=" + timezone + " " + expression
	}
	return cron.ParseStandard(expression)
}

// containsAgrees compares Contains with the firings from well before on, unless robfig itself answers otherwise from a second ahead.
func containsAgrees(t *testing.T, s Schedule, at time.Time) {
	t.Helper()
	const ahead, most = 130 * 24 * time.Hour, 130 * 24 * 60 * 2
	all, _ := s.Firings(at.Add(-ahead), at, most)
	fires := slices.ContainsFunc(all[max(0, len(all)-1):], at.Equal)
	direct, ok := s.Next(at.Add(-time.Second))
	if fires == (ok && direct.Equal(at)) && s.Contains(at) != fires {
		t.Errorf("%v at %v: Firings %v, Contains %v", s, at, fires, s.Contains(at))
	}
}

// FuzzParse: whatever the expression and the zone, Parse takes what robfig takes, and the firings are those of iterating robfig's Next,
// ascending and inside the window; Contains, Next, Last and Shifts agree with them and keep their limits; and it takes no time.

func FuzzParse(f *testing.F) {
	for _, e := range []string{
		"* * * * *", "30 2 * * *", "0 0 31 2 *", ", * * * *", "*/7,3-9/2 ? 1,15 JAN-mar mon", "@daily", "@yearly", "@every 90m",
		"TZ=UTC", "TZ=UTC ", "CRON_TZ=", "CRON_TZ= ", "CRON_TZ=Asia/Tokyo", "CRON_TZ=Asia/Tokyo 0 5 * * *", "CRON_TZ=Asia/Tokyo @daily", "TZ=Local @hourly",
		"TZ=\x00 * * * * *", "TZ=UTC\t* * * * *", "@every -1s", "@every 0s", "@every 1ns", "@every 2562047h47m16.854775807s", "@every", "@",
		"0-59/9223372036854775807 * * * *", "*/18446744073709551616 * * * *", "-1 * * * *", "1-2-3 * * * *", "1/2/3 * * * *",
		strings.Repeat("1,", 10_000) + "1 * * * *", strings.Repeat("* ", 10_000), "\xff\xfe * * * *",
	} {
		f.Add(e, "", int64(1_774_746_000), int64(daySeconds))
		f.Add(e, "America/Havana", int64(1_772_900_000), int64(20*daySeconds))
		f.Add(e, "America/Asuncion", int64(1_505_000_000), int64(40*daySeconds))
	}
	f.Add("0 5 * * *", "Europe/Berlin ", int64(-62135596800), int64(1))
	f.Add("0 5 * * *", strings.Repeat("A", 10_000), int64(0), int64(1))
	f.Add("@yearly", "Asia/Tokyo", int64(253_402_300_798), int64(daySeconds))
	f.Fuzz(func(t *testing.T, expression, timezone string, from, length int64) {
		hung := time.AfterFunc(5*time.Second, func() {
			panic(fmt.Sprintf("%q in %q from %d for %d takes more than 5s", expression, timezone, from, length))
		})
		defer hung.Stop()
		s, err := Parse([]string{expression, expression}, timezone, nil)
		parsed, refused := robfigParse(expression, timezone)
		if (err == nil) != (refused == nil) && strings.TrimSpace(expression) != "" {
			t.Errorf("%q in %q: %v, robfig says %v", expression, timezone, err, refused)
		}
		if err != nil {
			if len(err.Error()) > 1500 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
			return
		}
		after := time.Unix(from, length%1000)
		until := after.Add(time.Duration(length%(1<<32)) * time.Second)
		const limit = 50
		firings, truncated := s.Firings(after, until, limit)
		if len(firings) > limit || truncated && len(firings) < limit {
			t.Errorf("%d firings, truncated %v, limit %d", len(firings), truncated, limit)
		}
		for i, at := range firings {
			if !at.After(after) || at.After(until) || i > 0 && !at.After(firings[i-1]) || at.Location() != time.UTC || at.Nanosecond() != 0 {
				t.Errorf("%q in %q: firing %v is out of order or of the window (%v, %v]", expression, timezone, at, after, until)
			}
		}
		next, ok := s.Next(after)
		if ok && !next.After(after) || len(firings) > 0 && (!ok || !next.Equal(firings[0])) {
			t.Errorf("%q in %q after %v: next is %v %v, firings %v", expression, timezone, after, next, ok, firings)
		}
		if original, ok := parsed.(*cron.SpecSchedule); ok && s.specs[0].fires() && !after.Before(at(t, "2015-01-01T00:00:00Z")) && !until.After(at(t, "9999-01-01T00:00:00Z")) {
			if original.Location == time.Local {
				original.Location = time.UTC // that of Argo's controller, by default
			}
			want := iterate(original, after, until, limit)
			if diff := cmp.Diff(want[:min(limit, len(want))], firings, cmpopts.EquateEmpty()); diff != "" || truncated != (len(want) > limit) {
				t.Errorf("%q in %q after %v until %v: truncated %v; (-robfig +here):\n%s", expression, timezone, after, until, truncated, diff)
			}
		}
		if n := len(firings); n > 0 {
			containsAgrees(t, s, firings[0])
			containsAgrees(t, s, firings[n-1].Add(time.Second))
		}
		if last := s.Last(until, limit, after); len(last) > limit {
			t.Errorf("%d last firings, limit %d", len(last), limit)
		}
		if shifts := s.Shifts(after, until, limit); len(shifts) > limit {
			t.Errorf("%d shifts, limit %d", len(shifts), limit)
		}
	})
}
