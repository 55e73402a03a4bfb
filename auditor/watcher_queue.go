package auditor

import (
	"container/heap"
	"time"
)

// queue orders the CronWorkflows that are ever due by when they next are.
type queue []*watched

// put gives a CronWorkflow its place, after whatever was seen of it.
func (q *queue) put(h *watched) { q.place(h, h.wakeAt()) }

// putAfter gives it the place that it has after a look at now.
func (q *queue) putAfter(h *watched, now time.Time) {
	at := h.wakeAt()
	if !at.IsZero() && !at.After(now) {
		at = now.Add(time.Second) // a look leaves nothing due; should it ever, there is no loop without rest
	}
	q.place(h, at)
}

func (q *queue) place(h *watched, at time.Time) {
	if at.IsZero() {
		q.remove(h)
		return
	}
	switch {
	case h.place < 0:
		h.wake = at
		heap.Push(q, h)
	case !h.wake.Equal(at):
		h.wake = at
		heap.Fix(q, h.place)
	}
}

func (q *queue) remove(h *watched) {
	if h.place >= 0 {
		heap.Remove(q, h.place)
	}
}

// Len is part of heap.Interface.
func (q queue) Len() int { return len(q) }

// Less is part of heap.Interface.
func (q queue) Less(i, k int) bool { return q[i].wake.Before(q[k].wake) }

// Swap is part of heap.Interface.
func (q queue) Swap(i, k int) {
	q[i], q[k] = q[k], q[i]
	q[i].place, q[k].place = i, k
}

// Push is part of heap.Interface.
func (q *queue) Push(x any) {
	h := x.(*watched)
	h.place = len(*q)
	*q = append(*q, h)
}

// Pop is part of heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	h := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	h.place = -1
	return h
}
