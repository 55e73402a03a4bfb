package backfill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// cluster is a small cluster in memory with one CronWorkflow, for use inside a synctest bubble. It does what an API server
// does with names, resource versions and lost answers, and as much of what Argo does as a test asks for.
type cluster struct {
	mayChange error
	began     time.Time // the bubble's time when the cluster's was start
	start     time.Time

	mu      sync.Mutex
	gone    bool
	cw      auditor.CronWorkflow
	version int
	runs    map[string]auditor.Run
	// fault is asked about every request, in order, and may be nil.
	fault func(request) fault
	// lasts is how long a run takes; 0: it does not end.
	lasts time.Duration
	// reconciles says that Argo takes ended runs out of status.active, fires that it runs a firing every minute too.
	reconciles, fires bool
	// deletes says that ended runs are deleted at once.
	deletes bool

	requests []request
	// made counts how often a run of each name was created.
	made map[string]int
	// ticked is up to when Argo has fired.
	ticked time.Time
}

// request is one request that reached the cluster.
type request struct {
	verb string // look, find, create, change; journal for what is none, but a call of the Journal
	at   time.Time
	// name is the Workflow's, for find and create, and what the Journal was told; change is for change.
	name   string
	change backfill.Change
}

// fault is what goes wrong with a request. The zero value is nothing.
type fault struct {
	// err is the answer; the request is carried out all the same when done is set.
	err  error
	done bool
	// hang lets the request take until its context ends.
	hang bool
	// before is called before the request, after when it was carried out.
	before, after func()
}

func newCluster(now string, cw auditor.CronWorkflow, runs ...auditor.Run) *cluster {
	c := &cluster{began: time.Now(), start: at(now), cw: cw, version: 1, runs: map[string]auditor.Run{}, made: map[string]int{}, ticked: at(now)}
	for _, r := range runs {
		c.runs[r.Name] = r
	}
	return c
}

// now is the time by the API server's clock.
func (c *cluster) now() time.Time { return c.start.Add(time.Since(c.began)) }

func (c *cluster) Look(ctx context.Context, k backfill.Key) (look backfill.Look, err error) {
	err = c.request(ctx, request{verb: "look"}, func() error {
		if c.gone {
			return apierrors.NewNotFound(workflows, k.Name)
		}
		look.CronWorkflow = c.cw
		look.CronWorkflow.Status.Active = slices.Clone(c.cw.Status.Active)
		look.ResourceVersion = fmt.Sprint(c.version)
		for _, r := range c.runs {
			look.Runs = append(look.Runs, r)
		}
		return nil
	})
	return look, err
}

func (c *cluster) Find(ctx context.Context, _, name string) (run auditor.Run, found bool, err error) {
	err = c.request(ctx, request{verb: "find", name: name}, func() error {
		run, found = c.runs[name]
		return nil
	})
	return run, found, err
}

func (c *cluster) Create(ctx context.Context, look backfill.Look, n backfill.NewRun) (run auditor.Run, err error) {
	name := auditor.WorkflowName(look.CronWorkflow.Name, n.ScheduledTime)
	err = c.request(ctx, request{verb: "create", name: name}, func() error {
		if _, exists := c.runs[name]; exists {
			return apierrors.NewAlreadyExists(workflows, name)
		}
		run = c.create(name, n.By, !n.Detached)
		return nil
	})
	return run, err
}

func (c *cluster) create(name, by string, controlled bool) auditor.Run {
	c.made[name]++
	now := c.now()
	r := auditor.Run{
		Name: name, UID: fmt.Sprintf("uid-%s-%d", name, c.made[name]), Owner: key.UID, Controlled: controlled, CronLabel: key.Name,
		BackfilledBy: by, CreatedAt: now, StartedAt: now,
	}
	c.runs[name] = r
	return r
}

// MayChange asks nobody unless the test says what is answered.
func (c *cluster) MayChange(context.Context, backfill.Look) error { return c.mayChange }

func (c *cluster) Change(ctx context.Context, look backfill.Look, change backfill.Change) error {
	return c.request(ctx, request{verb: "change", change: change}, func() error {
		if look.ResourceVersion != fmt.Sprint(c.version) {
			return apierrors.NewConflict(workflows, c.cw.Name, errors.New("the object has been modified"))
		}
		c.version++
		s := &c.cw.Status
		if r := change.Append; r != nil && !slices.Contains(s.Active, r.Name) {
			s.Active = append(s.Active, r.Name)
		}
		if t := change.LastScheduledTime; t.After(s.LastScheduledTime) {
			s.LastScheduledTime = t
		}
		if !change.Intend.IsZero() {
			s.Intended = change.Intend
		} else if change.Fulfilled {
			s.Intended = time.Time{}
		}
		return nil
	})
}

// request carries a request out as its fault allows.
func (c *cluster) request(ctx context.Context, r request, do func() error) error {
	c.mu.Lock()
	r.at = c.now()
	c.requests = append(c.requests, r)
	var f fault
	if c.fault != nil {
		f = c.fault(r)
	}
	c.mu.Unlock()
	if f.before != nil {
		f.before()
	}
	if err := ctx.Err(); err != nil {
		return post(err)
	}
	var err error
	c.mu.Lock()
	c.advance()
	if f.err == nil && !f.hang || f.done {
		err = do()
	}
	c.mu.Unlock()
	if f.after != nil {
		f.after()
	}
	if f.hang {
		<-ctx.Done()
		return post(ctx.Err())
	}
	if f.err != nil {
		return f.err
	}
	return err
}

