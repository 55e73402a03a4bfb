package fake

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// A Key names an object of one kind.
type Key struct{ Namespace, Name string }

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Annotations and labels that somebody reads.
const (
	// LastUsedSchedule is Argo's, Completed a label of Argo's on a CronWorkflow whose stopStrategy has come true.
	LastUsedSchedule = "cronworkflows.argoproj.io/last-used-schedule"
	Completed        = "workflows.argoproj.io/cron-workflow-completed"
	// Intended and Touched are Rollcall's.
	Intended = "rollcall.dev/intended"
	Touched  = "rollcall.dev/touched"
)

// Phases of a Workflow and of a CronWorkflow.
const (
	Pending   = "Pending"
	Running   = "Running"
	Succeeded = "Succeeded"
	Failed    = "Failed"
	Errored   = "Error"

	Active  = "Active"
	Stopped = "Stopped"
)

// A CronWorkflow as stored: never changed, only replaced. Times are whole seconds.
type CronWorkflow struct {
	Key
	UID         string
	Version     int64
	Created     time.Time
	Labels      map[string]string
	Annotations map[string]string
	Settings    auditor.Settings
	Spec        Spec
	Status      Status
	// SpecAt is when the spec was last changed and ArgoAt when Argo's controller last wrote, as managedFields tell; MetaAt when
	// anybody last changed an annotation, and ChangedAt when anybody last wrote. ActiveAt is when who put what there is into status.active
	// last wrote, ActiveBy who that is.
	SpecAt, ArgoAt, MetaAt, ChangedAt, ActiveAt time.Time
	// Former is the spec before the last edit that added something, and FormerAt was its SpecAt.
	Former   Spec
	FormerAt time.Time
	ActiveBy string
	// Singly says that they tell of single fields, see Server.
	Singly bool
}

// A Spec of a CronWorkflow, with what becomes of its runs.
type Spec struct {
	Schedules []string `json:"schedules"`
	Timezone  string   `json:"timezone,omitempty"`
	Suspend   bool     `json:"suspend,omitempty"`
	// Policy is Allow, Forbid, Replace, or empty for Allow.
	Policy string `json:"policy,omitempty"`
	// Deadline is startingDeadlineSeconds; 0 for none.
	Deadline int `json:"deadline,omitempty"`
	// When is an expression that reads nothing but the time, see Holds.
	When string `json:"when,omitempty"`
	// StopAfter is a stopStrategy: as many failed runs end the schedule; 0 for none.
	StopAfter int `json:"stopAfter,omitempty"`
	// Successful and Failed are the history limits, nil for Argo's defaults.
	Successful *int `json:"successful,omitempty"`
	Failed     *int `json:"failed,omitempty"`
	// TTL is secondsAfterCompletion; nil for none.
	TTL *int `json:"ttl,omitempty"`
	// Runs is how many seconds a run takes, and one in FailEvery of them fails; 0 for none.
	Runs      int `json:"runs"`
	FailEvery int `json:"failEvery,omitempty"`
}

// Limits are the history limits with Argo's defaults filled in (enforceHistoryLimit in workflow/cron/operator.go of 3.7.18).
func (s Spec) Limits() (successful, failed int) {
	successful, failed = 3, 1
	if s.Successful != nil && *s.Successful >= 0 {
		successful = *s.Successful
	}
	if s.Failed != nil && *s.Failed >= 0 {
		failed = *s.Failed
	}
	return successful, failed
}

// Conditions that can stand in Spec.When, and what they amount to.
var conditions = map[string]func(time.Time) bool{
	"{{= now().Minute() % 2 == 0 }}": func(t time.Time) bool { return t.Minute()%2 == 0 },
	"{{= now().Hour() % 2 == 1 }}":   func(t time.Time) bool { return t.Hour()%2 == 1 },
	"1 == 1":                         func(time.Time) bool { return true },
	"{{= now().Year() < 2020 }}":     func(time.Time) bool { return false },
}

// Conditions are what Spec.When may hold, sorted.
func Conditions() []string { return slices.Sorted(maps.Keys(conditions)) }

// Holds says whether the condition of the spec is true at a time.
func (s Spec) Holds(at time.Time) bool {
	if s.When == "" {
		return true
	}
	holds, ok := conditions[s.When]
	if !ok {
		panic(fmt.Sprintf("%q is no condition that the exam knows", s.When))
	}
	return holds(at.UTC())
}

// A Status of a CronWorkflow.
type Status struct {
	Active    []Ref
	Last      time.Time // lastScheduledTime; zero for null
	Succeeded int64
	Failed    int64
	Phase     string
	// SubmissionError is the message of that condition; empty when there is none.
	SubmissionError string
}

// A Ref is an entry of status.active.
type Ref struct{ Name, UID string }

// Has says whether a run is in status.active.
func (s Status) Has(uid string) bool {
	return slices.ContainsFunc(s.Active, func(r Ref) bool { return r.UID == uid })
}

// A Workflow as stored: never changed, only replaced. Times are whole seconds.
type Workflow struct {
	Key
	UID     string
	Version int64
	Created time.Time
	// Owner is the UID of the CronWorkflow that owns it; Controlled that it does so as its controller.
	Owner      string
	Controlled bool
	// CronLabel is its label workflows.argoproj.io/cron-workflow, Scheduled its annotation scheduled-time.
	CronLabel string
	Scheduled time.Time
	// BackfilledBy is the label rollcall.dev/backfilled-by.
	BackfilledBy string
	Phase        string
	Started      time.Time
	Finished     time.Time
	// Shutdown says that it was told to terminate.
	Shutdown bool
	// Runs, Fails and TTL are what its spec makes of it: it takes so long, fails, and may be deleted so long after its end (negative:
	// never).
	Runs, TTL time.Duration
	Fails     bool
	// ArgoAt is when Argo's controller last wrote to it.
	ArgoAt time.Time
	// ByHand says that a person deleted it.
	ByHand bool
}

// Fulfilled says whether it has ended.
func (w *Workflow) Fulfilled() bool {
	return w.Phase == Succeeded || w.Phase == Failed || w.Phase == Errored
}

// NewRun is the Workflow of a firing, as Argo makes it (ConvertCronWorkflowToWorkflowWithProperties in workflow/common/convert.go of
// 3.7.18) and Rollcall after it.
func NewRun(cw *CronWorkflow, name string, scheduled time.Time) Workflow {
	w := Workflow{
		Key: Key{cw.Namespace, name}, Owner: cw.UID, Controlled: true, CronLabel: cw.Name, Scheduled: scheduled,
		Runs: time.Duration(cw.Spec.Runs) * time.Second, TTL: -1,
	}
	if every := cw.Spec.FailEvery; every > 0 {
		w.Fails = (scheduled.Unix()/60)%int64(every) == 0
	}
	if ttl := cw.Spec.TTL; ttl != nil {
		w.TTL = time.Duration(*ttl) * time.Second
	}
	return w
}

// Second cuts a time to what an API object holds.
func Second(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}
