package backfill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// errOverwritten: what was written to the CronWorkflow ahead of the create did not stay.
var errOverwritten = errors.New("what was written to status.lastScheduledTime ahead of the create has been overwritten")

// The requests, as the log names them.
const (
	requestIntend = "intend" // the Journal's
	requestLook   = "look"
	requestFind   = "find"
	requestAudit  = "audit"
	requestCreate = "create"
	requestChange = "change"
)

// failure is an error of one request.
type failure struct {
	request string
	err     error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// attempt tries to recover one firing: up to 1 + MaxRetries times what pass does, as long as the errors are transient. Where
// the errors go on, the item is to be queued again.
func (w *work) attempt(ctx context.Context, it *item) turn {
	retries := delays(w.Timing.Retry, time.Minute)
	for failed := 0; ; {
		if ctx.Err() != nil {
			return w.interrupt()
		}
		t, err := w.pass(ctx, it)
		if err == nil {
			return t
		}
		if ctx.Err() != nil {
			if !errors.Is(err, context.Canceled) {
				it.result.LastError = err
			}
			return w.interrupt()
		}
		w.begin(it)
		s := w.failed(it, err)
		now := w.Now()
		if it.failing.IsZero() {
			it.failing = now
		}
		if unrecorded(err) {
			// The API server has answered before, and the Journal has made retries of its own.
			it.failing = time.Time{}
			return w.again(it, s, w.nextDelay(it), err)
		}
		switch s.Class {
		case ClassCancelled: // not by this context: nobody waits for it any longer
			return w.interrupt()
		case ClassPermanent:
			if it.open(err, s) {
				return w.finish(it, Uncertain, NotSettled, fmt.Sprintf("A create may have been carried out, and that cannot be found out: %v", err))
			}
			return w.finish(it, GaveUp, s.Reason, fmt.Sprintf("It will never be accepted: %v", err))
		case ClassBlocked:
			if w.StopWhenBlocked {
				if it.open(err, s) {
					w.finish(it, Uncertain, NotSettled, fmt.Sprintf("A create may have been carried out, and to find out somebody has to act: %v", err))
				} else {
					w.finish(it, Blocked, s.Reason, fmt.Sprintf("Somebody has to act: %v", err))
				}
				return w.leaveRest(Blocked, s.Reason, fmt.Sprintf("Not tried, because the firing of %s was blocked: %v", stamp(it.at), err))
			}
			return w.again(it, s, w.Timing.Blocked, err)
		}
		if failed == MaxRetries || s.RetryAfter > 0 && w.tooLong(it, now.Add(s.RetryAfter)) {
			return w.again(it, s, w.nextDelay(it), err)
		}
		failed++
		delay := max(retries.NextBackOff(), s.RetryAfter)
		if end, reason := w.limit(it); !now.Add(delay).Before(end) {
			return w.outOfTime(it, reason, err, s)
		}
		w.retrying(it, s, delay, err)
		if sleep(ctx, delay) != nil {
			return w.interrupt()
		}
	}
}

// failed counts an error and sorts it.
func (w *work) failed(it *item, err error) Sorted {
	it.result.LastError = err
	s := w.sort(err)
	if s.Class != ClassCancelled {
		w.metrics.failure(w.key, s.Class)
	}
	return s
}

// sort sorts the error of a request. Only a create's can be permanent: what cannot be read or written says nothing about the run.
func (w *work) sort(err error) Sorted {
	if errors.Is(err, errOverwritten) || unrecorded(err) {
		return Sorted{Class: ClassTransient}
	}
	s := w.Classifier.Classify(err)
	var f *failure
	if s.Class == ClassPermanent && errors.As(err, &f) && f.request != requestCreate {
		s.Class, s.Reason = ClassBlocked, NotAllowed
	}
	return s
}

// unrecorded says that the Journal could not put the attempt on record.
func unrecorded(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.request == requestIntend
}

// nextDelay is the delay before the attempt after one that ended in transient errors. Without patience the firings of a plan
// share it; otherwise it goes by the firing's own attempts, so that it goes on where those of earlier plans left off.
func (w *work) nextDelay(it *item) time.Duration {
	if w.Patience == 0 && it.step.Attempts == 0 {
		return w.requeue.NextBackOff()
	}
	const most = 20 // doublings; more do not fit
	delay := min(w.Timing.Requeue<<min(it.result.Attempts-1, most), w.Timing.RequeueMax)
	return delay + time.Duration(float64(delay)*jitter*(2*rand.Float64()-1))
}

// retrying counts and tells of a delay before the next try.
func (w *work) retrying(it *item, s Sorted, delay time.Duration, err error) {
	w.metrics.retry(w.key, s.Class)
	var f *failure
	request := ""
	if errors.As(err, &f) {
		request = f.request
	}
	it.log.Warn("request failed, to be tried again", "attempt", it.result.Attempts, "request", request, "class", s.Class,
		"retry_after", s.RetryAfter, "delay", delay, "error", err)
	w.Observer.Observe(Event{
		Kind: Retrying, CronWorkflow: w.key, Finding: it.step.Finding, Attempt: it.result.Attempts, Until: w.Now().Add(delay), Err: err,
	})
}

// lastTry is how long before the limit the last attempt is made.
const lastTry = time.Second

// again ends an attempt that is to be followed by another: after the delay, or as the last one just before the limit.
func (w *work) again(it *item, s Sorted, delay time.Duration, err error) turn {
	end, reason := w.limit(it)
	left := end.Sub(w.Now()) - lastTry
	if left < lastTry || left < s.RetryAfter {
		return w.outOfTime(it, reason, err, s)
	}
	delay = min(max(delay, s.RetryAfter), left)
	w.retrying(it, s, delay, err)
	w.holdBack(it, s, delay, err)
	w.endAttempt(it, it.pending.outcome)
	return turn{again: delay}
}

// open says whether an earlier create may still turn out to have been carried out. Before a create is sent again, reading has
// shown that the one before was not; so an answer that settles the last create settles them all.
func (it *item) open(err error, s Sorted) bool {
	var f *failure
	settles := errors.As(err, &f) && f.request == requestCreate && !s.Unsettled
	return !it.sent.IsZero() && !settles
}

// outOfTime ends an item for which there is no time left for another try.
func (w *work) outOfTime(it *item, reason auditor.Reason, err error, s Sorted) turn {
	if it.open(err, s) {
		return w.finish(it, Uncertain, NotSettled, fmt.Sprintf("A create may have been carried out, and until now that could not be found out: %v", err))
	}
	why := fmt.Sprintf("Nothing but errors for %s, the last: %v", w.Timing.RetryFor, err)
	if reason == auditor.DeadlinePassed {
		why = fmt.Sprintf("Its starting deadline at %s leaves no time for another try; the last error: %v", stamp(it.step.Deadline), err)
	}
	return w.finish(it, GaveUp, reason, why)
}
