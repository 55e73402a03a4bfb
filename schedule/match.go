package schedule

import (
	"math/bits"
	"time"

	"github.com/robfig/cron/v3"
)

const daySeconds = 24 * 3600

type verdict int

const (
	unclear verdict = iota // a transition is too near
	found
	none
)

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
		} else if names(s, day, weekday) {
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

// names says whether the day fields name the day. A star names every day, so it
// leaves the choice to the other field; where both choose, either will do
// (crontab(5)).
func names(s *cron.SpecSchedule, day, weekday int) bool {
	inMonth, inWeek := s.Dom>>day&1, s.Dow>>weekday&1
	switch {
	case s.Dom&starBit != 0:
		return inWeek == 1
	case s.Dow&starBit != 0:
		return inMonth == 1
	default:
		return inMonth|inWeek == 1
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
