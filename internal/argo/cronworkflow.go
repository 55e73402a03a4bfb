package argo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	kjson "sigs.k8s.io/json"

	"rollcall.dev/rollcall/auditor"
)

type wireCronWorkflow struct {
	Metadata wireMeta                   `json:"metadata"`
	Spec     map[string]json.RawMessage `json:"spec"`
	Status   json.RawMessage            `json:"status"`
}

// cronWorkflow is a CronWorkflow as converted, with what else its evidence is found by.
type cronWorkflow struct {
	auditor.CronWorkflow
	// err says why it cannot be judged; CronWorkflow then has what its metadata says.
	err   error
	notes []string
	// template is the WorkflowTemplate it refers to, with an empty namespace for a ClusterWorkflowTemplate; nil when there is none.
	template *templateName
	// cronLabels are the values of the cron label that its runs carry: its name, and what workflowMetadata puts in its place.
	cronLabels []string
	// handled says that an Argo controller has left its last-used-schedule, or counted the end of a run, whoever made that.
	handled bool
	// writtenAt and newest as in workflow.
	writtenAt, newest time.Time
	// tracked says that the object has managedFields.
	tracked         bool
	resourceVersion string
}

func (c cronWorkflow) objectName() objectName { return objectName{c.Namespace, c.Name} }

// toCronWorkflow converts a CronWorkflow. Its workflowSpec is never decoded into Argo's types, so that one of a newer Argo
// does not matter; all else must be what Argo's own controller can read, or the CronWorkflow carries an error.
func toCronWorkflow(w *wireCronWorkflow, decoding error) cronWorkflow {
	m := w.Metadata
	c := cronWorkflow{
		CronWorkflow: auditor.CronWorkflow{
			Namespace:  m.Namespace,
			Name:       m.Name,
			UID:        m.UID,
			CreatedAt:  m.CreationTimestamp.time(),
			InstanceID: m.Labels[labelInstanceID],
		},
		cronLabels:      []string{m.Name},
		writtenAt:       m.writtenAt(),
		newest:          m.newest(),
		tracked:         len(m.ManagedFields) > 0,
		resourceVersion: m.ResourceVersion,
	}
	fail := func(err error) cronWorkflow {
		c.err = fmt.Errorf("CronWorkflow %s cannot be read: %w", c.objectName(), err)
		return c
	}
	if decoding != nil {
		return fail(decoding)
	}
	if err := m.wrongTime(); err != nil {
		return fail(err)
	}
	if c.CreatedAt.IsZero() {
		return fail(fmt.Errorf("metadata.creationTimestamp is %q, not a time", m.CreationTimestamp))
	}
	spec, err := decodeSpec(w.Spec)
	if err != nil {
		return fail(err)
	}
	status, err := decodeStatus(w.Status)
	if err != nil {
		return fail(err)
	}
	c.Epochs = []auditor.Epoch{{From: specSince(m, c.CreatedAt), Spec: toSpec(spec), Traceless: traceless(m)}}
	c.Status = toStatus(status, m)
	c.newest = later(c.newest, c.Status.LastScheduledTime)
	_, registered := m.Annotations[annotationLastSchedule]
	c.handled = registered || c.Status.Succeeded+c.Status.Failed > 0
	c.Retention, c.template = toRetention(m.Namespace, spec, w.Spec["workflowSpec"])
	c.Settings, c.notes = toSettings(m)
	c.When = toWhen(m, spec.When, status.Failed, status.Succeeded, c.CreatedAt)
	if spec.WorkflowMetadata != nil {
		if label, ok := spec.WorkflowMetadata.Labels[labelCronWorkflow]; ok && label != m.Name {
			c.cronLabels = append(c.cronLabels, label)
		}
	}
	return c
}

// decodeSpec decodes everything but the workflowSpec.
func decodeSpec(raw map[string]json.RawMessage) (wfv1.CronWorkflowSpec, error) {
	var spec wfv1.CronWorkflowSpec
	rest := make(map[string]json.RawMessage, len(raw))
	for field, value := range raw {
		if field != "workflowSpec" {
			rest[field] = value
		}
	}
	data, err := json.Marshal(rest)
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(data, &spec)
	}
	if err != nil {
		return spec, fmt.Errorf("spec: %w", err)
	}
	return spec, nil
}

func decodeStatus(raw json.RawMessage) (wfv1.CronWorkflowStatus, error) {
	var status wfv1.CronWorkflowStatus
	if len(raw) == 0 {
		return status, nil
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &status); err != nil {
		return status, fmt.Errorf("status: %w", err)
	}
	return status, nil
}

