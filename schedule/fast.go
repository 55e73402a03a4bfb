package schedule

import (
	"math"
	"math/bits"
	"time"

	"github.com/robfig/cron/v3"
)

// Firings are handled as Unix seconds; these bound what can be one. A year of
// five digits cannot be written in RFC 3339, which is what Kubernetes stores.
var (
	minUnix = time.Time{}.Unix()
	maxUnix = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
)

// margin is the distance from a zone transition, in seconds, beyond which the
// shortcut may be taken. No zone was ever moved by more than 24 hours, and none
// is over 16 hours from UTC: in that distance time.Date cannot pick the offset
// of the far side.
const margin = 42 * 3600

// cursor walks over the firings of one expression. It remembers the stretch of
// constant offset it is in, so it is for one goroutine.
type cursor struct {
	spec       *cron.SpecSchedule
	loc        *time.Location
	start, end int64 // the stretch is [start, end)
	offset     int64 // seconds east of UTC in the stretch
	stuck      bool  // robfig would not have returned

	// midnight is that of the latest firing, in seconds of local time, when the
	// shortcut found it: the day is known to match. 0 when there is none.
	midnight int64
}

func newCursor(s *spec) *cursor {
	return &cursor{spec: s.cron, loc: s.Location}
}

// next is the first firing after the second given, false when robfig finds none
// within five years.
func (c *cursor) next(after int64) (int64, bool) {
	if after >= maxUnix {
		return 0, false
	}
	from := max(after+1, minUnix)
	if at, ok := c.sameDay(from); ok {
		return at, true
	}
	c.enter(from)
	c.midnight = 0
	if at, verdict := c.shortcut(from); verdict != unclear {
		if verdict == found {
			c.midnight = at + c.offset - mod(at+c.offset, daySeconds)
		}
		return at, verdict == found
	}
	at := from - 1
	for range maxReturns {
		t, ok, stuck := robfigNext(c.spec, c.loc, time.Unix(at+1, 0))
		c.stuck = c.stuck || stuck
		if at = t.Unix(); !ok || at > maxUnix {
			return 0, false
		}
		if at >= from {
			return at, true
		}
	}
	// Going round in circles, as the original would for ever.
	c.stuck = true
	if at, verdict := firstMatch(c.spec, from, c.offset, c.end-1); verdict == found {
		return at, true
	}
	if c.end == math.MaxInt64 {
		return 0, false
	}
	return c.next(c.end - 1)
}

// Where clocks are put back by more than an hour (Antarctica/Troll, two hours)
// robfig, asked in the repeated stretch, truncates to the first pass of it and
// answers with a time in the past. Going on from there leads out again, save
// where a whole day is repeated (Pacific/Kwajalein 1969).
const maxReturns = 8

// enter loads the stretch of constant offset around t.
func (c *cursor) enter(t int64) {
	if c.start <= t && t < c.end {
		return
	}
	at := time.Unix(t, 0).In(c.loc)
	start, end := at.ZoneBounds()
	_, offset := at.Zone()
	c.start, c.end, c.offset = math.MinInt64, math.MaxInt64, int64(offset)
	if !start.IsZero() {
		c.start = start.Unix()
	}
	if !end.IsZero() {
		c.end = end.Unix()
	}
}

type verdict int

const (
	unclear verdict = iota // a transition is too near
	found
	none
)

// shortcut answers without robfig's algorithm where that does nothing but find
// the first matching wall-clock minute: when all it looks at, from the start of
// the day (or of the month, when the month does not match) to the answer, is
// far from any transition.
func (c *cursor) shortcut(from int64) (int64, verdict) {
	if c.offset%60 != 0 {
		return 0, unclear // robfig truncates to minutes of UTC
	}
	local := from + c.offset
	lookedAt := local - mod(local, daySeconds)
	if _, month, day := civil(lookedAt); 1<<uint(month)&c.spec.Month == 0 {
		lookedAt -= int64(day-1) * daySeconds
	}
	if c.start != math.MinInt64 && lookedAt-c.offset < c.start+margin {
		return 0, unclear
	}
	return firstMatch(c.spec, from, c.offset, c.last())
}

const daySeconds = 24 * 3600

// sameDay answers within the day of the latest firing.
func (c *cursor) sameDay(from int64) (int64, bool) {
	since := from + c.offset - c.midnight
	if c.midnight == 0 || since < 0 || since > daySeconds-60 {
		return 0, false
	}
	minute, ok := firstMinute(c.spec, int(since+59)/60)
	at := c.midnight + int64(minute)*60 - c.offset
	return at, ok && at <= c.last()
}

// last is the last second that the shortcut may answer.
func (c *cursor) last() int64 {
	if c.end == math.MaxInt64 {
		return math.MaxInt64
	}
	return c.end - margin
}

// firstMatch is the first second at or after from at which the clock, offset
// seconds east of UTC, shows a time that the expression names: unclear when
// that would be after last, none when there is none in this year and the next
// five.
func firstMatch(s *cron.SpecSchedule, from, offset, last int64) (int64, verdict) {
	local := from + offset
	midnight := local - mod(local, daySeconds)
	minute := int(local-midnight+59) / 60 // 1440 in the last seconds of a day
	year, month, day := civil(midnight)
	firstYear := year
	weekday := int(mod(midnight/daySeconds+4, 7)) // 1970-01-01 was a Thursday
	for {
		if midnight-offset > last {
			return 0, unclear
		}
		if year > firstYear+5 {
			return 0, none
		}
		length := monthLength(year, month)
		skip := 1
		if 1<<uint(month)&s.Month == 0 {
			skip = length - day + 1
		} else if dayMatches(s, day, time.Weekday(weekday)) {
			if m, ok := firstMinute(s, minute); ok {
				at := midnight + int64(m)*60 - offset
				if at > last {
					return 0, unclear
				}
				return at, found
			}
		}
		minute = 0
		midnight += int64(skip) * daySeconds
		weekday = (weekday + skip) % 7
		if day += skip; day > length {
			day = 1
			if month++; month > time.December {
				month = time.January
				year++
			}
		}
	}
}

// firstMinute is the first minute of the day, from the given one on, that the
// minute and hour fields name.
func firstMinute(s *cron.SpecSchedule, from int) (int, bool) {
	hour, minute := from/60, from%60 // hour 24 has no bit, nor is there any above
	if 1<<uint(hour)&s.Hour != 0 {
		if rest := s.Minute & minuteMask >> uint(minute) << uint(minute); rest != 0 {
			return hour*60 + bits.TrailingZeros64(rest), true
		}
	}
	hours := s.Hour & hourMask >> uint(hour+1) << uint(hour+1)
	if hours == 0 {
		return 0, false
	}
	return bits.TrailingZeros64(hours)*60 + bits.TrailingZeros64(s.Minute), true
}

// civil is the date of a second of local time.
func civil(local int64) (year int, month time.Month, day int) {
	return time.Unix(local, 0).UTC().Date()
}

func monthLength(year int, month time.Month) int {
	switch month {
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case time.April, time.June, time.September, time.November:
		return 30
	default:
		return 31
	}
}

// mod is the remainder that is never negative.
func mod(a, b int64) int64 { return ((a % b) + b) % b }
