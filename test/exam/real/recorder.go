package real

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	coordination "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"rollcall.dev/rollcall/test/exam/witness"
)

// A recorder makes facts of what etcd holds. It reads Argo's and Rollcall's objects by itself: it shares no code with Rollcall.
type recorder struct {
	// whens says what the when expressions of the exam amount to.
	whens map[string]func(time.Time) bool
	// lease is the key of the Lease that Rollcall's leader holds.
	lease string

	mu        sync.Mutex
	keys      map[string]string // the UID of what is there
	workflows map[string]*witness.Workflow
	crons     map[string]*witness.CronWorkflow
	verdicts  []witness.Verdict
	said      map[string]string // what a CronAudit said last of a firing
	holds     []hold
	bad       []string
}

// hold is a time at which the holder of the Lease was known to hold it.
type hold struct {
	holder string
	at     time.Time
}

func newRecorder(whens map[string]func(time.Time) bool, lease string) *recorder {
	return &recorder{
		whens: whens, lease: lease, keys: map[string]string{}, workflows: map[string]*witness.Workflow{}, crons: map[string]*witness.CronWorkflow{},
		said: map[string]string{},
	}
}

// take takes in one change, at the time now.
func (r *recorder) take(key string, value []byte, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	switch {
	case strings.HasPrefix(key, "/registry/argoproj.io/workflows/"):
		err = r.workflow(key, value, now)
	case strings.HasPrefix(key, "/registry/argoproj.io/cronworkflows/"):
		err = r.cron(key, value, now)
	case strings.HasPrefix(key, "/registry/rollcall.dev/cronaudits/"):
		err = r.audit(value, now)
	case key == r.lease:
		err = r.held(value, now)
	}
	if err != nil {
		r.bad = append(r.bad, fmt.Sprintf("%s: %v", key, err))
	}
}

type metadata struct {
	Name, Namespace, UID string
	Labels, Annotations  map[string]string
	CreationTimestamp    time.Time
	DeletionTimestamp    *time.Time
	OwnerReferences      []struct {
		Kind, UID  string
		Controller bool
	}
}

func (r *recorder) workflow(key string, value []byte, now time.Time) error {
	if value == nil {
		if w := r.workflows[r.keys[key]]; w != nil && w.Deleted.IsZero() {
			w.Deleted = now
		}
		delete(r.keys, key)
		return nil
	}
	var o struct {
		Metadata metadata
		Spec     struct{ Shutdown string }
		Status   struct {
			Phase                 string
			StartedAt, FinishedAt *time.Time
		}
	}
	if err := json.Unmarshal(value, &o); err != nil {
		return err
	}
	m := o.Metadata
	w := r.workflows[m.UID]
	if w == nil {
		w = &witness.Workflow{
			Namespace: m.Namespace, Name: m.Name, UID: m.UID, CronWorkflow: m.Labels["workflows.argoproj.io/cron-workflow"],
			BackfilledBy: m.Labels["rollcall.dev/backfilled-by"], Created: m.CreationTimestamp,
		}
		for _, owner := range m.OwnerReferences {
			if owner.Controller && owner.Kind == "CronWorkflow" {
				w.OwnerUID = owner.UID
			}
		}
		w.ScheduledTime, _ = time.Parse(time.RFC3339, m.Annotations["workflows.argoproj.io/scheduled-time"])
		r.workflows[m.UID] = w
		r.keys[key] = m.UID
	}
	if o.Spec.Shutdown != "" && w.Terminated.IsZero() {
		w.Terminated = now
	}
	if o.Status.StartedAt != nil && w.Started.IsZero() {
		w.Started = *o.Status.StartedAt
	}
	if o.Status.FinishedAt != nil && w.Ended.IsZero() {
		w.Ended, w.Failed = *o.Status.FinishedAt, o.Status.Phase != "Succeeded"
	}
	if m.DeletionTimestamp != nil && w.Deleted.IsZero() {
		w.Deleted = now
	}
	return nil
}

