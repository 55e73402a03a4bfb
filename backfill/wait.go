package backfill

import (
	"context"
	"fmt"
	"time"
)

// wait sleeps until admission is worth asking for again. over says that there will be none.
func (w *work) wait(ctx context.Context, it *item, a Admission) (t turn, over bool, err error) {
	it.failing = time.Time{}
	now, until := w.Now(), a.Until
	if end := it.step.Deadline; !end.IsZero() {
		if late := tooLate(end, w.Policy, now); late.why != "" {
			return w.outOfWait(it, late), true, nil
		}
		until = earlier(until, end)
	} else {
		end := w.progress.Add(w.Timing.WaitFor)
		if !now.Before(end) {
			return w.finish(it, Left, NoRoom, fmt.Sprintf("There was no room for it in %s: %s", w.Timing.WaitFor, a.Why)), true, nil
		}
		until = earlier(until, end)
	}
	if a.Why != w.waitingFor {
		w.waitingFor = a.Why
		it.log.Info("waiting", "until", a.Until, "why", a.Why)
		w.Observer.Observe(Event{Kind: Waiting, CronWorkflow: w.key, Finding: it.step.Finding, Attempt: it.result.Attempts, Until: a.Until, Why: a.Why})
	}
	return turn{}, false, sleep(ctx, max(until.Sub(now), shortestWait))
}

// shortestWait keeps a mistaken Until from becoming a busy loop.
const shortestWait = 10 * time.Millisecond

// outOfWait ends an item whose deadline passed while something kept it from being looked at.
func (w *work) outOfWait(it *item, late refusal) turn {
	if !it.sent.IsZero() {
		return w.finish(it, Uncertain, NotSettled, "A create may have been carried out, and that could not be found out in time.")
	}
	return w.refused(it, late.admission())
}
