package schedule

import (
	"math"
	"time"
)

// stretch is the time around t, [start, end) in Unix seconds, in which the zone
// keeps one offset, in seconds east of UTC. math.MinInt64 and math.MaxInt64
// stand for no start and no end.
//
// Time.ZoneBounds alone will not do: past the transitions that a zone lists one
// by one (for most, today) it also gives the turn of the year as a bound, though
// nothing changes there, and on 31 December of leap years an end that is not
// after t (golang/go#81583).
func stretch(loc *time.Location, t int64) (start, end, offset int64) {
	start, end, offset = zoneBounds(loc, t)
	for range maxJoined {
		if start == math.MinInt64 {
			break
		}
		before, _, same := zoneBounds(loc, start-1)
		if same != offset {
			break
		}
		start = before
	}
	for range maxJoined {
		if end == math.MaxInt64 {
			break
		}
		_, after, same := zoneBounds(loc, end)
		if same != offset {
			break
		}
		end = after
	}
	return start, end, offset
}

// maxJoined bounds how many neighbours of the same offset are joined. A bound
// at which nothing changes is harmless otherwise.
const maxJoined = 3

func zoneBounds(loc *time.Location, t int64) (start, end, offset int64) {
	at := time.Unix(t, 0).In(loc)
	from, to := at.ZoneBounds()
	_, east := at.Zone()
	start, end = math.MinInt64, math.MaxInt64
	if !from.IsZero() {
		start = from.Unix()
	}
	if !to.IsZero() {
		end = to.Unix()
		if end <= t {
			end = t - mod(t, daySeconds) + daySeconds // the turn of the year
		}
	}
	return start, end, int64(east)
}
