package auditor

import (
	"slices"
	"time"
)

// Input is everything known about one CronWorkflow. Slices need no order; what is not known is left empty.
type Input struct {
	CronWorkflow CronWorkflow
	// Runs are the Workflows that exist: all that carry the CronWorkflow's label, its owner reference or one of its firings' names.
	Runs []Run
	// Archived are Workflows that only the workflow archive still has.
	Archived []Run
	// Record is what an earlier look wrote down; nil when there is none.
	Record *Record
	// Coverage are the stretches in which somebody watched without a gap; nothing could come and go unseen in them.
	Coverage []Stretch
	// Lost are what an earlier look found of firings that had not run when they were due, one each at the most.
	Lost []Finding
	// Controller is what the Argo controller that serves this CronWorkflow left behind.
	Controller Controller
	// ReadAt is when all this was read, where that was before the time it is judged by, as of a dump; zero for then.
	ReadAt time.Time
}

// CronWorkflow is what the auditor needs of one.
type CronWorkflow struct {
	Namespace, Name, UID string
	CreatedAt            time.Time
	// InstanceID is the label of the Argo installation it belongs to, empty for the default one.
	InstanceID string
	// Epochs are the stretches in which the spec stayed the same. Before the first one begins nothing is known.
	Epochs    []Epoch
	Status    Status
	Retention Retention
	// Served says that an Argo controller has looked after it: it has a lastScheduledTime or a last-used-schedule.
	Served bool
	// Settings are its rollcall.dev annotations.
	Settings Settings
	// When judges its when expressions; nil where it has none, or that cannot be done.
	When Condition
}

// Epoch is a stretch of time, from From until the next one begins, in which the spec stayed the same.
type Epoch struct {
	From time.Time
	Spec Spec
	// Traceless says that a field may have been removed from the spec since From without leaving a trace, as with Argo's full
	// CRDs: whoever owned the field in managedFields just loses it.
	Traceless bool
	// TracelessUntil is until when that may have been: since then somebody has watched. It is zero where nobody has.
	TracelessUntil time.Time
	// Unknown says that the spec of this stretch is not known: it was edited while nobody watched. Spec is then empty.
	Unknown bool
}

// Spec is what a CronWorkflow says about when to run.
type Spec struct {
	// Schedules are the expressions; Timezone is empty for the zone of Argo's controller.
	Schedules []string
	Timezone  string
	Suspend   bool
	Policy    Policy
	// StartingDeadline is startingDeadlineSeconds; 0 means none, as to Argo.
	StartingDeadline time.Duration
	// When is the expression that must be true for a firing to run; empty means always.
	When string
	// StopStrategy says that the spec has one.
	StopStrategy bool
}

// Policy is the concurrency policy; the empty one is Allow.
type Policy string

const (
	Allow   Policy = "Allow"
	Forbid  Policy = "Forbid"
	Replace Policy = "Replace"
)

// Status is what Argo's controller wrote to the CronWorkflow.
type Status struct {
	// LastScheduledTime is the scheduled time of the newest run that Argo counts; zero when there is none.
	LastScheduledTime time.Time
	// Active are the names of the runs that Argo takes for active.
	Active []string
	// Succeeded and Failed are how many runs Argo has counted as ended (3.6 and later; 0 before). Failed includes runs that could
	// not be created.
	Succeeded, Failed int64
	// Stopped says that the phase is Stopped.
	Stopped bool
	// SubmissionError and SpecError are the messages of these conditions where they are true.
	SubmissionError, SpecError string
	// WrittenAt is when Argo's controller last wrote to the object; zero when not known.
	WrittenAt time.Time
	// ChangedAt is since when Active has been as it is, at the latest; zero when that is not certain.
	ChangedAt time.Time
	// Intended is a scheduled time that Rollcall wrote to LastScheduledTime before it made the run; zero when there is none.
	Intended time.Time
}

// Retention is what may delete the runs of a CronWorkflow.
type Retention struct {
	// Successful and Failed are the history limits: how many finished runs Argo keeps.
	Successful, Failed int
	// TTL is the shortest time to live after completion that applies; negative when none does.
	TTL time.Duration
	// Unreadable says what could not be read and may set a time to live, such as "WorkflowTemplate default/etl", or be a run of it.
	Unreadable string
	// Policy says that the controller has a retentionPolicy, which deletes by count over all CronWorkflows.
	Policy bool
}

// CatchUp says which missed firings are worth recovering.
type CatchUp string

const (
	CatchUpAll    CatchUp = "all"
	CatchUpLatest CatchUp = "latest"
	CatchUpNone   CatchUp = "none"
)

// Settings are what a CronWorkflow's rollcall.dev annotations ask for; zero values leave it to the options.
type Settings struct {
	// Off: rollcall.dev/audit is "off".
	Off      bool
	Grace    time.Duration
	Deadline time.Duration
	CatchUp  CatchUp
	// Backfill is what to do about its missed firings. No verdict depends on it.
	Backfill Backfill
	// Invalid says which annotations have a value that is not accepted, a sentence each, one per line; empty when none has.
	Invalid string
}

