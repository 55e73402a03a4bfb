package model

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"rollcall.dev/rollcall/test/exam/fake"
)

// entry is one expression of one CronWorkflow.
type entry struct {
	key        fake.Key
	schedule   cron.Schedule
	next, prev time.Time
	job        *operation
}

// timer is robfig/cron v3.0.1 (Cron.run in cron.go) under Argo's facade (workflow/cron/cron_facade.go). A process that was paused
// runs each entry that is due once, by the oldest time that was due, and drops the rest.
type timer struct {
	c *Controller

	mu      sync.Mutex
	entries []*entry
	changed chan struct{}
}

func (t *timer) run(ctx context.Context) {
	now := t.c.now()
	for {
		t.mu.Lock()
		slices.SortStableFunc(t.entries, soonest)
		pause := 100_000 * time.Hour
		if len(t.entries) > 0 && !t.entries[0].next.IsZero() {
			pause = t.entries[0].next.Sub(now)
		}
		t.mu.Unlock()
		alarm := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			alarm.Stop()
			return
		case <-t.changed:
			alarm.Stop()
			now = t.c.now()
			continue
		case <-alarm.C:
		}
		if !t.c.client.Pass() {
			return
		}
		now = t.c.now()
		t.mu.Lock()
		for _, e := range t.entries {
			if e.next.After(now) || e.next.IsZero() {
				break
			}
			t.c.goes.Go(e.job.tick)
			e.prev, e.next = e.next, e.schedule.Next(now)
		}
		t.mu.Unlock()
	}
}

func soonest(a, b *entry) int {
	switch {
	case a.next.IsZero() && b.next.IsZero():
		return 0
	case a.next.IsZero():
		return 1
	case b.next.IsZero():
		return -1
	}
	return a.next.Compare(b.next)
}

// remove is cronFacade.Delete.
func (t *timer) remove(key fake.Key) {
	t.mu.Lock()
	t.entries = slices.DeleteFunc(t.entries, func(e *entry) bool { return e.key == key })
	t.mu.Unlock()
	t.stir()
}

// add is cronFacade.AddJob.
func (t *timer) add(key fake.Key, schedule cron.Schedule, job *operation) {
	e := &entry{key: key, schedule: schedule, next: schedule.Next(t.c.now()), job: job}
	t.mu.Lock()
	t.entries = append(t.entries, e)
	t.mu.Unlock()
	t.stir()
}

// prev is the scheduled time that a run of now gets: the newest of all entries of the CronWorkflow. Where they were just
// registered anew it is the zero time.
func (t *timer) prev(key fake.Key) (newest time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.entries {
		if e.key == key && e.prev.After(newest) {
			newest = e.prev
		}
	}
	return newest
}

func (t *timer) stir() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}
