package sim

import (
	"slices"
	"time"

	"rollcall.dev/rollcall/test/exam/fake"
	"rollcall.dev/rollcall/test/exam/witness"
)

// truth is what the witness sees. All its methods are called with the server locked.
type truth struct {
	crons   []*witness.CronWorkflow
	byUID   map[string]*witness.CronWorkflow
	runs    []*witness.Workflow
	runByID map[string]*witness.Workflow
	outages []witness.Outage
	// unrecorded are the runs that Rollcall made and did not have on record before.
	unrecorded []witness.Mistake
}

// Unrecorded is the kind of mistake that the witness cannot see from outside: an act that was not on record before.
const Unrecorded witness.Kind = "Unrecorded"

func (t *truth) madeUnrecorded(cw *fake.CronWorkflow, scheduled time.Time) {
	t.unrecorded = append(t.unrecorded, witness.Mistake{
		Kind: Unrecorded, Namespace: cw.Namespace, Name: cw.Name, UID: cw.UID, ScheduledTime: scheduled,
		Why: "Rollcall made its run at " + now().Format(time.TimeOnly) + ", and no record had it that it would",
	})
}

func newTruth() *truth {
	return &truth{byUID: map[string]*witness.CronWorkflow{}, runByID: map[string]*witness.Workflow{}}
}

func now() time.Time { return time.Now().UTC() }

func (t *truth) saw(e fake.Event) {
	switch {
	case e.CronWorkflow != nil:
		t.sawCron(e.CronWorkflow, e.Gone)
	default:
		t.sawRun(e.Workflow, e.Gone)
	}
}

func (t *truth) sawCron(cw *fake.CronWorkflow, gone bool) {
	c := t.byUID[cw.UID]
	if c == nil {
		c = &witness.CronWorkflow{Namespace: cw.Namespace, Name: cw.Name, UID: cw.UID, Created: cw.Created}
		t.byUID[cw.UID] = c
		t.crons = append(t.crons, c)
	}
	if gone {
		c.Deleted = now()
		return
	}
	if c.Served.IsZero() && t.served(cw) {
		c.Served = now()
	}
	spec := specOf(cw)
	if n := len(c.Specs); n == 0 || differs(c.Specs[n-1], spec) {
		if n == 0 {
			spec.From = cw.Created
		}
		c.Specs = append(c.Specs, spec)
	}
	status := witness.Status{
		At: now(), LastScheduledTime: cw.Status.Last, Active: len(cw.Status.Active), Stopped: cw.Status.Phase == fake.Stopped || cw.Labels[fake.Completed] == "true",
		SubmissionError: cw.Status.SubmissionError != "",
	}
	status.Intended, _ = time.Parse(time.RFC3339, cw.Annotations[fake.Intended])
	if n := len(c.Statuses); n > 0 {
		last := c.Statuses[n-1]
		last.At = status.At
		if last == status {
			return
		}
	}
	c.Statuses = append(c.Statuses, status)
}

// served says whether Argo has left something of itself: that Rollcall moved lastScheduledTime for a run of its own is nothing of Argo's.
func (t *truth) served(cw *fake.CronWorkflow) bool {
	_, registered := cw.Annotations[fake.LastUsedSchedule]
	last := cw.Status.Last
	if registered || cw.Status.Succeeded+cw.Status.Failed > 0 {
		return true
	}
	return !last.IsZero() && cw.Annotations[fake.Intended] != last.Format(time.RFC3339) && !slices.ContainsFunc(t.runs, func(r *witness.Workflow) bool {
		return r.OwnerUID == cw.UID && r.BackfilledBy != "" && r.ScheduledTime.Equal(last)
	})
}

func specOf(cw *fake.CronWorkflow) witness.Spec {
	s := cw.Spec
	out := witness.Spec{
		From: now(), Schedules: s.Schedules, Timezone: s.Timezone, Suspend: s.Suspend, Policy: s.Policy,
		StartingDeadline: time.Duration(s.Deadline) * time.Second, Deadline: cw.Settings.Deadline, When: s.When, StopStrategy: s.StopAfter > 0, TTL: -1,
		CatchUp: string(cw.Settings.CatchUp), Backfill: string(cw.Settings.Backfill), Grace: cw.Settings.Grace, AuditOff: cw.Settings.Off,
	}
	if s.When != "" {
		out.WhenAt = s.Holds
	}
	out.SuccessfulLimit, out.FailedLimit = s.Limits()
	if s.TTL != nil {
		out.TTL = time.Duration(*s.TTL) * time.Second
	}
	return out
}

func differs(a, b witness.Spec) bool {
	if len(a.Schedules) != len(b.Schedules) {
		return true
	}
	for i := range a.Schedules {
		if a.Schedules[i] != b.Schedules[i] {
			return true
		}
	}
	return a.Timezone != b.Timezone || a.Suspend != b.Suspend || a.Policy != b.Policy || a.StartingDeadline != b.StartingDeadline || a.Deadline != b.Deadline ||
		a.When != b.When || a.StopStrategy != b.StopStrategy || a.TTL != b.TTL || a.SuccessfulLimit != b.SuccessfulLimit || a.FailedLimit != b.FailedLimit ||
		a.CatchUp != b.CatchUp || a.Backfill != b.Backfill || a.Grace != b.Grace || a.AuditOff != b.AuditOff
}

func (t *truth) sawRun(w *fake.Workflow, gone bool) {
	r := t.runByID[w.UID]
	if r == nil {
		r = &witness.Workflow{
			Namespace: w.Namespace, Name: w.Name, UID: w.UID, CronWorkflow: w.CronLabel, ScheduledTime: w.Scheduled, BackfilledBy: w.BackfilledBy,
			Created: w.Created,
		}
		if w.Controlled {
			r.OwnerUID = w.Owner
		}
		t.runByID[w.UID] = r
		t.runs = append(t.runs, r)
	}
	if !r.Ended.IsZero() && !w.Fulfilled() && !gone {
		// A run that was retried is under way once more: for the witness that is another one, and no firing's.
		r.Retried = now()
		again := *r
		again.Name, again.BackfilledBy = w.Name+"-retried", ""
		again.Created, again.Started, again.Ended, again.Terminated = now(), time.Time{}, time.Time{}, time.Time{}
		r = &again
		t.runByID[w.UID] = r
		t.runs = append(t.runs, r)
	}
	if w.Shutdown && r.Terminated.IsZero() {
		r.Terminated = now()
	}
	// When it began and ended is by the witness's own clock, whatever Argo's says.
	if w.Phase != "" && r.Started.IsZero() {
		r.Started = now()
	}
	if r.Failed = w.Fulfilled() && w.Phase != fake.Succeeded; w.Fulfilled() && r.Ended.IsZero() {
		r.Ended = now()
	}
	if gone {
		for _, of := range t.runs {
			if of.UID == w.UID {
				of.Deleted, of.DeletedByHand = now(), w.ByHand
			}
		}
	}
}

func (t *truth) told() witness.Truth {
	out := witness.Truth{Outages: t.outages}
	for _, c := range t.crons {
		out.CronWorkflows = append(out.CronWorkflows, *c)
	}
	for _, r := range t.runs {
		out.Workflows = append(out.Workflows, *r)
	}
	return out
}
