package backfill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// pending is what an item has to wait for, and what becomes of it where that takes longer than patience.
type pending struct {
	until   time.Time
	outcome Outcome // Requeued, or Blocked
	reason  auditor.Reason
	why     string
}

// wait sleeps until admission is worth asking for again. over says that there will be none, or none in this plan.
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
	if w.tooLong(it, until) {
		return w.putOff(pending{until, Requeued, "", a.Why}), true, nil
	}
	if a.Why != w.waitingFor {
		w.waitingFor = a.Why
		it.log.Info("waiting", "until", a.Until, "why", a.Why)
		w.Observer.Observe(Event{Kind: Waiting, CronWorkflow: w.key, Finding: it.step.Finding, Attempt: it.result.Attempts, Until: a.Until, Why: a.Why})
	}
	return turn{}, false, w.pause(ctx, max(until.Sub(now), shortestWait))
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

// pause sleeps; it belongs to a stretch of waiting that ends when an item gets an outcome.
func (w *work) pause(ctx context.Context, d time.Duration) error {
	if d > 0 && w.waiting.IsZero() {
		w.waiting = w.Now()
	}
	return sleep(ctx, d)
}

// patience is how much longer to wait for the item in this stretch; negative where there is no bound, as while it is not known
// whether its create was carried out.
func (w *work) patience(it *item) time.Duration {
	switch {
	case w.Patience == 0 || !it.sent.IsZero():
		return -1
	case w.waiting.IsZero():
		return w.Patience
	}
	return max(w.waiting.Add(w.Patience).Sub(w.Now()), 0)
}

// mostForPlace is how long to wait for a place among the creates where there is a bound. It does not count as waiting at a
// stretch: whoever gives a place up has to begin anew, and a thousand who do so at once get no further.
const mostForPlace = 10 * time.Second

func (w *work) placePatience(it *item) time.Duration {
	if left := w.patience(it); left < 0 {
		return left
	}
	return max(w.Patience, mostForPlace)
}

func (w *work) tooLong(it *item, until time.Time) bool {
	left := w.patience(it)
	return left >= 0 && until.Sub(w.Now()) > left
}

// mostBlocked is how many creates in a row are refused until somebody acts before that is taken to hold for all.
const mostBlocked = 2

// holdBack says what the item waits for after an attempt that failed. A create may fail for one firing and not for the next, so
// the others have their turn meanwhile; what else fails concerns the CronWorkflow, and they wait with it, as they do where a
// second firing is blocked too: a hundred creates a minute against a quota that is exceeded help nobody.
func (w *work) holdBack(it *item, s Sorted, delay time.Duration, err error) {
	it.pending = pending{w.Now().Add(delay), Requeued, s.Reason, fmt.Sprintf("It is to be tried again after an error: %v", err)}
	others := it.pending
	if s.Class == ClassBlocked {
		it.pending.outcome, it.pending.why = Blocked, fmt.Sprintf("Somebody has to act: %v", err)
		others.outcome, others.why = Blocked, fmt.Sprintf("Not tried, because the firing of %s was blocked: %v", stamp(it.at), err)
	}
	var f *failure
	if s.Class == ClassBlocked {
		w.blocked++
	}
	if errors.As(err, &f) && f.request == requestCreate && !w.plan.OneAtATime && w.blocked < mostBlocked {
		return
	}
	for _, other := range w.queue {
		switch {
		case other == it || !other.pending.until.Before(others.until):
		case s.Class == ClassBlocked && other.pending.outcome == Blocked: // and knows why: it was tried itself
			other.pending.until = others.until
		default:
			other.pending = others
		}
	}
}

// turnToNext brings the first item whose wait is over to the head of the queue, or the one whose wait ends first, and waits for
// that. false says that the rest was put off, or the work interrupted.
func (w *work) turnToNext(ctx context.Context) bool {
	if w.Patience == 0 {
		return true
	}
	now := w.Now()
	if !w.plan.OneAtATime && w.queue[0].sent.IsZero() {
		next := slices.MinFunc(w.queue, func(a, b *item) int { return later(a.pending.until, now).Compare(later(b.pending.until, now)) })
		w.queue = slices.DeleteFunc(w.queue, func(it *item) bool { return it == next })
		w.queue = slices.Insert(w.queue, 0, next)
	}
	it := w.queue[0]
	if w.tooLong(it, it.pending.until) {
		w.putOff(it.pending)
		return false
	}
	if err := w.pause(ctx, it.pending.until.Sub(now)); err != nil {
		w.interrupt()
		return false
	}
	return true
}

// putOff leaves all that is in the queue for a later plan: each item with what it waits for itself, or with p.
func (w *work) putOff(p pending) turn {
	now := w.Now()
	w.log.Debug("put off", "firings", len(w.queue), "until", p.until, "why", p.why)
	for _, it := range w.queue {
		own := p
		if it.pending.until.After(now) {
			own = it.pending
		}
		if end := it.step.Deadline; !end.IsZero() {
			own.until = earlier(own.until, end)
		}
		w.comeBack(own.until)
		w.finish(it, own.outcome, own.reason, own.why)
	}
	w.queue = nil
	return turn{halt: true}
}

// comeBack says that a fresh plan is worth carrying out then, or earlier.
func (w *work) comeBack(at time.Time) {
	if again := &w.report.Again; again.IsZero() || at.Before(*again) {
		*again = at
	}
}

// comeBackAfter is when another try is worth it after an error that was not an attempt's.
func (w *work) comeBackAfter(err error) time.Time {
	s, delay := w.sort(err), w.Timing.Requeue
	if s.Class == ClassBlocked {
		delay = w.Timing.Blocked
	}
	return w.Now().Add(max(delay, s.RetryAfter))
}
