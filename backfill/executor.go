package backfill

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Executor carries plans out. It is safe for concurrent use, but not for two plans of one CronWorkflow at once.
type Executor struct {
	options Options
	metrics *metrics
	spread  *spread
	upkeeps upkeeps
}

// NewExecutor checks the options and registers the counters.
func NewExecutor(o Options) (*Executor, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	o.Timing = o.Timing.withDefaults()
	o.Parallel = cmp.Or(o.Parallel, 4)
	o.CreatesPerSecond = cmp.Or(o.CreatesPerSecond, 10)
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	return &Executor{options: o, metrics: m, spread: newSpread(o.CreatesPerSecond, o.Now)}, nil
}

// Run carries out the plan of one CronWorkflow. It returns when every step has its outcome and the status has been watched for
// a while (see Options.Patience), or soon after ctx is cancelled: a create that is under way is finished with its status write
// first. Running the same plan again is safe and completes it.
func (e *Executor) Run(ctx context.Context, plan Plan) Report {
	e.metrics.begin(plan.CronWorkflow)
	w := newWork(e, plan)
	if e.options.DryRun {
		w.Journal = nil
		w.rehearse(ctx)
		return w.report
	}
	w.recover(ctx)
	w.settle(ctx)
	w.endedAll()
	if w.report.Interrupted {
		w.report.Again = time.Time{}
	}
	return w.report
}

// Expect makes the counters of a CronWorkflow exist at 0, as its first plan otherwise does.
func (e *Executor) Expect(cronWorkflow Key) { e.metrics.begin(cronWorkflow) }

// Forget drops what is kept of a CronWorkflow that is gone, its counters above all. What is still under way for it is not counted.
func (e *Executor) Forget(cronWorkflow Key) {
	e.metrics.forget(cronWorkflow)
	e.upkeeps.forget(cronWorkflow)
}

// RunAll carries out the plans of several CronWorkflows side by side and reports in the order of the plans.
func (e *Executor) RunAll(ctx context.Context, plans []Plan) []Report {
	reports := make([]Report, len(plans))
	places := make(chan struct{}, e.options.Parallel)
	var all sync.WaitGroup
	for i, plan := range plans {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			reports[i] = e.Run(ctx, plan)
		})
	}
	all.Wait()
	return reports
}

// delays is an exponential backoff with jitter that never ends by itself.
func delays(first, most time.Duration) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(first),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(jitter),
		backoff.WithMaxInterval(most),
		backoff.WithMaxElapsedTime(0),
	)
}

// sleep returns early with the context's error when that is cancelled.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
