package record

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"time"
)

// queue holds the entries that are to be written, the next one first.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i]; q[i].at, q[j].at = i, j }

// Push is for package heap.
func (q *queue) Push(x any) {
	e := x.(*entry)
	e.at = len(*q)
	*q = append(*q, e)
}

// Pop is for package heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.at = -1
	return e
}

// enqueue has an entry written when it is due, also one that is in the queue already; call it with mu.
func (s *Store) enqueue(e *entry, due time.Time) {
	e.due = due
	if e.at < 0 {
		heap.Push(&s.queue, e)
	} else {
		heap.Fix(&s.queue, e.at)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// dequeue takes an entry out of the queue if it is in there; call it with mu.
func (s *Store) dequeue(e *entry) {
	if e.at >= 0 {
		heap.Remove(&s.queue, e.at)
	}
}

// nextDue takes the entry out of the queue that is due, with the count of the state to be written; without one it says in how
// long to look again, negative when nothing is waiting.
func (s *Store) nextDue(now time.Time) (e *entry, saved uint64, in time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil, 0, -1
	}
	if in := s.queue[0].due.Sub(now); in > 0 {
		return nil, 0, in
	}
	e = heap.Pop(&s.queue).(*entry)
	return e, e.saved, 0
}

// await waits for a time to pass, where it is not negative, or for the queue to change.
func (s *Store) await(ctx context.Context, d time.Duration) {
	var passed <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-passed:
	case <-s.wake:
	case <-ctx.Done():
	}
}

// backoff is the delay after so many failures.
func (s *Store) backoff(failures int) time.Duration {
	d := s.timing.Requeue
	for ; failures > 1 && d < s.timing.RequeueMax; failures-- {
		d *= 2
	}
	return jittered(min(d, s.timing.RequeueMax))
}

// jittered is up to a quarter off, so that delays that began together do not end together.
func jittered(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)/2*float64(d))
}
