package schedule

import (
	"strings"
	"testing"
	"time"
)

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
		started := time.Now()
		s, err := Parse([]string{expression, expression}, timezone, nil)
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
		s.Contains(after)
		if last := s.Last(until, limit, after); len(last) > limit {
			t.Errorf("%d last firings, limit %d", len(last), limit)
		}
		if shifts := s.Shifts(after, until, limit); len(shifts) > limit {
			t.Errorf("%d shifts, limit %d", len(shifts), limit)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%q in %q from %d for %d took %v", expression, timezone, from, length, took)
		}
	})
}