func toSpec(spec wfv1.CronWorkflowSpec) auditor.Spec {
	s := auditor.Spec{
		Timezone:     spec.Timezone,
		Suspend:      spec.Suspend,
		Policy:       auditor.Policy(spec.ConcurrencyPolicy),
		When:         spec.When,
		StopStrategy: spec.StopStrategy != nil,
	}
	if spec.Schedule != "" { // Argo does not look at schedules then
		s.Schedules = []string{spec.Schedule}
	} else if len(spec.Schedules) > 0 {
		s.Schedules = spec.Schedules
	}
	if s.Policy == "" {
		s.Policy = auditor.Allow
	}
	if d := spec.StartingDeadlineSeconds; d != nil && *d > 0 {
		s.StartingDeadline = seconds(*d)
	}
	return s
}

func toStatus(status wfv1.CronWorkflowStatus, m wireMeta) auditor.Status {
	s := auditor.Status{
		Stopped:   status.Phase == wfv1.StoppedPhase || m.Labels[labelCronCompleted] == "true",
		WrittenAt: m.writtenAt(),
		ChangedAt: m.changedAt(len(status.Active) > 0),
		Succeeded: status.Succeeded,
		Failed:    status.Failed,
		Intended:  parseTime(m.Annotations[annotationIntended]),
	}
	if t := status.LastScheduledTime; t != nil && t.Year() >= 1970 {
		s.LastScheduledTime = t.UTC()
	}
	for _, ref := range status.Active {
		s.Active = append(s.Active, ref.Name)
	}
	for _, condition := range status.Conditions {
		if condition.Status != "True" {
			continue
		}
		switch condition.Type {
		case wfv1.ConditionTypeSubmissionError:
			s.SubmissionError = condition.Message
		case wfv1.ConditionTypeSpecError:
			s.SpecError = condition.Message
		}
	}
	return s
}

// specSince is since when the spec is known to be what it is. Each field manager's entry in managedFields has the time at
// which that manager last changed something it owns, so the spec has not changed since the newest entry that owns part of it
// (with Argo's minimal CRDs a manager owns the whole spec). Without managedFields the spec is taken as unchanged since the
// creation. Where only entries remain that own none of the spec, somebody once cleared the list: nothing has changed the
// spec since then, and the oldest entry is younger than that.
func specSince(m wireMeta, createdAt time.Time) time.Time {
	var newest, oldest time.Time
	for _, f := range m.ManagedFields {
		at := f.Time.time()
		if at.IsZero() {
			continue
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
		if len(f.Fields.Spec) > 0 && string(f.Fields.Spec) != "null" {
			newest = later(newest, at)
		}
	}
	if newest.IsZero() {
		newest = oldest
	}
	if newest.Before(createdAt) { // also when there are no managedFields at all
		return createdAt
	}
	return newest
}

// served says whether an Argo controller has looked after it. A lastScheduledTime that Rollcall moved to a run of its own does not.
func (c cronWorkflow) served(runs []auditor.Run) bool {
	last := c.Status.LastScheduledTime
	name := auditor.WorkflowName(c.Name, last)
	ours := c.Status.Intended.Equal(last) || slices.ContainsFunc(runs, func(r auditor.Run) bool { return r.Name == name && r.BackfilledBy != "" })
	return c.handled || !last.IsZero() && !ours || slices.ContainsFunc(runs, func(r auditor.Run) bool { return ranBy(c.Name, c.UID, r) })
}

// ranBy says whether Argo made the run of a firing, as it may have before it could write anything to the CronWorkflow.
func ranBy(cron, uid string, r auditor.Run) bool {
	_, native := auditor.ScheduledTimeOf(cron, r.Name)
	return native && r.Owner == uid && r.Controlled && r.BackfilledBy == ""
}

// traceless says whether a field can have been removed from the spec without a trace: where managers own single fields of it,
// and not the whole, the one that loses a field keeps its old time (seen with Argo's full CRDs).
func traceless(m wireMeta) bool {
	return slices.ContainsFunc(m.ManagedFields, func(f wireManaged) bool { return single(f.Fields.Spec) })
}

// single says whether a manager owns single fields, and not the whole they are in.
func single(fields json.RawMessage) bool {
	text := strings.TrimSpace(string(fields))
	return strings.HasPrefix(text, "{") && text != "{}"
}

// seconds converts to a duration without running over.
func seconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Second)
	return time.Duration(min(max(n, 0), most)) * time.Second
}
