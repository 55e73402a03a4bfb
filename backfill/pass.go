package backfill

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
)

// staleLook is how old a look may be that a create rests on. Between the two is nothing that takes time, unless the process stood
// still.
const staleLook = 2 * time.Second

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
		a := Admit(look, w.key, it.at, w.Policy, now)
		if w.outdated(a, now) {
			if err := w.auditAgain(act); err != nil {
				return turn{}, err
			}
			continue // that took its time
		}
		if t, over := w.overtaken(it); over {
			return t, nil
		}
		if t, ran := w.ranMeanwhile(look, it, now); ran {
			return t, nil
		}
		switch a.Decision {
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
			p, ok := w.spread.take(w.key.Namespace, w.placePatience(it))
			if !ok {
				return w.putOff(pending{now.Add(p.delay), Requeued, "", fmt.Sprintf("Creates are spread over time, and %s would be its turn.", stamp(now.Add(p.delay)))}), nil
			}
			if p.delay > 0 {
				if err := sleep(ctx, p.delay); err != nil {
					w.spread.release(p)
					return turn{}, err
				}
				continue
			}
		}
		w.begin(it)
		if told, err := w.intend(ctx, it); told || err != nil {
			if err != nil {
				return turn{}, err
			}
			continue
		}
		if needsIntent(look, it.at) {
			if promised {
				return turn{}, errOverwritten
			}
			// From here on an interruption waits for the run.
			promised = true
			w.acted = true
			act, release = w.pair(ctx)
			if err := w.change(act, look, Change{Intend: it.at, LastScheduledTime: it.at}); err != nil {
				return turn{}, err
			}
			continue
		}
		if err := w.mayChange(act, look); err != nil {
			return turn{}, err
		}
		if err := ctx.Err(); err != nil && !promised {
			return turn{}, err
		}
		if w.Now().Sub(now) > staleLook {
			continue // this process was held up, and another may have acted meanwhile
		}
		w.acted = true
		return w.create(ctx, look, it)
	}
}

// mayChange asks once whether the status may be written.
func (w *work) mayChange(ctx context.Context, look Look) error {
	if w.permitted {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.Timing.Call)
	defer cancel()
	if err := w.Submitter.MayChange(ctx, look); err != nil {
		return &failure{requestChange, err}
	}
	w.permitted = true
	return nil
}

// needsIntent: under Replace, Argo would terminate a run for which lastScheduledTime has not been moved, so the time moves
// first. Detached runs too: Argo's look at an outstanding firing ends whatever is active. It also moves first where the run may be
// deleted as soon as it has ended: whoever dies between the create and the status write would leave nothing that keeps Argo from
// running the firing again.
func needsIntent(look Look, at time.Time) bool {
	spec, _ := presentSpec(look.CronWorkflow)
	return (spec.Policy == auditor.Replace || deletedSoon(look)) && at.After(look.CronWorkflow.Status.LastScheduledTime)
}

// deletedSoon says whether a run made now may be deleted within the time in which another process takes over: by a ttlStrategy, or
// because with those that are under way more runs end than the history limits keep.
func deletedSoon(look Look) bool {
	r := look.CronWorkflow.Retention
	ending := 1
	for _, run := range look.Runs {
		if run.Owner == look.CronWorkflow.UID && run.Controlled && !run.Finished() {
			ending++
		}
	}
	return r.TTL >= 0 && r.TTL < shortestTTL || ending > min(r.Successful, r.Failed)
}

func (w *work) refused(it *item, a Admission) turn {
	outcome := Left
	switch {
	case !it.sent.IsZero():
		return w.finish(it, Uncertain, NotSettled, "A create may have been carried out, and it is not sent again: "+a.Why)
	case a.Reason == auditor.StatusOnly && it.step.Attempts > 0:
		// Rollcall writes the time of a run only when that exists: an earlier attempt, or Argo, has made it.
		return w.finish(it, AlreadyThere, "", a.Why)
	case it.result.Attempts > 0:
		outcome = GaveUp
	}
	return w.finish(it, outcome, a.Reason, a.Why)
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
	w.watch(it.at)
	w.see(it.at)
	if _, _, err := w.repair(ctx, look); err != nil {
		w.failed(it, err)
		it.log.Warn("the status is not written yet", "error", err)
	}
	return w.exists(it, run)
}

func (w *work) taken(it *item, run auditor.Run) turn {
	owner := "nobody"
	if run.Owner != "" {
		owner = "UID " + run.Owner
	}
	return w.finish(it, GaveUp, auditor.NameTaken, fmt.Sprintf("Workflow %s exists, but it is owned by %s and not by this CronWorkflow: delete or rename it.", run.Name, owner))
}
