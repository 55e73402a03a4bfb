package operator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// Operator watches, judges, records and recovers.
type Operator struct {
	Options
	// executor recovers, rehearser says what a recovery would do.
	executor, rehearser *backfill.Executor
	roll                *roll
	// do is what others ask the goroutine of the roll to do; ended is closed when it does nothing any more.
	do    chan func()
	ended chan struct{}
	// looks holds a value for each last look that is under way.
	looks chan struct{}
	// synced is closed when everything there is has been seen; blind says that a watch broke off, or that none is permitted
	// (handler.Blind).
	synced chan struct{}
	blind  atomic.Bool
}

// New checks the options and registers the counters of recoveries.
func New(o Options) (*Operator, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.Timing = o.Timing.withDefaults()
	op := &Operator{
		Options: o,
		do:      make(chan func()),
		ended:   make(chan struct{}),
		looks:   make(chan struct{}, o.Timing.Looks),
		synced:  make(chan struct{}),
	}
	op.roll = newRoll(op)
	recovering := backfill.Options{
		Submitter: o.Submitter, Policy: o.policy(), Classifier: o.Classifier, Log: o.Log, Metrics: o.Registerer, Now: o.Cluster.Now,
		Journal: journal{op}, Patience: o.Timing.Patience, Timing: o.Timing.Executor,
	}
	recovering.Timing.Finish = o.Timing.Finish
	var err error
	if op.executor, err = backfill.NewExecutor(recovering); err != nil {
		return nil, err
	}
	recovering.DryRun, recovering.Metrics, recovering.Journal = true, nil, nil
	if op.rehearser, err = backfill.NewExecutor(recovering); err != nil {
		return nil, err
	}
	return op, nil
}

// policy is that of an automatic recovery.
func (o Options) policy() backfill.Policy {
	return backfill.Policy{
		By: backfill.ByController, Verdicts: []auditor.Verdict{auditor.Missed}, CertainOnly: true,
		MaxParallel: o.MaxParallel, MaxCatchUp: o.MaxCatchUp, CatchUp: o.Judging.CatchUp,
		Grace: o.Judging.Grace, DefaultDeadline: o.Judging.DefaultDeadline, ControllerZone: o.Judging.ControllerZone,
	}
}

// Run works until ctx ends, and then for as long as it takes to stop in order, some seconds. An error is one of the options;
// whatever may pass by itself does not end it. It is to be called once.
func (o *Operator) Run(ctx context.Context) error {
	// What a term does at its end still needs the roll, and the roll what the watch sees.
	base, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	leading, stopLeading := context.WithCancel(ctx)
	defer stopLeading()

	r := o.roll
	var all sync.WaitGroup
	all.Go(func() { r.serve(base) })
	var failed error
	all.Go(func() {
		if failed = o.Cluster.Watch(base, o.Scope, handler{r}); failed != nil {
			stopLeading()
		}
	})
	o.Leadership.Run(leading, o.lead)
	end()
	all.Wait()
	if failed != nil {
		return fmt.Errorf("watch CronWorkflows: %w", failed)
	}
	return nil
}

// Ready is nil when everything has been seen, no watch is broken off, not all namespaces are forbidden and the API server answers.
func (o *Operator) Ready(ctx context.Context) error {
	select {
	case <-o.synced:
	default:
		return errors.New("not everything has been read yet")
	}
	if o.blind.Load() {
		return errors.New("a watch broke off and has not been resumed yet, or none is permitted")
	}
	return o.Cluster.Ping(ctx)
}

// tell has f carried out in the goroutine of the roll, and returns when that has begun.
func (o *Operator) tell(f func()) {
	select {
	case o.do <- f:
	case <-o.ended:
	}
}

// ask has f carried out in the goroutine of the roll, and returns when it has been, or when that goroutine has ended.
func (o *Operator) ask(f func()) {
	done := make(chan struct{})
	select {
	case o.do <- func() { defer close(done); f() }:
		<-done
	case <-o.ended:
	}
}

// now is the present time by the API server's clock.
func (o *Operator) now() time.Time { return o.Cluster.Now() }

// doubled is the delay after n failures.
func (o *Operator) doubled(n int) time.Duration {
	return min(o.Timing.Retry<<min(n, 16), o.Timing.RetryMax)
}
