package witness

import "time"

// Truth is all that happened, as seen from outside.
type Truth struct {
	// From and To bound the time that is examined: firings of (From, To] that had time to be judged.
	From, To time.Time
	// FaultsEnd is when the last fault was undone, every piece was up and Argo led; zero if that is not to be examined.
	FaultsEnd time.Time
	// Traceless: a field can be taken out of a spec without a trace, so that what nobody watched is never certain.
	Traceless     bool
	CronWorkflows []CronWorkflow
	Workflows     []Workflow
	Outages       []Outage
}

// A Workflow is one that existed at any time.
type Workflow struct {
	Namespace, Name, UID string
	// OwnerUID is that of the CronWorkflow that controls it; empty if none does.
	OwnerUID string
	// CronWorkflow is the label that Argo counts by.
	CronWorkflow string
	// ScheduledTime is its annotation; zero without one.
	ScheduledTime time.Time
	// BackfilledBy is the label that Rollcall gives to what it makes; empty for any other.
	BackfilledBy string
	// Created is by its creationTimestamp, which is in whole seconds; Started is by startedAt, Ended by finishedAt, Deleted when it was
	// gone. Zero: it did not come to that.
	Created, Started, Ended, Deleted time.Time
	// Terminated is when it was first told to stop (spec.shutdown); zero: never.
	Terminated time.Time
	// Failed: it ended other than Succeeded.
	Failed bool
	// DeletedByHand: a person deleted it, and no rule of Argo's.
	DeletedByHand bool
	// Retried is when a person had it begin anew; zero when nobody did.
	Retried time.Time
}

// A CronWorkflow is one from its creation to its deletion. One that is created again under its name is another one.
type CronWorkflow struct {
	Namespace, Name, UID string
	Created              time.Time
	// Deleted is zero while it exists.
	Deleted time.Time
	// Specs are what its spec was, in the order of From. The first holds from the creation on.
	Specs []Spec
	// Served is from when on it was plain that a controller of Argo's looks after it (it had a status.lastScheduledTime or the
	// annotation last-used-schedule); zero: never.
	Served time.Time
	// Statuses are what Argo and Rollcall made of its status, in the order of At.
	Statuses []Status
}

// A Spec holds until the next one.
type Spec struct {
	From      time.Time
	Schedules []string
	// Timezone is empty where the spec has none; that is UTC in an exam.
	Timezone string
	Suspend  bool
	// Policy is Allow, Forbid or Replace; empty is Allow.
	Policy string
	// StartingDeadline is zero where there is none.
	StartingDeadline time.Duration
	// Deadline is the one that the annotation rollcall.dev/deadline sets for want of the above; zero: none.
	Deadline time.Duration
	// When is the expression, and WhenAt what it amounts to at a time; nil without one. WhenAt is right only for expressions that
	// read nothing but the time.
	When   string
	WhenAt func(time.Time) bool `json:"-"`
	// StopStrategy: there is one.
	StopStrategy bool
	// SuccessfulLimit and FailedLimit are the history limits, with Argo's defaults filled in (3 and 1).
	SuccessfulLimit, FailedLimit int
	// TTL is the shortest time after which a finished run may be deleted by its ttlStrategy; negative: there is none.
	TTL time.Duration
	// CatchUp is all, latest or none (empty is all); Backfill is on, dry-run or off (empty is on); both as annotated.
	CatchUp, Backfill string
	// Grace is how long a firing is Pending as annotated; zero: by Rules.Grace.
	Grace time.Duration
	// AuditOff: annotated to be left out.
	AuditOff bool
}

// A Status is what status held from At on.
type Status struct {
	At time.Time
	// LastScheduledTime is zero while there is none.
	LastScheduledTime time.Time
	// Active is how many runs status.active held.
	Active int
	// Stopped: status.phase was Stopped.
	Stopped bool
	// SubmissionError: there was such a condition.
	SubmissionError bool
	// Intended is the scheduled time in the annotation rollcall.dev/intended; zero where there is none.
	Intended time.Time
}

// Pieces that an outage can hit.
const (
	Argo          = "argo"            // its controller
	Rollcall      = "rollcall"        // all replicas, or the only one
	Leader        = "leader"          // the replica that led, until another one leads
	APIServer     = "apiserver"       // for everybody
	Etcd          = "etcd"            // for everybody
	WayOfArgo     = "way of argo"     // between Argo and the API server
	WayOfRollcall = "way of rollcall" // between Rollcall and the API server
	Clock         = "clock"           // somebody's clock was wrong
)

// An Outage is one fault.
type Outage struct {
	// What was hit, and How: killed, frozen, refused, delayed, throttled, answers lost … An empty How is no fault of its own but
	// what followed from one, as when Argo ends by itself because it lost the API server.
	What, How string
	From, To  time.Time
}
