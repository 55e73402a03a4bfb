package backfill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say how an Executor works. Submitter, Log and Now are required, and of the Policy By, MaxParallel and MaxCatchUp.
type Options struct {
	// Submitter reads and changes the cluster; its calls are single requests without retries of their own.
	Submitter Submitter
	// Policy is the one that the plans were made with.
	Policy Policy
	// Classifier sorts errors.
	Classifier Classifier
	Log        *slog.Logger
	// Metrics is where the counters are registered; nil for nowhere.
	Metrics prometheus.Registerer
	// Now is the present time by the API server's clock.
	Now func() time.Time
	// Observer is told of every step; nil for nobody.
	Observer Observer
	// Replan audits the CronWorkflow of a plan anew, runs and record, and plans again for the same firings; nil for who makes fresh plans
	// by himself. It is asked where the audit is more than a few seconds old before the first create: somebody was asked, or others had
	// their turn first, and what was lost may have been run by somebody else since. Nothing is recovered that the older plan leaves.
	// Its errors are sorted as those of the Submitter's reads.
	Replan func(ctx context.Context, cronWorkflow Key) (Plan, error)
	// Journal is told of what is about to be written to the cluster, and of outcomes; nil for none.
	Journal Journal
	// Patience is the longest that Run waits at a stretch, without any firing getting an outcome: for room, for a live firing to
	// be accounted for, or for the next attempt after an error. What would have to wait longer is left as Requeued or Blocked,
	// and Report.Again says when a fresh plan is worth carrying out. Nor does Run then stay to watch the status after its last
	// write: it checks it once, if something is owed. Three waits it makes all the same: for a place among the creates, up to 10 s;
	// where a create may still turn out to have been carried out, until that is settled; and the short ones between the tries of
	// one attempt. 0: wait as long as it takes. Where no starting deadline ends it, Timing.RetryFor and Timing.WaitFor then count
	// anew with every plan.
	Patience time.Duration
	// DryRun asks everything and changes nothing.
	DryRun bool
	// StopWhenBlocked ends the work on a CronWorkflow at the first answer that says somebody has to act, instead of trying again
	// every Timing.Blocked.
	StopWhenBlocked bool
	// Parallel is on how many CronWorkflows RunAll works at once; 0 for 4.
	Parallel int
	// CreatesPerSecond is the most over all CronWorkflows; 0 for 10. In one namespace it is half of that.
	CreatesPerSecond float64
	Timing           Timing
}

// Timing are the delays and limits of an Executor. The zero value of a field stands for its default.
type Timing struct {
	// Call is the most that one request takes; default 10 s.
	Call time.Duration
	// Retry is the delay before the first retry inside an attempt, doubled for each of the next; default 100 ms.
	Retry time.Duration
	// Requeue is the delay before an attempt after one that ended in transient errors, doubled for each of the next up to
	// RequeueMax; defaults 1 s and 1 min.
	Requeue, RequeueMax time.Duration
	// Blocked is the delay before the next attempt where somebody has to act; default 1 min.
	Blocked time.Duration
	// RetryFor is how long to go on trying where no starting deadline ends it; default 5 min.
	RetryFor time.Duration
	// WaitFor is how long to wait for room where no starting deadline ends it, since the last run that was made; default 1 h.
	WaitFor time.Duration
	// Finish is how long a create and its status write may go on after an interruption; default 10 s.
	Finish time.Duration
	// SettleFor is how long after the last write the status is looked at, and SettleEvery how often; defaults 15 s and 1 s.
	SettleFor, SettleEvery time.Duration
}

// MaxRetries is how often a request that failed is sent again inside one attempt.
const MaxRetries = 3

// jitter is how far a delay is off at random: ±25 %, so that doubled delays do not overlap.
const jitter = 0.25

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Call, 10 * time.Second},
		{&t.Retry, 100 * time.Millisecond},
		{&t.Requeue, time.Second},
		{&t.RequeueMax, time.Minute},
		{&t.Blocked, time.Minute},
		{&t.RetryFor, 5 * time.Minute},
		{&t.WaitFor, time.Hour},
		{&t.Finish, 10 * time.Second},
		{&t.SettleFor, 15 * time.Second},
		{&t.SettleEvery, time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}

func (o Options) validate() error {
	switch {
	case o.Submitter == nil:
		return errors.New("backfill: Options.Submitter is missing")
	case o.Log == nil:
		return errors.New("backfill: Options.Log is missing")
	case o.Now == nil:
		return errors.New("backfill: Options.Now is missing")
	case o.Policy.By != ByCLI && o.Policy.By != ByController:
		return fmt.Errorf("backfill: Policy.By is %q: use %q or %q", o.Policy.By, ByCLI, ByController)
	case o.Policy.MaxParallel < 1:
		return fmt.Errorf("backfill: Policy.MaxParallel is %d: use 1 or more", o.Policy.MaxParallel)
	case o.Policy.MaxCatchUp < 1:
		return fmt.Errorf("backfill: Policy.MaxCatchUp is %d: use 1 or more", o.Policy.MaxCatchUp)
	case o.Patience < 0:
		return fmt.Errorf("backfill: Options.Patience is %s: use 0 or more", o.Patience)
	case o.Parallel < 0:
		return fmt.Errorf("backfill: Options.Parallel is %d: use 1 or more", o.Parallel)
	case o.CreatesPerSecond < 0:
		return fmt.Errorf("backfill: Options.CreatesPerSecond is %v: use more than 0", o.CreatesPerSecond)
	}
	return nil
}