// cronObject is what the exam reads of a CronWorkflow.
type cronObject struct {
	Metadata metadata
	Spec     struct {
		Schedule, Timezone, ConcurrencyPolicy, When        string
		Schedules                                          []string
		Suspend                                            bool
		StartingDeadlineSeconds                            int64
		SuccessfulJobsHistoryLimit, FailedJobsHistoryLimit *int
		StopStrategy                                       *struct{}
		WorkflowSpec                                       struct {
			TTLStrategy *struct{ SecondsAfterCompletion *int64 }
		}
	}
	Status struct {
		LastScheduledTime *time.Time
		Active            []struct{}
		Phase             string
		Conditions        []struct{ Type, Status string }
	}
}

func (r *recorder) cron(key string, value []byte, now time.Time) error {
	if value == nil {
		if c := r.crons[r.keys[key]]; c != nil && c.Deleted.IsZero() {
			c.Deleted = now
		}
		delete(r.keys, key)
		return nil
	}
	var o cronObject
	if err := json.Unmarshal(value, &o); err != nil {
		return err
	}
	m := o.Metadata
	c := r.crons[m.UID]
	if c == nil {
		c = &witness.CronWorkflow{Namespace: m.Namespace, Name: m.Name, UID: m.UID, Created: m.CreationTimestamp}
		r.crons[m.UID] = c
		r.keys[key] = m.UID
	}
	if m.DeletionTimestamp != nil && c.Deleted.IsZero() {
		c.Deleted = now
	}
	spec, err := r.spec(o, now)
	if err != nil {
		return err
	}
	if n := len(c.Specs); n == 0 {
		spec.From = m.CreationTimestamp
		c.Specs = append(c.Specs, spec)
	} else if !sameSpec(c.Specs[n-1], spec) {
		c.Specs = append(c.Specs, spec)
	}
	if c.Served.IsZero() && (o.Status.LastScheduledTime != nil || m.Annotations["cronworkflows.argoproj.io/last-used-schedule"] != "") {
		c.Served = now
	}
	status := witness.Status{At: now, Active: len(o.Status.Active), Stopped: o.Status.Phase == "Stopped"}
	status.Intended, _ = time.Parse(time.RFC3339, m.Annotations["rollcall.dev/intended"])
	if o.Status.LastScheduledTime != nil {
		status.LastScheduledTime = *o.Status.LastScheduledTime
	}
	for _, condition := range o.Status.Conditions {
		status.SubmissionError = status.SubmissionError || condition.Type == "SubmissionError" && condition.Status == "True"
	}
	c.Statuses = append(c.Statuses, status)
	return nil
}

func (r *recorder) spec(o cronObject, now time.Time) (witness.Spec, error) {
	s := witness.Spec{
		From: now, Schedules: o.Spec.Schedules, Timezone: o.Spec.Timezone, Suspend: o.Spec.Suspend, Policy: o.Spec.ConcurrencyPolicy,
		StartingDeadline: time.Duration(o.Spec.StartingDeadlineSeconds) * time.Second, When: o.Spec.When, WhenAt: r.whens[o.Spec.When],
		StopStrategy: o.Spec.StopStrategy != nil, SuccessfulLimit: 3, FailedLimit: 1, TTL: -1,
	}
	if o.Spec.Schedule != "" {
		s.Schedules = append([]string{o.Spec.Schedule}, s.Schedules...)
	}
	if limit := o.Spec.SuccessfulJobsHistoryLimit; limit != nil {
		s.SuccessfulLimit = *limit
	}
	if limit := o.Spec.FailedJobsHistoryLimit; limit != nil {
		s.FailedLimit = *limit
	}
	if ttl := o.Spec.WorkflowSpec.TTLStrategy; ttl != nil && ttl.SecondsAfterCompletion != nil {
		s.TTL = time.Duration(*ttl.SecondsAfterCompletion) * time.Second
	}
	notes := o.Metadata.Annotations
	s.CatchUp, s.Backfill, s.AuditOff = notes["rollcall.dev/catch-up"], notes["rollcall.dev/backfill"], notes["rollcall.dev/audit"] == "off"
	for name, to := range map[string]*time.Duration{"rollcall.dev/deadline": &s.Deadline, "rollcall.dev/grace": &s.Grace} {
		if notes[name] == "" {
			continue
		}
		d, err := time.ParseDuration(notes[name])
		if err != nil {
			return s, fmt.Errorf("annotation %s: %w", name, err)
		}
		*to = d
	}
	return s, nil
}

