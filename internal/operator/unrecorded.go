package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record"
)

// lasting says whether an error of the record stays until somebody acts.
func lasting(err error) bool {
	for _, kind := range []error{record.ErrForbidden, record.ErrNotInstalled, record.ErrSchema} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// unrecorded says why nothing is recovered while the record cannot be written.
func unrecorded(err error) string {
	return fmt.Sprintf("Its record cannot be written, and nothing is recovered that is not on record: %v", err)
}

// unsaved says whether nothing was done since the record could not be written.
func (r *roll) unsaved(c *cron, err error, now time.Time) bool {
	switch {
	case err == nil:
		if c.unwritten != "" {
			r.Log.Info("the record can be written again", "cronworkflow", c.key.String())
			c.failures, c.unwritten, c.blocked = 0, "", "" // what else blocks a recovery shows when it is tried
			r.alert(c, now)
		}
		return false
	case errors.Is(err, record.ErrSuperseded):
		r.reread(c)
		return true
	case errors.Is(err, context.Canceled):
		return true
	}
	if c.unwritten != err.Error() {
		c.unwritten = err.Error()
		r.Log.Error("the record cannot be written: nothing is recovered before it is", "cronworkflow", c.key.String(), "error", err)
	}
	if open := c.recoverable(); lasting(err) && len(open) > 0 && r.mode(c.cw) == auditor.BackfillOn {
		r.block(c, open[0].ScheduledTime, unrecorded(err))
		r.alert(c, now)
		r.show(c)
	}
	r.schedule(c, now.Add(r.doubled(c.failures)))
	c.hold = true
	c.failures++
	return true
}

// reread reads the record of a CronWorkflow again, after another Rollcall has written to it, and goes on from there with
// what was seen here.
func (r *roll) reread(c *cron) {
	if c.cancel != nil || r.term == nil {
		return
	}
	r.Log.Warn("another Rollcall has written to the record, reading it again", "cronworkflow", c.key.String())
	ctx, cancel := context.WithCancel(r.term.ctx)
	c.cancel = cancel
	r.term.tasks.Go(func() {
		defer cancel()
		var state auditor.State
		var ok bool
		var err error
		for failed := 0; ; failed++ {
			if state, ok, err = r.Records.Reload(ctx, c.key); err == nil || ctx.Err() != nil {
				break
			}
			wait(ctx, r.doubled(failed))
		}
		r.ask(func() {
			c.cancel = nil
			if ctx.Err() != nil || r.crons[c.key] != c || r.term == nil {
				return
			}
			now := r.now()
			if ok {
				r.watcher.Resume(c.key, state)
			}
			if state, ok := r.watcher.State(c.key); ok {
				r.know(c, state, now)
			}
			r.attend(c, now)
		})
	})
}
