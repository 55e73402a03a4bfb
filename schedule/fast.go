package schedule

import (
	"math"
	"time"

	"github.com/robfig/cron/v3"
)

// Firings are handled as Unix seconds; these bound what can be one, both
// included. No CronWorkflow is as old as the earliest, and robfig would search
// for ever in some zones before (see Bounds in the package's documentation). A
// year of five digits cannot be written in RFC 3339, which is what Kubernetes
// stores.
var (
	earliest = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
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
	if after >= latest {
		return 0, false
	}
	at, ok := c.search(max(after+1, earliest))
	return at, ok && at <= latest
}

// search is the first firing at or after from.
func (c *cursor) search(from int64) (int64, bool) {
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
	next := c.spec.Next(time.Unix(c.askAt(from)-1, 0).In(c.loc))
	if at := next.Unix(); next.IsZero() || at >= from {
		return at, !next.IsZero()
	}
	// robfig answers with the past. Pacific/Chatham puts its clocks back from 3:45
	// to 2:45; asked in the second pass of 2:45, robfig goes back to the whole
	// hour, 2:00, and takes the 3:00 of the first pass. The second is to come.
	at, verdict := firstMatch(c.spec, from, c.offset, c.end-1)
	return at, verdict == found
}

// askAt is where robfig may start instead of at from, to the same answer. It
// tries the seconds one after the other until it meets the next whole minute:
// from the last one of the minute that is quicker.
func (c *cursor) askAt(from int64) int64 {
	second := mod(from, 60)
	lastOne := from - second + 59
	if second == 0 || c.offset%60 != 0 || lastOne >= c.end {
		return from
	}
	return lastOne
}

// enter loads the stretch of constant offset around t.
func (c *cursor) enter(t int64) {
	if c.start <= t && t < c.end {
		return
	}
	c.start, c.end, c.offset = stretch(c.loc, t)
}

// shortcut answers without asking robfig where that does nothing but find
// the first matching wall-clock minute: when all it looks at, from the start of
// the day (or of the month, when the month does not match) to the answer, is
// far from any transition.
func (c *cursor) shortcut(from int64) (int64, verdict) {
	if c.offset%60 != 0 {
		return 0, unclear // a fixed zone's, say: robfig truncates to minutes of UTC
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
