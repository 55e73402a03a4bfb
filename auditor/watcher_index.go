package auditor

import (
	"slices"
	"strings"
	"time"
)

func (w *Watcher) at(now time.Time) { w.now = later(w.now, now) }

// watchedAt is what is kept under a name; it may hold no more than runs of that name.
func (w *Watcher) watchedAt(key Key) *watched {
	h := w.all[key]
	if h == nil {
		h = newWatched(w, key)
		w.all[key] = h
	}
	return h
}

// tidy forgets a name under which there is nothing.
func (w *Watcher) tidy(h *watched) {
	if !h.present && len(h.runs) == 0 {
		delete(w.all, h.key)
	}
}

// concerned are the CronWorkflows that a run may matter to: the one that it is named after, and its owner; nil where there is none.
func (w *Watcher) concerned(namespace string, run Run) (byName, byOwner *watched) {
	if cron := nameOfCron(run.Name); cron != "" {
		byName = w.all[Key{namespace, cron}]
	}
	if run.Owner != "" {
		byOwner = w.owners[run.Owner]
	}
	return byName, byOwner
}

func distinct(a, b *watched) []*watched {
	switch {
	case a == nil && b == nil:
		return nil
	case a == nil || a == b:
		return []*watched{b}
	case b == nil:
		return []*watched{a}
	}
	return []*watched{a, b}
}

// nameOfCron is the CronWorkflow after one of whose firings a Workflow is named; empty where it is named after none.
func nameOfCron(workflow string) string {
	i := strings.LastIndexByte(workflow, '-')
	if i < 1 || workflow[i-1] == '-' { // a name cannot end in a dash; this is the zero time's
		return ""
	}
	if _, ok := ScheduledTimeOf(workflow[:i], workflow); !ok {
		return ""
	}
	return workflow[:i]
}

// maxTraces is how many times of writing are kept of a controller, in different seconds.
const maxTraces = 4096

func (w *Watcher) controller(instanceID string) *Controller {
	c := w.controllers[instanceID]
	if c == nil {
		c = &Controller{}
		w.controllers[instanceID] = c
	}
	return c
}

// trace notes that a controller wrote.
func (w *Watcher) trace(instanceID string, t time.Time) {
	if t.IsZero() {
		return
	}
	c, t := w.controller(instanceID), t.Truncate(time.Second)
	i, found := slices.BinarySearchFunc(c.Writes, t, time.Time.Compare)
	if found {
		return
	}
	if c.Writes = slices.Insert(c.Writes, i, t); len(c.Writes) > maxTraces {
		c.Writes = append(c.Writes[:0], c.Writes[maxTraces/4:]...)
	}
}
