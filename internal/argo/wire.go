package argo

import (
	"encoding/json"
	"errors"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// The types of this file are the few fields of an object that matter here, in types that encoding/json fills as far as it
// can: a field of the wrong type stays empty, the rest is read, and the error names the first such field.

type wireMeta struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               string            `json:"uid"`
	ResourceVersion   string            `json:"resourceVersion"`
	CreationTimestamp string            `json:"creationTimestamp"`
	DeletionTimestamp string            `json:"deletionTimestamp"`
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
	OwnerReferences   []wireOwner       `json:"ownerReferences"`
	ManagedFields     []wireManaged     `json:"managedFields"`
}

type wireOwner struct {
	Kind       string `json:"kind"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller"`
}

type wireManaged struct {
	Manager string `json:"manager"`
	Time    string `json:"time"`
	Fields  struct {
		Spec     json.RawMessage `json:"f:spec"`
		Metadata struct {
			Labels      json.RawMessage `json:"f:labels"`
			Annotations json.RawMessage `json:"f:annotations"`
		} `json:"f:metadata"`
	} `json:"fieldsV1"`
}

func (m wireMeta) objectName() objectName { return objectName{m.Namespace, m.Name} }

// writtenAt is when Argo's controller last wrote to the object; zero when its managedFields do not tell.
func (m wireMeta) writtenAt() time.Time {
	var last time.Time
	for _, f := range m.ManagedFields {
		if f.Manager == controllerManager {
			last = later(last, parseTime(f.Time))
		}
	}
	return last
}

// newest is the newest time in the metadata.
func (m wireMeta) newest() time.Time {
	last := parseTime(m.CreationTimestamp)
	for _, f := range m.ManagedFields {
		last = later(last, parseTime(f.Time))
	}
	return last
}

type wireWorkflow struct {
	Metadata wireMeta `json:"metadata"`
	Status   struct {
		Phase      string `json:"phase"`
		StartedAt  string `json:"startedAt"`
		FinishedAt string `json:"finishedAt"`
	} `json:"status"`
}

// workflow is what is kept of a Workflow.
type workflow struct {
	namespace string
	run       auditor.Run
	// writtenAt is when Argo's controller last wrote to it.
	writtenAt time.Time
	// newest is the newest time in the object.
	newest time.Time
}

// toWorkflow converts a Workflow as far as it can be understood.
func toWorkflow(w *wireWorkflow) workflow {
	m := w.Metadata
	run := auditor.Run{
		Name:            m.Name,
		UID:             m.UID,
		ResourceVersion: m.ResourceVersion,
		CronLabel:       m.Labels[labelCronWorkflow],
		InstanceID:      m.Labels[labelInstanceID],
		ScheduledTime:   m.Annotations[annotationScheduledTime],
		BackfilledBy:    m.Labels[labelBackfilledBy],
		CreatedAt:       parseTime(m.CreationTimestamp),
		StartedAt:       parseTime(w.Status.StartedAt),
		FinishedAt:      parseTime(w.Status.FinishedAt),
		Deleting:        m.DeletionTimestamp != "",
		Succeeded:       w.Status.Phase == "Succeeded",
	}
	for _, o := range m.OwnerReferences {
		if o.Kind == "CronWorkflow" {
			run.Owner, run.Controlled = o.UID, o.Controller
			break
		}
	}
	writtenAt := m.writtenAt()
	if ended(w) && run.FinishedAt.IsZero() {
		// It ended and does not say when: Argo's last write is close to it.
		run.FinishedAt = later(writtenAt, run.CreatedAt)
	}
	return workflow{
		namespace: m.Namespace,
		run:       run,
		writtenAt: writtenAt,
		newest:    later(m.newest(), later(run.StartedAt, run.FinishedAt)),
	}
}

func ended(w *wireWorkflow) bool {
	switch w.Status.Phase {
	case "Succeeded", "Failed", "Error":
		return true
	}
	return w.Metadata.Labels[labelCompleted] == "true"
}

// parseTime reads a time as Kubernetes writes it, in UTC; what is none is the zero time.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 {
		return time.Time{}
	}
	return t.UTC()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// wrongType says whether decoding failed only for fields of a type that was not expected; all others were then read.
func wrongType(err error) bool {
	var mismatch *json.UnmarshalTypeError
	return errors.As(err, &mismatch)
}
