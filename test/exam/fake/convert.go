package fake

import (
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/argo"
)

// toCron is what internal/argo makes of a CronWorkflow (toCronWorkflow), without what is told by other objects.
func toCron(cw *CronWorkflow) auditor.CronWorkflow {
	spec := auditor.Spec{
		Schedules: cw.Spec.Schedules, Timezone: cw.Spec.Timezone, Suspend: cw.Spec.Suspend, Policy: auditor.Policy(cw.Spec.Policy),
		StartingDeadline: time.Duration(cw.Spec.Deadline) * time.Second, When: cw.Spec.When, StopStrategy: cw.Spec.StopAfter > 0,
	}
	if spec.Policy == "" {
		spec.Policy = auditor.Allow
	}
	from := cw.SpecAt
	if from.Before(cw.Created) {
		from = cw.Created
	}
	out := auditor.CronWorkflow{
		Namespace: cw.Namespace, Name: cw.Name, UID: cw.UID, CreatedAt: cw.Created,
		Epochs: []auditor.Epoch{{From: from, Spec: spec, Traceless: cw.Singly}},
		Status: auditor.Status{
			LastScheduledTime: cw.Status.Last, Succeeded: cw.Status.Succeeded, Failed: cw.Status.Failed, Stopped: cw.Status.Phase == Stopped || cw.Labels[Completed] == "true",
			SubmissionError: cw.Status.SubmissionError, WrittenAt: cw.ArgoAt, Intended: readTime(cw.Annotations[Intended]),
		},
		Retention: retention(cw), Settings: cw.Settings,
	}
	switch {
	case !cw.Singly:
		out.Status.ChangedAt = cw.ChangedAt
	case len(cw.Status.Active) > 0:
		out.Status.ChangedAt = cw.ActiveAt
	}
	if cw.Status.Last.Year() < 1970 {
		out.Status.LastScheduledTime = time.Time{}
	}
	for _, ref := range cw.Status.Active {
		out.Status.Active = append(out.Status.Active, ref.Name)
	}
	if cw.Spec.When != "" {
		out.When = argo.When{
			Namespace: cw.Namespace, Name: cw.Name, Failed: cw.Status.Failed, Succeeded: cw.Status.Succeeded, CountedSince: cw.ArgoAt,
			LabelsSince: cw.Created, AnnotationsSince: cw.MetaAt,
		}
	}
	return out
}

func readTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func retention(cw *CronWorkflow) auditor.Retention {
	r := auditor.Retention{TTL: -1}
	r.Successful, r.Failed = cw.Spec.Limits()
	if cw.Spec.TTL != nil {
		r.TTL = time.Duration(*cw.Spec.TTL) * time.Second
	}
	return r
}

// serves as in internal/argo/watch_objects.go: a lastScheduledTime that Rollcall moved to a run of its own is no sign of Argo. Ran says
// that Argo has been seen to have made a run of it.
func serves(cw *CronWorkflow, ran bool, backfilled func(name string) bool) bool {
	if _, registered := cw.Annotations[LastUsedSchedule]; registered || ran || cw.Status.Succeeded+cw.Status.Failed > 0 {
		return true
	}
	last := cw.Status.Last
	if last.Year() < 1970 {
		return false
	}
	return !readTime(cw.Annotations[Intended]).Equal(last) && !backfilled(auditor.WorkflowName(cw.Name, last))
}

// ranBy says whether Argo made the run of a firing of the CronWorkflow of that UID.
func ranBy(uid string, run auditor.Run) bool {
	_, native := nativeOf(run.Name)
	return native && run.Owner == uid && run.Controlled && run.BackfilledBy == ""
}

// toRun is what internal/argo makes of a whole Workflow (toWorkflow).
func toRun(w *Workflow) auditor.Run {
	run := auditor.Run{
		Name: w.Name, UID: w.UID, ResourceVersion: version(w.Version), Owner: w.Owner, Controlled: w.Controlled, CronLabel: w.CronLabel,
		ScheduledTime: w.Scheduled.Format(time.RFC3339), BackfilledBy: w.BackfilledBy, CreatedAt: w.Created, StartedAt: w.Started,
		FinishedAt: w.Finished, Succeeded: w.Phase == Succeeded,
	}
	return run
}

// toMetadata is what it makes of a Workflow's metadata: when it ended is when Argo last wrote to it.
func toMetadata(w *Workflow) auditor.Run {
	run := toRun(w)
	run.StartedAt, run.FinishedAt = time.Time{}, time.Time{}
	if w.Phase != "" && w.Phase != Pending {
		run.StartedAt = w.Created
	}
	if w.Fulfilled() {
		run.FinishedAt = w.Created
		if w.ArgoAt.After(w.Created) {
			run.FinishedAt = w.ArgoAt
		}
	}
	return run
}

// ownRuns are the runs of a CronWorkflow, sorted by name: Look asks for those with its label. Call it with mu.
func (s *Server) ownRuns(cw *CronWorkflow) []auditor.Run {
	var runs []auditor.Run
	for _, w := range s.runs {
		if w.Namespace == cw.Namespace && w.CronLabel == cw.Name {
			runs = append(runs, toRun(w))
		}
	}
	slices.SortFunc(runs, func(a, b auditor.Run) int { return strings.Compare(a.Name, b.Name) })
	return runs
}
