package backfill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
)

// beforeFiring is how long before the next live firing a create has to have its answer.
const beforeFiring = time.Second

// pair is a context for a create and its status write: an interruption leaves it Timing.Finish to end in.
func (w *work) pair(ctx context.Context) (context.Context, func()) {
	act, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(w.Timing.Finish, cancel) })
	return act, func() { stop(); cancel() }
}

// create sends one create and writes the run to the status. An answer that leaves open whether the create was carried out is
// settled by reading; where that finds nothing, the error is returned.
func (w *work) create(ctx context.Context, look Look, it *item) (turn, error) {
	act, release := w.pair(ctx)
	defer release()

	it.placed = false
	it.result.Creates++
	w.watch(it.at)
	now := w.Now()
	limit := w.Timing.Call
	if d, ok := untilNext(look, w.Policy, now); ok {
		limit = min(limit, max(d-beforeFiring, beforeFiring))
	}
	call, cancel := context.WithTimeout(act, limit)
	run, err := w.Submitter.Create(call, look, NewRun{
		ScheduledTime: it.at, By: w.Policy.By, Detached: w.Policy.Detached, Why: w.reasons(it),
	})
	cancel()
	w.wrote = w.Now()
	if err == nil {
		return w.made(act, look, it, run), nil
	}
	failed := &failure{requestCreate, err}
	exists := apierrors.IsAlreadyExists(err)
	if !exists && !w.Classifier.Classify(err).Unsettled {
		return turn{}, failed
	}
	w.unchecked = true
	if it.sent.IsZero() {
		it.sent = now
	}
	it.log.Info("the answer leaves open whose run there is, reading it", "attempt", it.result.Attempts, "error", err)
	run, found, findErr := w.findByName(act, it)
	switch {
	case found && owns(w.key, run):
		it.result.LastError = failed
		return w.made(act, look, it, run), nil
	case found:
		it.result.LastError = failed
		return w.taken(it, run), nil
	case exists && findErr == nil:
		it.result.LastError = failed
		return w.finish(it, Uncertain, NotSettled, "A Workflow of its name existed and is gone again; it is not created a second time, since that may have been its run."), nil
	case exists:
		return turn{}, &failure{requestFind, findErr}
	}
	return turn{}, failed
}

// made ends an item with its run, and writes that to the status at once: a create is not begun so close to a live firing that
// this could be too late.
func (w *work) made(ctx context.Context, look Look, it *item, run auditor.Run) turn {
	w.see(it.at)
	look.Runs = append(slices.Clone(look.Runs), run)
	if err := w.record(ctx, look, it); err != nil {
		w.owing, w.unchecked = fmt.Errorf("%w: %w", errStatusOwed, err), true
		return w.exists(it, run, "The CronWorkflow's status does not show it yet: "+err.Error())
	}
	return w.exists(it, run)
}

// reasons are the sentences for the run's annotation.
func (w *work) reasons(it *item) string {
	f := it.step.Finding
	said := append([]string{string(f.Verdict) + "."}, f.Evidence...)
	if f.Cause != "" {
		said = slices.Insert(said, 1, "Cause: "+string(f.Cause)+".")
	}
	return strings.Join(said, " ")
}
