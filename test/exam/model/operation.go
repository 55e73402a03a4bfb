package model

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/test/exam/fake"
)

// operation is a cronWfOperationCtx (workflow/cron/operator.go): what is done about one CronWorkflow, by the copy of it that was
// read when it was processed. All its expressions share it, until the object is processed again.
type operation struct {
	c *Controller

	mu sync.Mutex
	cw fake.CronWorkflow // woc.cronWf
}

func (c *Controller) operate(cw *fake.CronWorkflow) *operation {
	return &operation{c: c, cw: own(cw)}
}

// own is a copy that may be changed.
func own(cw *fake.CronWorkflow) fake.CronWorkflow {
	mine := *cw
	mine.Annotations, mine.Labels = maps.Clone(cw.Annotations), maps.Clone(cw.Labels)
	if mine.Annotations == nil {
		mine.Annotations = map[string]string{}
	}
	if mine.Labels == nil {
		mine.Labels = map[string]string{}
	}
	mine.Status.Active = slices.Clone(cw.Status.Active)
	return mine
}

// tick is Run, in a goroutine of its own: what the scheduled time is it asks only then.
func (o *operation) tick() {
	o.c.pause(time.Duration(o.c.server.Rand(3000)) * time.Microsecond)
	if o.c.client.Pass() {
		o.run(o.c.timer.prev(o.cw.Key))
	}
}

// run is run: the decisions in their order, and the status written whatever came of them.
func (o *operation) run(scheduled time.Time) {
	defer o.persist()
	o.mu.Lock()
	if o.newSchedule() {
		o.cw.Annotations[fake.LastUsedSchedule] = lastUsed(o.cw.Spec)
	}
	if o.stops() {
		o.complete()
	}
	cw := own(&o.cw)
	o.mu.Unlock()
	if !valid(&cw) {
		return
	}
	proceed, err := o.proceeds(cw)
	if err != nil {
		o.report("run policy error: " + err.Error())
		return
	}
	if !proceed {
		return
	}
	w := fake.NewRun(&cw, auditor.WorkflowName(cw.Name, scheduled), scheduled)
	made, err := o.submit(w)
	switch {
	case apierrors.IsAlreadyExists(err):
		return // neither status.active nor lastScheduledTime tell of it
	case err != nil:
		o.report("Failed to submit Workflow: " + err.Error())
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cw.Status.Active = append(slices.Clone(o.cw.Status.Active), fake.Ref{Name: made.Name, UID: made.UID})
	o.cw.Status.Phase = fake.Active
	o.cw.Status.Last = fake.Second(scheduled)
	o.cw.Status.SubmissionError = ""
}

// newSchedule is IsUsingNewSchedule.
func (o *operation) newSchedule() bool {
	last, ok := o.cw.Annotations[fake.LastUsedSchedule]
	return !ok || last != lastUsed(o.cw.Spec)
}

// stops is checkStopingCondition for the stopStrategies of the exam.
func (o *operation) stops() bool {
	return o.cw.Spec.StopAfter > 0 && o.cw.Status.Failed >= int64(o.cw.Spec.StopAfter)
}

// complete is setAsCompleted.
func (o *operation) complete() {
	o.cw.Status.Phase = fake.Stopped
	o.cw.Labels[fake.Completed] = "true"
}

// proceeds is enforceRuntimePolicy.
func (o *operation) proceeds(cw fake.CronWorkflow) (bool, error) {
	switch {
	case cw.Spec.Suspend, cw.Status.Phase == fake.Stopped, !cw.Spec.Holds(o.c.now()):
		return false, nil
	case cw.Spec.Policy == "Forbid" && len(cw.Status.Active) > 0:
		return false, nil
	case cw.Spec.Policy == "Replace":
		for _, ref := range cw.Status.Active {
			if err := o.terminate(fake.Key{Namespace: cw.Namespace, Name: ref.Name}); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// terminate is TerminateWorkflow (workflow/util/util.go) as terminateOutstandingWorkflows takes it: what is gone or has ended is
// fine.
func (o *operation) terminate(key fake.Key) error {
	err := backoff(func() error {
		w, err := o.c.client.Run(o.c.ctx, key)
		if err != nil || w.Fulfilled() {
			return err
		}
		return o.c.client.UpdateRun(o.c.ctx, key, w.UID, func(w *fake.Workflow) { w.Shutdown = true })
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// submit is SubmitWorkflow (workflow/util/util.go).
func (o *operation) submit(w fake.Workflow) (made *fake.Workflow, err error) {
	err = backoff(func() error {
		made, err = o.c.client.CreateRun(o.c.ctx, w)
		return err
	})
	return made, err
}

// backoff is waitutil.Backoff with retry.DefaultRetry (util/wait, util/retry): five tries, the first pause 10 ms, doubled each
// time. After the last one the error is a text.
func backoff(f func() error) error {
	pause := 10 * time.Millisecond
	var err error
	for try := range 5 {
		if err = f(); err == nil || !transient(err) {
			return err
		}
		if try < 4 {
			time.Sleep(pause)
			pause *= 2
		}
	}
	return fmt.Errorf("timed out waiting for the condition: %v", err) //nolint:errorlint // as Argo has it
}

// transient is IsTransientErr (util/errors/errors.go), as far as the fake's errors go.
func transient(err error) bool {
	var network *net.OpError
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"), apierrors.IsTooManyRequests(err),
		apierrors.IsServerTimeout(err), apierrors.IsServiceUnavailable(err):
		return true
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
		return true
	}
	return strings.Contains(err.Error(), "etcdserver: leader changed") || strings.Contains(err.Error(), "etcdserver: request timed out")
}

// report is reportCronWorkflowError with a SubmissionError.
func (o *operation) report(message string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cw.Status.SubmissionError = message
	o.cw.Status.Failed++
}

// persist is persistUpdate: a merge patch of the whole status and all annotations and labels, as this copy has them, without a
// resourceVersion. What somebody has written since is overwritten (#12625).
func (o *operation) persist() {
	o.mu.Lock()
	mine := own(&o.cw)
	o.mu.Unlock()
	o.patch(func(cw *fake.CronWorkflow) {
		cw.Status = mine.Status
		maps.Copy(cw.Annotations, mine.Annotations)
		maps.Copy(cw.Labels, mine.Labels)
	})
}

func (o *operation) patch(change func(*fake.CronWorkflow)) {
	err := backoff(func() error {
		patched, err := o.c.client.PatchCron(o.c.ctx, o.cw.Key, change)
		if err == nil {
			o.mu.Lock()
			o.cw = own(patched)
			o.mu.Unlock()
		}
		return err
	})
	_ = err // Argo logs it
}

// outstanding is shouldOutstandingWorkflowsBeRun: the latest missed firing of the first expression that has one inside the
// deadline, and nothing where the schedule has just been edited or nothing has run yet.
func (o *operation) outstanding(now time.Time) time.Time {
	last := o.cw.Status.Last
	if o.newSchedule() || last.IsZero() {
		return time.Time{}
	}
	for _, expression := range expressions(o.cw.Spec) {
		schedule, err := parse(expression)
		if err != nil {
			return time.Time{}
		}
		var missed time.Time
		for next := schedule.Next(last); next.Before(now) && !next.IsZero(); next = schedule.Next(missed) {
			missed = next
		}
		deadline := time.Duration(o.cw.Spec.Deadline) * time.Second
		if !missed.IsZero() && deadline > 0 && now.Before(missed.Add(deadline)) {
			return missed
		}
	}
	return time.Time{}
}
