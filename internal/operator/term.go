package operator

import (
	"context"
	"sync"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// term is a time in which this process is the leader.
type term struct {
	ctx context.Context
	// tasks are the last looks, recoveries and readings of records that are under way.
	tasks sync.WaitGroup
}

// lead is one term: it reads the record, has the roll called until ctx ends, and writes what is known then.
func (o *Operator) lead(ctx context.Context) {
	select {
	case <-o.synced:
	case <-ctx.Done():
		return
	}
	r, t := o.roll, &term{ctx: ctx}
	var writing sync.WaitGroup
	begun := o.begin(t, func() { writing.Go(func() { o.Records.Run(ctx) }) })
	<-ctx.Done()
	if !begun {
		return
	}
	o.ask(r.end)
	t.tasks.Wait()
	writing.Wait()
	o.conclude(ctx)
}

// begin reads the record and has the roll called from there on; false when ctx ended before. While nothing answers it waits: to
// judge without knowing what was judged already would be to say things twice. Where the record cannot be read for a reason that
// somebody has to deal with, the roll is called without it meanwhile; nothing is recovered then, since nothing can be recorded.
func (o *Operator) begin(t *term, began func()) bool {
	ctx, begun := t.ctx, false
	for failed := 0; ; failed++ {
		states, err := o.Records.Load(ctx)
		if ctx.Err() != nil {
			return begun
		}
		if err == nil || !begun && lasting(err) {
			o.ask(func() { o.roll.resume(t, states) })
			if !begun {
				begun = true
				began()
			}
		}
		if err == nil {
			o.Log.Info("calling the roll", "records", len(states))
			return true
		}
		said := "the record cannot be read, and until it can nothing is judged"
		if begun {
			said = "the record cannot be read: judging without it, and recovering nothing"
		}
		o.Log.Error(said, "error", err)
		select {
		case <-time.After(o.doubled(failed)):
		case <-ctx.Done():
			return begun
		}
	}
}

// conclude writes all that is known, as far as there is time for that.
func (o *Operator) conclude(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Timing.Flush)
	defer cancel()
	o.ask(func() {
		if o.now().Before(o.roll.hold) {
			return // what is known is not what was so until now
		}
		for key := range o.roll.crons {
			if state, ok := o.roll.watcher.State(key); ok {
				_ = o.Records.Save(ctx, key, state, false) // a record that another has written since is the other's
			}
		}
	})
	if err := o.Records.Flush(ctx); err != nil {
		o.Log.Warn("not everything was recorded at the end: it is judged again by whoever leads next", "error", err)
	}
	if o.Alerts != nil {
		o.Alerts.Clear()
	}
	o.Log.Info("stopped calling the roll")
}

// resume begins a term, or goes on with one, from what is on record.
func (r *roll) resume(t *term, states map[auditor.Key]auditor.State) {
	r.term = t
	for key, state := range states {
		r.watcher.Resume(key, state) // of one that has not been told of yet, it waits
	}
	r.Metrics.Leader(true)
	r.beat()
	now := r.now()
	for _, c := range r.crons {
		r.expect(c)
		if state, ok := r.watcher.State(c.key); ok {
			r.know(c, state, now)
		}
		r.attend(c, now)
	}
}

// end ends a term: nothing new is begun, and what is shown of CronWorkflows is the next leader's to show.
func (r *roll) end() {
	r.term = nil
	for _, c := range r.crons {
		r.abandon(c)
		r.executor.Forget(c.id())
		c.told = told{}
	}
	r.Metrics.Leader(false)
	r.Metrics.ForgetAll()
}