func sameSpec(a, b witness.Spec) bool {
	a.From, b.From = time.Time{}, time.Time{}
	a.WhenAt, b.WhenAt = nil, nil
	return reflect.DeepEqual(a, b)
}

// saidFiring is what a CronAudit or an audit says of one.
type saidFiring struct {
	ScheduledTime                     time.Time
	Verdict, Reason, Certainty, Cause string
}

// audit takes in what a CronAudit says, as far as it has not said so before.
func (r *recorder) audit(value []byte, now time.Time) error {
	if value == nil {
		return nil
	}
	var o struct {
		Metadata metadata
		Status   struct {
			ObservedUID              string
			Open, Unsettled, Notable []saidFiring
			Record                   struct{ Runs []saidFiring }
		}
	}
	if err := json.Unmarshal(value, &o); err != nil {
		return err
	}
	for _, f := range slices.Concat(o.Status.Notable, o.Status.Unsettled, o.Status.Open, o.Status.Record.Runs) {
		key := fmt.Sprint(o.Status.ObservedUID, f.ScheduledTime.Unix())
		text := f.Verdict + "/" + f.Reason + "/" + f.Certainty
		if r.said[key] == text || r.said[key] != "" && f.Reason == "" && f.Certainty == "" && strings.HasPrefix(r.said[key], f.Verdict+"/") {
			continue // record.runs repeats the verdict alone
		}
		r.said[key] = text
		r.verdicts = append(r.verdicts, witness.Verdict{
			Namespace: o.Metadata.Namespace, Name: o.Metadata.Name, UID: o.Status.ObservedUID, ScheduledTime: f.ScheduledTime, Verdict: f.Verdict,
			Reason: f.Reason, Certainty: f.Certainty, Cause: f.Cause, SaidAt: now, Where: "CronAudit",
		})
	}
	return nil
}

func (r *recorder) held(value []byte, now time.Time) error {
	if value == nil {
		return nil
	}
	var lease coordination.Lease
	if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(value, nil, &lease); err != nil {
		return err
	}
	if lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "" {
		r.holds = append(r.holds, hold{*lease.Spec.HolderIdentity, now})
	}
	return nil
}

// leader is who held the Lease last, and when it was held last.
func (r *recorder) leader() hold {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.holds) == 0 {
		return hold{}
	}
	return r.holds[len(r.holds)-1]
}

// leaderless is how long a Lease may go without being renewed (every 2 s) before it counts as nobody's.
const leaderless = 5 * time.Second

// facts are the truth and what was said, as far as they come from etcd.
func (r *recorder) facts() (witness.Truth, []witness.Verdict, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var truth witness.Truth
	for _, uid := range slices.Sorted(maps.Keys(r.crons)) {
		truth.CronWorkflows = append(truth.CronWorkflows, *r.crons[uid])
	}
	for _, uid := range slices.Sorted(maps.Keys(r.workflows)) {
		truth.Workflows = append(truth.Workflows, *r.workflows[uid])
	}
	for i := 1; i < len(r.holds); i++ {
		if before, after := r.holds[i-1], r.holds[i]; after.at.Sub(before.at) > leaderless || after.holder != before.holder {
			truth.Outages = append(truth.Outages, witness.Outage{What: witness.Leader, From: before.at, To: after.at})
		}
	}
	return truth, slices.Clone(r.verdicts), slices.Clone(r.bad)
}
