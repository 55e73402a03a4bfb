package argo

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// The types of this file are the few fields of an object that matter here, in types that encoding/json fills as far as it
// can: a field of the wrong type stays empty, the rest is read, and the error names the first such field. Times are kept as they
// stand, and say themselves when they are none.

type wireMeta struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               string            `json:"uid"`
	ResourceVersion   string            `json:"resourceVersion"`
	CreationTimestamp wireTime          `json:"creationTimestamp"`
	DeletionTimestamp wireTime          `json:"deletionTimestamp"`
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
	Manager string   `json:"manager"`
	Time    wireTime `json:"time"`
	Fields  struct {
		Spec     json.RawMessage `json:"f:spec"`
		Status   json.RawMessage `json:"f:status"`
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
			last = later(last, f.Time.time())
		}
	}
	return last
}

// changedAt is since when status.active has been as it is, at the latest: since anybody last wrote to the object. Where managers own single
// fields of the status, as with Argo's full CRDs, a write that only takes fields away moves no time: then only a list that is there tells,
// by those who own it. Zero where that is not certain.
func (m wireMeta) changedAt(active bool) time.Time {
	switch {
	case len(m.ManagedFields) == 0:
		return time.Time{}
	case !slices.ContainsFunc(m.ManagedFields, func(f wireManaged) bool { return single(f.Fields.Status) }):
		return m.newest()
	}
	var last time.Time
	for _, f := range m.ManagedFields {
		var fields map[string]json.RawMessage
		if active && json.Unmarshal(f.Fields.Status, &fields) == nil && fields["f:active"] != nil {
			last = later(last, f.Time.time())
		}
	}
	return last
}

// wrongTime is an error that names a field which should be a time and is none.
func (m wireMeta) wrongTime() error {
	for i, f := range m.ManagedFields {
		if err := f.Time.wrong("metadata.managedFields[%d].time", i); err != nil {
			return err
		}
	}
	return cmp.Or(m.CreationTimestamp.wrong("metadata.creationTimestamp"), m.DeletionTimestamp.wrong("metadata.deletionTimestamp"))
}

// newest is the newest time in the metadata.
func (m wireMeta) newest() time.Time {
	last := m.CreationTimestamp.time()
	for _, f := range m.ManagedFields {
		last = later(last, f.Time.time())
	}
	return last
}

type wireWorkflow struct {
	Metadata wireMeta `json:"metadata"`
	Status   struct {
		Phase      string   `json:"phase"`
		StartedAt  wireTime `json:"startedAt"`
		FinishedAt wireTime `json:"finishedAt"`
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
	// unreadable says what of it cannot be read; nil when all can. Whatever that is, it may have been a run of any CronWorkflow
	// that the rest does not speak against, active at any time.
	unreadable error
}

// toWorkflow converts a Workflow as far as it can be understood; decoding is what was not.
func toWorkflow(w *wireWorkflow, decoding error) workflow {
	m := w.Metadata
	run := auditor.Run{
		Name:            m.Name,
		UID:             m.UID,
		ResourceVersion: m.ResourceVersion,
		CronLabel:       m.Labels[labelCronWorkflow],
		InstanceID:      m.Labels[labelInstanceID],
		ScheduledTime:   m.Annotations[annotationScheduledTime],
		BackfilledBy:    m.Labels[labelBackfilledBy],
		CreatedAt:       m.CreationTimestamp.time(),
		StartedAt:       w.Status.StartedAt.time(),
		FinishedAt:      w.Status.FinishedAt.time(),
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
		namespace:  m.Namespace,
		run:        run,
		writtenAt:  writtenAt,
		newest:     later(m.newest(), later(run.StartedAt, run.FinishedAt)),
		unreadable: cmp.Or(decoding, m.wrongTime(), w.Status.StartedAt.wrong("status.startedAt"), w.Status.FinishedAt.wrong("status.finishedAt")),
	}
}

func (w workflow) spoken() string {
	if w.run.Name == "" {
		return "a Workflow without a name"
	}
	return "Workflow " + w.objectName().String()
}

// malformed says for people what comes of it that it cannot be read.
func (w workflow) malformed() string {
	return fmt.Sprintf("%s is malformed (%v); it counts as a run by what can be read of it, and what it may be a run of is never certainly a miss.",
		w.spoken(), w.unreadable)
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
	var notTime wrongTime
	return errors.As(err, &mismatch) || errors.As(err, &notTime)
}

// wireTime is a time as it stands there: empty where there is none or null, and JSON where it is anything else than a text.
type wireTime string

// UnmarshalJSON takes any value.
func (t *wireTime) UnmarshalJSON(value []byte) error {
	switch {
	case string(value) == "null":
	case len(value) > 2 && value[0] == '"':
		*t = wireTime(value[1 : len(value)-1]) // no time has anything that JSON escapes
	default:
		*t = wireTime(value)
	}
	return nil
}

// time is the zero time for what is none.
func (t wireTime) time() time.Time { return parseTime(string(t)) }

// wrong is an error that names the field where there is something that is no time.
func (t wireTime) wrong(field string, args ...any) error {
	if t == "" || isTime(string(t)) {
		return nil
	}
	return wrongTime{fmt.Sprintf(field, args...), string(t)}
}

// wrongTime is an error about one field.
type wrongTime struct{ field, value string }

func (e wrongTime) Error() string {
	return fmt.Sprintf("%s is %q, not a time", e.field, quotable(e.value))
}

func isTime(s string) bool {
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}
