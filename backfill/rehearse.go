package backfill

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
)

// rehearse asks everything that recover asks, once, and changes nothing.
func (w *work) rehearse(ctx context.Context) {
	for _, it := range slices.Clone(w.queue) {
		if ctx.Err() != nil {
			w.interrupt()
			return
		}
		look, run, found, err := w.survey(ctx, it)
		switch {
		case ctx.Err() != nil:
			w.interrupt()
			return
		case apierrors.IsNotFound(err):
			w.leaveRest(Left, Gone, fmt.Sprintf("The CronWorkflow is gone: %v", err))
			return
		case err != nil:
			if s := w.failed(it, err); s.Class == ClassBlocked {
				w.finish(it, Blocked, s.Reason, fmt.Sprintf("Somebody has to act: %v", err))
			} else {
				w.finish(it, GaveUp, RetriesEnded, fmt.Sprintf("It could not be looked at: %v", err))
			}
		case found && !owns(w.key, run):
			w.taken(it, run)
		case found:
			w.exists(it, run)
		default:
			w.foretell(it, Admit(look, w.key, it.at, w.Policy, w.Now()))
		}
		w.queue = w.queue[1:]
	}
}

// survey reads what is needed to say what would become of an item; transient errors are retried as in an attempt.
func (w *work) survey(ctx context.Context, it *item) (look Look, run auditor.Run, found bool, err error) {
	retries := delays(w.Timing.Retry, w.Timing.RequeueMax)
	for failed := 0; ; failed++ {
		if look, err = w.look(ctx); err == nil {
			run, found, err = w.find(ctx, look, it)
		}
		if err == nil || ctx.Err() != nil || failed == MaxRetries {
			return look, run, found, err
		}
		s := w.sort(err)
		if s.Class != ClassTransient {
			return look, run, found, err
		}
		w.failed(it, err)
		delay := max(retries.NextBackOff(), s.RetryAfter)
		w.retrying(it, s, delay, err)
		if err := sleep(ctx, delay); err != nil {
			return look, run, found, err
		}
	}
}

func (w *work) foretell(it *item, a Admission) {
	switch {
	case a.Decision == Refuse:
		w.finish(it, Left, a.Reason, a.Why)
	case a.Decision == Wait:
		w.finish(it, WouldCreate, "", fmt.Sprintf("It would wait first, at least until %s: %s", stamp(a.Until), a.Why))
	case w.plan.OneAtATime && it != w.items[0]:
		w.finish(it, WouldCreate, "", "It would wait for the runs before it to end.")
	default:
		w.finish(it, WouldCreate, "")
	}
}
