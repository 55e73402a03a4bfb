package operator

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

const (
	// leaseFor is how long a Lease holds that is not renewed. Who cannot renew it for renewWithin ceases to lead, which leaves what
	// is under way the rest to end in. tryEvery is how often a Lease is renewed, or tried to be had.
	leaseFor    = 15 * time.Second
	renewWithin = 10 * time.Second
	tryEvery    = 2 * time.Second
	// releaseWithin is how long letting go may take: a process that is to end has little time left by then.
	releaseWithin = 1500 * time.Millisecond
)

// Single is the Leadership of the only process there is.
type Single struct{}

// Alone leads from the start.
func Alone() Single { return Single{} }

// Run calls lead until ctx ends.
func (Single) Run(ctx context.Context, lead func(ctx context.Context)) {
	for ctx.Err() == nil {
		lead(ctx)
		pause(ctx, tryEvery)
	}
}

// ElectOptions say how a leader is elected. All but Version and Leading are required.
type ElectOptions struct {
	// Config is the way to the API server. It is not changed, and its limits do not count here.
	Config *rest.Config
	// Version is Rollcall's own, for the user agent; empty means "dev".
	Version string
	// Namespace and Name are those of the Lease. It is made where it does not exist.
	Namespace, Name string
	// Identity names this process among its replicas. In the Lease a random suffix follows it, so that a process never takes
	// the Lease of an earlier one for its own.
	Identity string
	Log      *slog.Logger
	// Leading is told when this process begins to lead, and when what it did as leader has ended; nil for nobody.
	Leading func(leading bool)
}

// Elect has one of several processes lead: the one that holds a Lease (15 s, renewed every 2 s, given up for lost after 10 s
// without success). No request is made before Run.
func Elect(o ElectOptions) (*Election, error) {
	for _, required := range []struct {
		what    string
		missing bool
	}{
		{"Config", o.Config == nil},
		{"Namespace", o.Namespace == ""},
		{"Name", o.Name == ""},
		{"Identity", o.Identity == ""},
		{"Log", o.Log == nil},
	} {
		if required.missing {
			return nil, fmt.Errorf("operator: ElectOptions.%s is missing", required.what)
		}
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	cfg := rest.CopyConfig(o.Config)
	cfg.UserAgent = "rollcall/" + o.Version
	cfg.QPS, cfg.RateLimiter = -1, nil // a renewal must not wait, and there are few
	cfg.Timeout = renewWithin / 2      // a request that hangs leaves time for another one
	client, err := coordination.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	return newElection(o, client), nil
}

// Election is the Leadership of whoever holds a Lease.
type Election struct {
	options  ElectOptions
	leases   coordination.LeasesGetter
	identity string
	log      *slog.Logger
	failing  map[string]bool // see lock
}

func newElection(o ElectOptions, leases coordination.LeasesGetter) *Election {
	if o.Leading == nil {
		o.Leading = func(bool) {}
	}
	return &Election{
		options: o, leases: leases, identity: o.Identity + "_" + rand.Text()[:8], log: o.Log.With("lease", o.Namespace+"/"+o.Name),
		failing: map[string]bool{},
	}
}

// Run contends for the Lease until ctx ends. Where the Lease is lost it contends again when lead has returned.
func (e *Election) Run(ctx context.Context, lead func(ctx context.Context)) {
	for ctx.Err() == nil {
		e.contend(ctx, lead)
		pause(ctx, tryEvery)
	}
}

// contend waits for the Lease and leads once, until the Lease is lost or ctx and then lead has ended. Only in the second case the
// Lease is let go of: client-go's own ReleaseOnCancel does so while what was begun as leader may still go on, and before that is
// told to end where the Lease was lost (leaderelection v0.36 renew).
func (e *Election) contend(ctx context.Context, lead func(ctx context.Context)) {
	hold, letGo := context.WithCancel(context.WithoutCancel(ctx))
	defer letGo()
	hold = klog.NewContext(hold, logr.Discard()) // it would say every 2 s what lock says once
	var (
		mu      sync.Mutex
		leading bool // lead is called: the Lease is held until it has returned
		lost    bool
		done    = make(chan struct{})
		l       = &lock{Interface: e.lock(), log: e.log, failing: e.failing, superseded: letGo}
	)
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !leading {
			letGo()
		}
	})
	defer stop()
	term := func(held context.Context) {
		defer close(done)
		defer letGo()
		mu.Lock()
		leading = ctx.Err() == nil
		mu.Unlock()
		if leading {
			e.lead(ctx, held, lead)
			lost = held.Err() != nil
		}
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: l, Name: e.options.Name, LeaseDuration: leaseFor, RenewDeadline: renewWithin, RetryPeriod: tryEvery,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: term,
			OnStoppedLeading: func() {},
			OnNewLeader: func(identity string) {
				if identity != "" && identity != e.identity {
					e.log.Info("another process leads", "leader", identity)
				}
			},
		},
	})
	if err != nil {
		e.log.Error("no leader can be elected", "error", err.Error())
		return
	}
	elector.Run(hold)
	if !l.acquired {
		return
	}
	<-done
	if !lost {
		e.release(l)
	}
}

// lead calls lead with a context that ends when ctx or held does.
func (e *Election) lead(ctx, held context.Context, lead func(ctx context.Context)) {
	term, end := context.WithCancel(ctx)
	defer end()
	stop := context.AfterFunc(held, func() {
		e.log.Warn("no longer leading: the Lease could not be renewed in time")
		end()
	})
	defer stop()
	e.log.Info("leading", "identity", e.identity)
	e.options.Leading(true)
	defer e.options.Leading(false)
	lead(term)
}

func (e *Election) lock() resourcelock.Interface {
	return &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: e.options.Namespace, Name: e.options.Name},
		Client:     e.leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: e.identity},
	}
}

// release lets the next one lead without waiting for the Lease to run out.
func (e *Election) release(l *lock) {
	ctx, cancel := context.WithTimeout(context.Background(), releaseWithin)
	defer cancel()
	record, _, err := l.Interface.Get(ctx)
	if err == nil && record.HolderIdentity == e.identity {
		now := metav1.Now()
		err = l.Interface.Update(ctx, resourcelock.LeaderElectionRecord{
			LeaderTransitions: record.LeaderTransitions, LeaseDurationSeconds: 1, RenewTime: now, AcquireTime: now,
		})
	}
	if err != nil {
		e.log.Info("the Lease is not let go of and will run out", "error", err.Error())
		return
	}
	e.log.Info("no longer leading: the Lease is let go of")
}

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
