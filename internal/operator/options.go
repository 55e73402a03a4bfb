package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/alert"
	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/internal/events"
	"rollcall.dev/rollcall/internal/metrics"
)

// Cluster is where CronWorkflows and their runs are seen.
type Cluster interface {
	// Watch tells the handler of everything in the scope, and of all changes, until ctx ends (argo.Client.Watch).
	Watch(ctx context.Context, scope argo.Scope, handler argo.Handler) error
	// LastLook returns those of the named Workflows that exist now, read from the API server.
	LastLook(ctx context.Context, namespace string, names []string) ([]auditor.Run, error)
	// Present returns those of the named CronWorkflows that exist now, read from the API server.
	Present(ctx context.Context, namespace string, names []string) ([]auditor.CronWorkflow, error)
	// Now is the present time by the API server's clock, ClockOffset how far that is ahead of the local one.
	Now() time.Time
	ClockOffset() time.Duration
	// Ping is nil when the API server answers.
	Ping(ctx context.Context) error
}

// Records keep what must not be forgotten (record.Store).
type Records interface {
	Load(ctx context.Context) (map[auditor.Key]auditor.State, error)
	Reload(ctx context.Context, key auditor.Key) (state auditor.State, ok bool, err error)
	Save(ctx context.Context, key auditor.Key, state auditor.State, urgent bool) error
	Forget(key auditor.Key)
	Run(ctx context.Context)
	Flush(ctx context.Context) error
}

// Leadership decides which of several processes judges and acts.
type Leadership interface {
	// Run calls lead each time this process becomes the leader, with a context that ends when it is no longer. It waits for lead
	// to return before it lets go of the leadership of its own accord, and returns after ctx has ended.
	Run(ctx context.Context, lead func(ctx context.Context))
}

// Events tell people who look at a CronWorkflow (events.Recorder). Record must not block.
type Events interface {
	Record(object events.Object, reason events.Reason, warning bool, message string)
}

// Alerts call somebody (alert.Sender). None of the methods may block.
type Alerts interface {
	Set(key auditor.Key, alerts []alert.Alert)
	Forget(key auditor.Key)
	Clear()
}

// Options say how an Operator works. All but Events and Alerts are required.
type Options struct {
	Cluster Cluster
	// Submitter reads and changes the cluster for recoveries.
	Submitter  backfill.Submitter
	Records    Records
	Leadership Leadership
	Metrics    *metrics.Metrics
	// Events and Alerts may be nil: nobody is told then.
	Events Events
	Alerts Alerts
	Log    *slog.Logger

	// Scope is what is watched; Scope.Names must be empty.
	Scope argo.Scope
	// Judging are the thresholds of verdicts, with the default deadline and which missed firings are worth recovering.
	Judging auditor.Options
	// Backfill is what to do about missed firings of CronWorkflows that do not say.
	Backfill auditor.Backfill
	// MaxParallel and MaxCatchUp as in backfill.Policy.
	MaxParallel, MaxCatchUp int
	// Classifier sorts errors of recoveries.
	Classifier backfill.Classifier
	// Registerer is where the counters of recoveries are registered; nil for nowhere.
	Registerer prometheus.Registerer
	Timing     Timing
}

// Timing are the delays and limits of an Operator. The zero value of a field stands for its default.
type Timing struct {
	// Patience is the longest wait of a recovery that keeps its place among the Recoveries; default 1 s.
	Patience time.Duration
	// Recoveries is on how many CronWorkflows recoveries work at the same time, half of them at the most in one namespace; default
	// 20.
	Recoveries int
	// Looks is how many last looks are under way at the same time; default 4.
	Looks int
	// Retry is the delay before something that failed is tried again, doubled each time up to RetryMax; defaults 1 s and 1 min.
	Retry, RetryMax time.Duration
	// Heartbeat is how often it is said that the roll is being called; default 15 s.
	Heartbeat time.Duration
	// Finish is how long a create and its status write may go on after the end of a term, and Flush how long the last writes of
	// the record may take after that; defaults 4 s and 3 s.
	Finish, Flush time.Duration
	// Executor are those of the recoveries, but for Finish.
	Executor backfill.Timing
}

func (t Timing) withDefaults() Timing {
	t.Recoveries = cmp.Or(t.Recoveries, 20)
	t.Looks = cmp.Or(t.Looks, 4)
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Patience, time.Second},
		{&t.Retry, time.Second},
		{&t.RetryMax, time.Minute},
		{&t.Heartbeat, 15 * time.Second},
		{&t.Finish, 4 * time.Second},
		{&t.Flush, 3 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}

func (o Options) validate() error {
	for _, required := range []struct {
		what    string
		missing bool
	}{
		{"Cluster", o.Cluster == nil},
		{"Submitter", o.Submitter == nil},
		{"Records", o.Records == nil},
		{"Leadership", o.Leadership == nil},
		{"Metrics", o.Metrics == nil},
		{"Log", o.Log == nil},
	} {
		if required.missing {
			return fmt.Errorf("operator: Options.%s is missing", required.what)
		}
	}
	switch o.Backfill {
	case auditor.BackfillOn, auditor.BackfillDryRun, auditor.BackfillOff:
	default:
		return fmt.Errorf("operator: Options.Backfill is %q: use %q, %q or %q", o.Backfill, auditor.BackfillOn, auditor.BackfillDryRun, auditor.BackfillOff)
	}
	if len(o.Scope.Names) > 0 {
		return errors.New("operator: Options.Scope.Names is not empty: all CronWorkflows of the namespaces are watched")
	}
	return nil
}
