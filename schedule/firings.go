package schedule

import (
	"container/heap"
	"slices"
	"time"
)

// Firings returns the firings in (after, until], of all expressions together,
// ascending, in UTC and each second once. There are at most limit of them, the
// earliest; truncated says that the window holds more. Its cost grows with what
// it returns, not with what it leaves out.
//
// The result is that of iterating robfig's Next, starting from after, for every
// expression. @every expressions contribute nothing, and no firing is earlier
// than 2015-01-01T00:00:00Z.
func (s Schedule) Firings(after, until time.Time, limit int) (firings []time.Time, truncated bool) {
	last := floor(until)
	m := s.merge(func(*spec) int64 { return floor(after) })
	for {
		at, ok := m.next()
		if !ok || at > last {
			return firings, false
		}
		if len(firings) >= limit {
			return firings, true
		}
		firings = append(firings, time.Unix(at, 0).UTC())
	}
}

// Earliest is the time before which no firing is known: 2015-01-01T00:00:00Z, years before the first CronWorkflow.
func Earliest() time.Time { return time.Unix(earliest, 0).UTC() }

// Next returns the first firing strictly after the given time, in UTC; false
// when there is none within five years, where robfig gives up. No firing is
// earlier than 2015-01-01T00:00:00Z.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	m := s.merge(func(*spec) int64 { return floor(after) })
	at, ok := m.next()
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(at, 0).UTC(), true
}

// Contains says whether t is a firing. A firing is a whole second: a time with
// a fraction is none, nor is one before 2015-01-01T00:00:00Z.
func (s Schedule) Contains(t time.Time) bool {
	if t.Nanosecond() != 0 {
		return false
	}
	want := floor(t)
	for i := range s.specs {
		sp := &s.specs[i]
		if !sp.fires() {
			continue
		}
		c := newCursor(sp)
		at, ok := c.next(sp.lead(want - 1))
		for ok && at < want {
			at, ok = c.next(at)
		}
		if ok && at == want {
			return true
		}
	}
	return false
}

// Last returns the newest n firings in [notBefore, until], ascending, in UTC,
// none of them earlier than 2015-01-01T00:00:00Z.
// It looks back in windows that grow, so its cost is that of the firings it
// returns, a few times over, and not of the whole stretch.
func (s Schedule) Last(until time.Time, n int, notBefore time.Time) []time.Time {
	if n <= 0 || until.Before(notBefore) {
		return nil
	}
	var newestFirst []int64
	upTo := floor(until)
	bottom := floor(notBefore) // windows are (from, upTo]
	if notBefore.Nanosecond() == 0 {
		bottom--
	}
	bottom = max(bottom, earliest-1)
	width := int64(min(n, 1<<20)) * 60
	for upTo > bottom && len(newestFirst) < n {
		from := max(upTo-width, bottom)
		window := s.tail(from, upTo, n-len(newestFirst))
		slices.Reverse(window)
		newestFirst = append(newestFirst, window...)
		upTo = from
		width *= 4
	}
	slices.Reverse(newestFirst)
	var out []time.Time
	for _, at := range newestFirst {
		out = append(out, time.Unix(at, 0).UTC())
	}
	return out
}

// tail returns the newest n firings in (from, upTo], ascending.
func (s Schedule) tail(from, upTo int64, n int) []int64 {
	var out []int64
	m := s.merge(func(sp *spec) int64 { return sp.lead(from) })
	for {
		at, ok := m.next()
		if !ok || at > upTo {
			return out[max(len(out)-n, 0):]
		}
		if at <= from {
			continue
		}
		if len(out) > n && len(out) >= 2*n { // n may be huge
			out = append(out[:0], out[len(out)-n:]...)
		}
		out = append(out, at)
	}
}

// lead is where to start iterating so that what comes after the second given
// does not depend on it. Starting on the day of a transition can hide what a
// start ahead of it shows, and robfig may carry a slip of half an hour
// (Australia/Lord_Howe) along to the day of month that it looks for.
func (s *spec) lead(after int64) int64 {
	reach := int64(63 * daySeconds) // a 31st is at most two months from the next
	if s.everyDay() {
		reach = 2 * daySeconds
	}
	for range 4 { // Africa/Casablanca changes twice in five weeks
		start, end, _ := stretch(s.Location, after)
		switch {
		case start >= after-reach:
			after = start - margin
		case end-margin <= after:
			after -= margin
		default:
			return after
		}
	}
	return after
}

// floor is the second that t lies in: between the one before the earliest that
// can be a firing and the latest.
func floor(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(earliest, 0)): // far away, t.Unix() is not defined
		return earliest - 1
	case t.After(time.Unix(latest, 0)):
		return latest
	}
	return t.Unix()
}

// merge starts a k-way merge of the expressions' firings.
func (s Schedule) merge(after func(*spec) int64) *merger {
	var m merger
	for i := range s.specs {
		sp := &s.specs[i]
		if !sp.fires() {
			continue
		}
		c := newCursor(sp)
		if at, ok := c.next(after(sp)); ok {
			m = append(m, head{at: at, cursor: c})
		}
	}
	heap.Init(&m)
	return &m
}

// merger is a heap of the expressions that have firings left, the one with the
// earliest first.
type merger []head

type head struct {
	at     int64
	cursor *cursor
}

// next returns the next firing; one that several expressions name comes once.
func (m *merger) next() (int64, bool) {
	if len(*m) == 0 {
		return 0, false
	}
	at := (*m)[0].at
	for len(*m) > 0 && (*m)[0].at == at {
		first := &(*m)[0]
		next, ok := first.cursor.next(at)
		if !ok {
			heap.Pop(m)
			continue
		}
		first.at = next
		heap.Fix(m, 0)
	}
	return at, true
}

func (m merger) Len() int           { return len(m) }
func (m merger) Less(i, j int) bool { return m[i].at < m[j].at }
func (m merger) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }

// Push is for heap.Interface; nothing is ever added.
func (m *merger) Push(x any) { *m = append(*m, x.(head)) }

// Pop is for heap.Interface.
func (m *merger) Pop() any {
	done := (*m)[len(*m)-1]
	*m = slices.Delete(*m, len(*m)-1, len(*m))
	return done
}
