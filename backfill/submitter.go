package backfill

import (
	"context"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// Key names one CronWorkflow. Its UID tells it from a later one of the same name.
type Key struct{ Namespace, Name, UID string }

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Look is the live state of one CronWorkflow, read from the API server for one decision.
type Look struct {
	CronWorkflow auditor.CronWorkflow
	// Runs are the Workflows of the CronWorkflow that exist, finished or not.
	Runs []auditor.Run
	// ResourceVersion is the version of the CronWorkflow that was read; a Change is refused when it is no longer current.
	ResourceVersion string
	// Object is the CronWorkflow as the Looker read it; only the Writer that belongs to that Looker knows its type.
	Object any
}

// Looker reads live state.
type Looker interface {
	// Look reads the CronWorkflow and its runs from the API server, never from a cache. An error for which
	// apierrors.IsNotFound holds means that the CronWorkflow is gone.
	Look(ctx context.Context, cronWorkflow Key) (Look, error)
	// Find reads one Workflow by its exact name; found is false when there is none.
	Find(ctx context.Context, namespace, name string) (run auditor.Run, found bool, err error)
}

// Writer changes the cluster. Its errors are those of the API server or of the way to it, wrapped; each call is one request,
// without retries of its own.
type Writer interface {
	// MayChange asks, without changing anything, whether Change is permitted. Other reasons for which it may be refused are no error
	// here. It is asked before the first create: a run that the status cannot be made to show can keep Argo from ever firing the
	// schedule again.
	MayChange(ctx context.Context, look Look) error
	// Create makes the Workflow that Argo would have made for the firing from the CronWorkflow as looked at.
	Create(ctx context.Context, look Look, run NewRun) (auditor.Run, error)
	// Change patches the status of the CronWorkflow, guarded by the look's ResourceVersion (409 Conflict when it has moved on).
	// A change that the look shows to be in place already is not sent.
	Change(ctx context.Context, look Look, change Change) error
}

// Submitter is all the Executor needs of a cluster.
type Submitter interface {
	Looker
	Writer
}

// NewRun says which run to create.
type NewRun struct {
	ScheduledTime time.Time
	// By is "cli" or "controller": the value of the label rollcall.dev/backfilled-by.
	By string
	// Detached sets controller: false in the owner reference, so that history limits and Forbid/Replace do not see the run.
	Detached bool
	// Why are the sentences for the annotation rollcall.dev/reason.
	Why string
}

// Change is what to write to a CronWorkflow so that Argo knows of a run as if it had made it. Zero fields are left as they are.
type Change struct {
	// Append is a run to append to status.active, if its UID is not there yet.
	Append *auditor.Run
	// LastScheduledTime is moved forward to this time; never backwards.
	LastScheduledTime time.Time
	// Intend puts the annotation rollcall.dev/intended on the CronWorkflow: LastScheduledTime moves before the run exists.
	Intend time.Time
	// Fulfilled takes that annotation away again.
	Fulfilled bool
	// Touched sets the annotation rollcall.dev/touched, for the sake of the event alone.
	Touched time.Time
}
