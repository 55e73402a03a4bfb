package backfill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
)

// errOverwritten: what was written to the CronWorkflow ahead of the create did not stay.
var errOverwritten = errors.New("what was written to status.lastScheduledTime ahead of the create has been overwritten")

// The requests, as the log names them.
const (
	requestLook   = "look"
	requestFind   = "find"
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
		if failed == MaxRetries {
			return w.again(it, s, w.requeue.NextBackOff(), err)
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
	if errors.Is(err, errOverwritten) {
		return Sorted{Class: ClassTransient}
	}
	s := w.Classifier.Classify(err)
	var f *failure
	if s.Class == ClassPermanent && errors.As(err, &f) && f.request != requestCreate {
		s.Class, s.Reason = ClassBlocked, NotAllowed
	}
	return s
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
	w.endAttempt(it, Requeued)
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

// pass looks, asks for admission, waits for it, and creates. It ends with a turn, or with the error of a request.
func (w *work) pass(ctx context.Context, it *item) (turn, error) {
	promised := false
	act, release := ctx, func() {}
	defer func() { release() }()
	for {
		look, err := w.look(act)
		if apierrors.IsNotFound(err) {
			return w.leaveRest(Left, Gone, fmt.Sprintf("The CronWorkflow is gone: %v", err)), nil
		}
		if err != nil {
			return turn{}, err
		}
		// Nothing is created while the status owes something to a run that exists.
		wrote, hold, err := w.repair(act, look)
		switch {
		case err != nil:
			return turn{}, err
		case wrote:
			continue
		case hold.Decision == Wait:
			if t, over, err := w.wait(ctx, it, hold); over || err != nil {
				return t, err
			}
			continue
		}
		run, found, err := w.find(act, look, it)
		if err != nil {
			return turn{}, err
		}
		if found {
			return w.found(act, look, it, run), nil
		}
		now := w.Now()
		if !it.sent.IsZero() {
			if why := mayBeGone(look, it.sent, now); why != "" {
				return w.finish(it, Uncertain, NotSettled, fmt.Sprintf("The answer to the create was lost, and no run is found; it is not created again, since it may have run: %s.", why)), nil
			}
		}
		if t, ran := w.ranMeanwhile(look, it, now); ran {
			return t, nil
		}
		switch a := Admit(look, w.key, it.at, w.Policy, now); a.Decision {
		case Refuse:
			return w.refused(it, a), nil
		case Wait:
			if t, over, err := w.wait(ctx, it, a); over || err != nil {
				return t, err
			}
			continue
		}
		if !it.placed {
			it.placed = true
			if delay := w.spread(); delay > 0 {
				if err := sleep(ctx, delay); err != nil {
					return turn{}, err
				}
				continue
			}
		}
		w.begin(it)
		if needsIntent(look, it.at) {
			if promised {
				return turn{}, errOverwritten
			}
			// From here on an interruption waits for the run.
			promised = true
			act, release = w.pair(ctx)
			if err := w.change(act, look, Change{Intend: it.at, LastScheduledTime: it.at}); err != nil {
				return turn{}, err
			}
			continue
		}
		if err := ctx.Err(); err != nil && !promised {
			return turn{}, err
		}
		return w.create(ctx, look, it)
	}
}

// ranMeanwhile ends an item whose run is not there but may have come and gone since the audit: Argo, back again, starts the newest
// lost firing itself, and its history limits may delete that run while others are recovered.
func (w *work) ranMeanwhile(look Look, it *item, now time.Time) (t turn, ran bool) {
	if slices.ContainsFunc(w.sighted, it.at.Equal) {
		return w.finish(it, AlreadyThere, "", "Its run was seen during this recovery and has been deleted since."), true
	}
	last := ranByStatus(look.CronWorkflow.Status)
	passed := !last.Before(it.at) && w.plan.LastScheduledTime.Before(it.at)
	if !passed || slices.ContainsFunc(w.watched, last.Equal) {
		return turn{}, false
	}
	why := mayBeGone(look, w.plan.MadeAt, now)
	if why == "" {
		return turn{}, false
	}
	return w.finish(it, Uncertain, NotSettled, fmt.Sprintf("Argo has gone past it since the audit, to %s, and may have run it; it is not created, since %s.", stamp(last), why)), true
}

// needsIntent: under Replace, Argo would terminate a run for which lastScheduledTime has not been moved, so the time moves
// first. Detached runs too: Argo's look at an outstanding firing ends whatever is active.
func needsIntent(look Look, at time.Time) bool {
	spec, _ := presentSpec(look.CronWorkflow)
	return spec.Policy == auditor.Replace && at.After(look.CronWorkflow.Status.LastScheduledTime)
}

func (w *work) refused(it *item, a Admission) turn {
	outcome := Left
	switch {
	case !it.sent.IsZero():
		return w.finish(it, Uncertain, NotSettled, "A create may have been carried out, and it is not sent again: "+a.Why)
	case it.result.Attempts > 0:
		outcome = GaveUp
	}
	return w.finish(it, outcome, a.Reason, a.Why)
}

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

// look reads the CronWorkflow and notices the runs that this plan may have made.
func (w *work) look(ctx context.Context) (Look, error) {
	ctx, cancel := context.WithTimeout(ctx, w.Timing.Call)
	defer cancel()
	look, err := w.Submitter.Look(ctx, w.key)
	if err != nil {
		return Look{}, &failure{requestLook, err}
	}
	w.notice(look)
	return look, nil
}

// find says whether a Workflow of the firing's name exists, whoever's it is.
func (w *work) find(ctx context.Context, look Look, it *item) (auditor.Run, bool, error) {
	if run, ok := runOf(look, w.key, it.at); ok {
		return run, true, nil
	}
	return w.findByName(ctx, it)
}

func (w *work) findByName(ctx context.Context, it *item) (auditor.Run, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, w.Timing.Call)
	defer cancel()
	run, found, err := w.Submitter.Find(ctx, w.key.Namespace, it.result.Workflow)
	if err != nil {
		return auditor.Run{}, false, &failure{requestFind, err}
	}
	return run, found, nil
}

// found ends an item whose name exists. Its status write minds the quiet zone: no create of ours waits for it.
func (w *work) found(ctx context.Context, look Look, it *item, run auditor.Run) turn {
	if !owns(w.key, run) {
		return w.taken(it, run)
	}
	t := w.exists(it, run)
	if _, _, err := w.repair(ctx, look); err != nil {
		w.failed(it, err)
		it.log.Warn("the status is not written yet", "error", err)
	}
	return t
}

func (w *work) taken(it *item, run auditor.Run) turn {
	owner := "nobody"
	if run.Owner != "" {
		owner = "UID " + run.Owner
	}
	return w.finish(it, GaveUp, auditor.NameTaken, fmt.Sprintf("Workflow %s exists, but it is owned by %s and not by this CronWorkflow: delete or rename it.", run.Name, owner))
}