// Backfill says what to do about missed firings.
type Backfill string

const (
	// BackfillOn: recover them.
	BackfillOn Backfill = "on"
	// BackfillDryRun: say what a recovery would do, and do nothing.
	BackfillDryRun Backfill = "dry-run"
	// BackfillOff: leave them.
	BackfillOff Backfill = "off"
)

// Run is one Workflow.
type Run struct {
	Name, UID string
	// ResourceVersion is the version that was read, for the reference to it in status.active.
	ResourceVersion string
	// Owner is the UID of the CronWorkflow that owns it; empty when none does.
	Owner string
	// Controlled says that the owner reference has controller: true.
	Controlled bool
	// CronLabel is the label workflows.argoproj.io/cron-workflow, InstanceID the label workflows.argoproj.io/controller-instanceid.
	CronLabel, InstanceID string
	// ScheduledTime is the annotation workflows.argoproj.io/scheduled-time as it stands, with the controller's offset from UTC.
	ScheduledTime string
	// BackfilledBy is the label rollcall.dev/backfilled-by; empty for a run that Argo made.
	BackfilledBy string
	CreatedAt    time.Time
	// StartedAt and FinishedAt are zero while it has not.
	StartedAt, FinishedAt time.Time
	// Deleting says that it has a deletion timestamp.
	Deleting bool
	// Succeeded tells a finished run's phase from Failed and Error.
	Succeeded bool
}

// Finished says whether the run has ended.
func (r Run) Finished() bool { return !r.FinishedAt.IsZero() }

// Stretch is the time from From to To, both included.
type Stretch struct{ From, To time.Time }

func (s Stretch) covers(from, to time.Time) bool { return !s.From.After(from) && !s.To.Before(to) }

// Record is what earlier looks wrote down about a CronWorkflow.
type Record struct {
	// Runs are the firings that were seen to run.
	Runs []RecordedRun
	// Recoveries are the attempts to recover firings.
	Recoveries []Recovery
	// Moved are the values that Rollcall itself wrote to status.lastScheduledTime.
	Moved []time.Time
	// Active is how many runs status.active held, each time that was seen to change.
	Active []ActiveSeen
	// Errors are the times at which a SubmissionError first showed.
	Errors []ErrorSeen
	// Stopped are the times at which the CronWorkflow was seen to have the phase Stopped, Resumed those at which it was seen to have
	// it no more.
	Stopped, Resumed []time.Time
	// Unseen are stretches in which Argo counted more finished runs than can be named.
	Unseen []Stretch
}

// RecordedRun is a firing that ran.
type RecordedRun struct {
	// ScheduledTime is the firing's; CreatedAt is zero where only status.lastScheduledTime told of the run.
	ScheduledTime, CreatedAt time.Time
	// Verdict is OnTime, Late or Backfilled.
	Verdict Verdict
}

// Recovery is the attempt to bring a firing back.
type Recovery struct {
	ScheduledTime time.Time
	Attempts      int
	LastError     string
	// Ended is the reason for which it was given up: Permanent, NameTaken, DeadlinePassed or TooManyMissed; empty while it goes on.
	Ended Reason
}

// ActiveSeen is the length of status.active from At on.
type ActiveSeen struct {
	At   time.Time
	Runs int
}

// ErrorSeen is a SubmissionError that first showed at At.
type ErrorSeen struct {
	At      time.Time
	Message string
}

// Controller is what an Argo controller left behind.
type Controller struct {
	// Lease is its leader election lease; nil when there is none, which says nothing.
	Lease *Lease
	// Writes are times at which it wrote to any object of its installation.
	Writes []time.Time
}

// Away says whether the controller seems to be away: by what is known of it, its lease has run out, and it has written nothing since. It
// may seem so for some seconds before the lease is read again. One that is older than
// a write is left over from a time when leader election was on, and says nothing.
func (c Controller) Away(now time.Time) bool {
	if c.Lease == nil {
		return false
	}
	expires := c.Lease.RenewedAt.Add(c.Lease.Duration)
	return expires.Before(now) && !slices.ContainsFunc(c.Writes, func(t time.Time) bool { return t.After(expires) })
}

// Lease is a leader election lease.
type Lease struct {
	Holder                string
	AcquiredAt, RenewedAt time.Time
	Duration              time.Duration
	// ReadAt is when it was read; zero where that is the time it is judged by.
	ReadAt time.Time
}

// leaseRead is how old what was read of a lease may be for its holder to have the benefit of the doubt: it is read every 15 s, and renewed
// in between.
const leaseRead = 30 * time.Second

// ranOut says whether nobody holds the lease. As it was read somebody may have, who only seems to be away because it was not read again.
func (l *Lease) ranOut(now time.Time) bool {
	if !l.ReadAt.IsZero() && now.Sub(l.ReadAt) <= leaseRead {
		now = earlier(now, l.ReadAt)
	}
	return l.RenewedAt.Add(l.Duration).Before(now)
}