// advance lets happen what has happened since: runs end and are deleted, Argo fires.
func (c *cluster) advance() {
	now := c.now()
	for name, r := range c.runs {
		if end := r.StartedAt.Add(c.lasts); c.lasts > 0 && !r.Finished() && !end.After(now) {
			r.FinishedAt, r.Succeeded = end, true
			c.runs[name] = r
			if c.deletes {
				delete(c.runs, name)
			}
		}
	}
	if !c.reconciles && !c.fires {
		return
	}
	c.cw.Status.Active = slices.DeleteFunc(c.cw.Status.Active, func(name string) bool {
		r, exists := c.runs[name]
		return !exists || r.Finished()
	})
	if !c.fires {
		return
	}
	for tick := c.ticked.Truncate(time.Minute).Add(time.Minute); !tick.After(now); tick = tick.Add(time.Minute) {
		c.ticked = tick
		c.runByArgo(tick)
	}
}

// runByArgo makes the run of a firing as Argo does.
func (c *cluster) runByArgo(firing time.Time) {
	c.version++
	r := c.create(auditor.WorkflowName(c.cw.Name, firing), "", true)
	r.CreatedAt, r.StartedAt = firing, firing
	c.runs[r.Name] = r
	c.cw.Status.LastScheduledTime = firing
	c.cw.Status.Active = append(c.cw.Status.Active, r.Name)
}

// writeBack is Argo's late write of an older status.
func (c *cluster) writeBack(last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.cw.Status.LastScheduledTime = last
}

func (c *cluster) lastScheduledTime() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cw.Status.LastScheduledTime
}

// sent are the requests of that verb.
func (c *cluster) sent(verb string) (all []request) {
	for _, r := range c.requests {
		if r.verb == verb {
			all = append(all, r)
		}
	}
	return all
}

// writes are the creates, the changes and what the Journal was told, in order, written short.
func (c *cluster) writes() (all []string) {
	for _, r := range c.requests {
		switch r.verb {
		case "create":
			all = append(all, "create "+clockOf(r.name))
		case "change":
			all = append(all, describe(r.change))
		case "journal":
			all = append(all, r.name)
		}
	}
	return all
}

func describe(c backfill.Change) string {
	said := []string{"change"}
	if !c.Intend.IsZero() {
		said = append(said, "intend "+c.Intend.Format("15:04"))
	}
	if c.Append != nil {
		said = append(said, "append "+clockOf(c.Append.Name))
	}
	if !c.LastScheduledTime.IsZero() {
		said = append(said, "to "+c.LastScheduledTime.Format("15:04"))
	}
	if c.Fulfilled {
		said = append(said, "fulfilled")
	}
	if !c.Touched.IsZero() {
		said = append(said, "touched "+c.Touched.Format("15:04:05"))
	}
	return strings.Join(said, " ")
}

// clockOf is the scheduled time in a run's name.
func clockOf(name string) string {
	var seconds int64
	if _, err := fmt.Sscanf(strings.TrimPrefix(name, key.Name+"-"), "%d", &seconds); err != nil {
		return name
	}
	return time.Unix(seconds, 0).UTC().Format("15:04")
}

// answers gives each request of a verb the next of the faults; after the last one nothing goes wrong any more.
func answers(verb string, faults ...fault) func(request) fault {
	return func(r request) (f fault) {
		if r.verb == verb && len(faults) > 0 {
			f, faults = faults[0], faults[1:]
		}
		return f
	}
}

// always gives every request of a verb the same error.
func always(verb string, err error) func(request) fault {
	return func(r request) fault {
		if r.verb == verb {
			return fault{err: err}
		}
		return fault{}
	}
}

func fails(err error) fault { return fault{err: err} }

// lost is an answer that does not come although the request was carried out.
func lost() fault { return fault{err: post(read(reset)), done: true} }

// bench is an Executor on a cluster.
type bench struct {
	*cluster
	executor *backfill.Executor
	policy   backfill.Policy
	counters *prometheus.Registry
	log      *bytes.Buffer
	events   []backfill.Event
}

func (b *bench) Observe(e backfill.Event) { b.events = append(b.events, e) }

func newBench(t *testing.T, c *cluster, policy backfill.Policy, changes ...func(*backfill.Options)) *bench {
	t.Helper()
	b := &bench{cluster: c, policy: policy, counters: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	o := backfill.Options{
		Submitter: c, Policy: policy, Now: c.now, Metrics: b.counters, Observer: b,
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{ReplaceAttr: withoutTime})),
		// The global limit has a test of its own.
		CreatesPerSecond: 1e6, StopWhenBlocked: true,
	}
	for _, change := range changes {
		change(&o)
	}
	var err error
	if b.executor, err = backfill.NewExecutor(o); err != nil {
		t.Fatal(err)
	}
	return b
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// recover plans to recover the firings as the cluster is now, and carries the plan out.
func (b *bench) recover(ctx context.Context, clocks ...string) backfill.Report {
	return b.executor.Run(ctx, b.plan(missed(clocks...)...))
}

func (b *bench) plan(findings ...auditor.Finding) backfill.Plan {
	return backfill.NewPlan(b.cw, findings, b.policy, b.now())
}

// outcomes writes a report short.
func outcomes(report backfill.Report) (all []string) {
	for _, r := range report.Results {
		s := r.Finding.ScheduledTime.Format("15:04") + " " + string(r.Outcome)
		if r.Reason != "" {
			s += "/" + string(r.Reason)
		}
		all = append(all, s)
	}
	return all
}

// count is the value of a counter; labels are those beside namespace and cronworkflow.
func (b *bench) count(t *testing.T, name, label string) map[string]float64 {
	t.Helper()
	families, err := b.counters.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if v := m.GetCounter().GetValue(); l.GetName() == label && v != 0 {
					values[l.GetValue()] = v
				}
			}
		}
	}
	return values
}
