package model

import (
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/test/exam/fake"
)

// passes is syncAll every 10 s, from the start on and without waiting for the informers (workflow/cron/controller.go). A pass that
// has nothing new to look at would do nothing, and is left out: so that the time in which nothing happens costs nothing.
func (c *Controller) passes() {
	begun := time.Now()
	c.pass()
	for c.ctx.Err() == nil {
		select {
		case <-c.ctx.Done():
			return
		case <-c.dirty:
		}
		c.pause(syncEvery - time.Since(begun)%syncEvery)
		if c.client.Pass() && c.ctx.Err() == nil {
			c.pass()
		}
	}
}

func (c *Controller) pass() {
	c.mu.Lock()
	grouped := map[string][]*fake.Workflow{}
	for _, w := range c.runs {
		if w.Controlled && w.Owner != "" {
			grouped[w.Owner] = append(grouped[w.Owner], w)
		}
	}
	crons := slices.Collect(maps.Values(c.crons))
	c.mu.Unlock()
	for _, cw := range crons {
		if c.ctx.Err() != nil {
			return
		}
		own := grouped[cw.UID]
		slices.SortFunc(own, func(a, b *fake.Workflow) int { return strings.Compare(a.Name, b.Name) })
		c.sync(cw, own)
	}
}

// sync is syncCronWorkflow: by the copies of when the pass began.
func (c *Controller) sync(cw *fake.CronWorkflow, own []*fake.Workflow) {
	defer c.lock(cw.Key)()
	if !c.enforceHistoryLimit(cw, own) {
		c.changed()
		return
	}
	c.operate(cw).reconcile(own)
}

// enforceHistoryLimit is the function of that name (workflow/cron/operator.go); false when something could not be deleted.
func (c *Controller) enforceHistoryLimit(cw *fake.CronWorkflow, own []*fake.Workflow) bool {
	var succeeded, failed []*fake.Workflow
	for _, w := range own {
		switch {
		case w.CronLabel != cw.Name || !w.Fulfilled():
		case w.Phase == fake.Succeeded:
			succeeded = append(succeeded, w)
		default:
			failed = append(failed, w)
		}
	}
	keepSucceeded, keepFailed := cw.Spec.Limits()
	return c.deleteOldest(succeeded, keepSucceeded) && c.deleteOldest(failed, keepFailed)
}

func (c *Controller) deleteOldest(all []*fake.Workflow, keep int) bool {
	if keep >= len(all) {
		return true
	}
	slices.SortStableFunc(all, func(a, b *fake.Workflow) int { return b.Finished.Compare(a.Finished) })
	for _, w := range all[keep:] {
		if err := c.client.DeleteRun(c.ctx, w.Key); err != nil && !apierrors.IsNotFound(err) {
			return false
		}
	}
	return true
}

// reconcile is reconcileActiveWfs (workflow/cron/operator.go). That the stopStrategy has come true makes the phase Stopped; the label
// follows at the next tick.
func (o *operation) reconcile(own []*fake.Workflow) {
	status := &o.cw.Status
	updated := false
	known := map[string]*fake.Workflow{}
	for _, w := range own {
		known[w.UID] = w
		if !status.Has(w.UID) && !w.Fulfilled() {
			updated = true
			status.Active = append(status.Active, fake.Ref{Name: w.Name, UID: w.UID})
		}
	}
	for _, ref := range slices.Clone(status.Active) {
		w, found := known[ref.UID]
		if found && !w.Fulfilled() {
			continue
		}
		updated = true
		status.Active = slices.DeleteFunc(status.Active, func(r fake.Ref) bool { return r.UID == ref.UID })
		if !found {
			continue
		}
		if w.Phase == fake.Succeeded {
			status.Succeeded++
		} else {
			status.Failed++
		}
		if o.stops() {
			o.complete()
		}
	}
	if !updated {
		return
	}
	mine := own1(*status)
	o.patch(func(cw *fake.CronWorkflow) {
		cw.Status.Active, cw.Status.Succeeded, cw.Status.Failed, cw.Status.Phase = mine.Active, mine.Succeeded, mine.Failed, mine.Phase
	})
	o.c.changed() // if that failed, the next pass tries again
}

func own1(s fake.Status) fake.Status {
	s.Active = slices.Clone(s.Active)
	return s
}
