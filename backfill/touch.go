package backfill

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
)

// touchTable is asked in this order just before a touch; the first row that does not pass decides.
//
//	holds                                                      says
//	the UID is another one                                     refuse Gone
//	the present spec is not known, or does not parse           refuse SpecUnknown
//	suspended or stopped                                       refuse Suspended, Stopped
//	the annotation switches the audit off                      refuse SwitchedOff
//	a when expression that is plainly false now                wait: Argo would run and register nothing
//	shortly before a live firing, or after one                 wait
var touchTable = []func(*live) Admission{
	(*live).sameObject,
	(*live).switchedOff,
	(*live).audited,
	(*live).heeded,
	(*live).outsideBriefZone,
}

func (l *live) audited() Admission {
	if l.CronWorkflow.Settings.Off {
		return refuse(SwitchedOff, "Its annotation rollcall.dev/audit is off.").admission()
	}
	return pass
}

// heeded: where a firing is outstanding, Argo judges its when expression at the time of the event, and where that is false it
// leaves the schedule as it is.
func (l *live) heeded() Admission {
	opts := auditor.Options{ControllerZone: l.policy.ControllerZone, Grace: l.policy.Grace, DefaultDeadline: l.policy.DefaultDeadline}
	if held, err := auditor.WhenHolds(l.CronWorkflow, l.spec, l.now, opts); err == nil && !held {
		return wait(l.now.Add(time.Minute), "Its when expression is false now: %s", l.spec.When)
	}
	return pass
}

// Touch frees a stuck schedule: it writes an annotation, and the event has Argo register the
// schedule anew. It looks and writes once each, and retries nothing; its errors are those of the Submitter. Where it must not
// write, hold says why, and until when if that passes: it waits for nothing. A dry run looks, and touches nothing.
func (e *Executor) Touch(ctx context.Context, key Key, why string) (touched bool, hold Admission, err error) {
	o := e.options
	call, cancel := context.WithTimeout(ctx, o.Timing.Call)
	defer cancel()
	look, err := o.Submitter.Look(call, key)
	switch {
	case apierrors.IsNotFound(err):
		return false, refuse(Gone, "The CronWorkflow is gone: %v", err).admission(), nil
	case err != nil:
		return false, pass, fmt.Errorf("touch CronWorkflow %s: %w", key, err)
	}
	now := o.Now()
	l := newLive(look, key, time.Time{}, o.Policy, now)
	for _, row := range touchTable {
		if a := row(l); a.Decision != "" {
			return false, a, nil
		}
	}
	if o.DryRun {
		return false, pass, nil
	}
	limit := o.Timing.Call
	if d, ok := untilNext(look, o.Policy, now); ok {
		limit = min(limit, max(d-beforeFiring, beforeFiring))
	}
	write, cancelWrite := context.WithTimeout(ctx, limit)
	defer cancelWrite()
	if err := o.Submitter.Change(write, look, Change{Touched: now}); err != nil {
		return false, pass, fmt.Errorf("touch CronWorkflow %s: %w", key, err)
	}
	o.Log.Info("schedule touched", "cronworkflow", key.String(), "why", why)
	return true, pass, nil
}
