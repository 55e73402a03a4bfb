package model

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/test/exam/fake"
)

const (
	// resyncEvery is cronWorkflowResyncPeriod, syncEvery CRON_SYNC_PERIOD (workflow/cron/controller.go).
	resyncEvery = 20 * time.Minute
	syncEvery   = 10 * time.Second
	// workers is --cron-workflow-workers (cmd/workflow-controller/main.go), as are the three times of its lease.
	workers     = 8
	leaseFor    = 15 * time.Second
	renewWithin = 10 * time.Second
	renewEvery  = 5 * time.Second
)

// Controller is one process of Argo's workflow-controller.
type Controller struct {
	client *fake.Client
	server *fake.Server
	// offset is how far its clock is ahead of the API server's.
	offset func() time.Duration
	goes   sync.WaitGroup
	ctx    context.Context
	timer  *timer
	places chan struct{} // a value for each worker that is at work

	mu    sync.Mutex
	crons map[fake.Key]*fake.CronWorkflow // the informers' caches
	runs  map[fake.Key]*fake.Workflow
	// queue are the keys that are queued or worked on: true where they are to be worked on again.
	queue map[fake.Key]bool
	locks map[fake.Key]chan struct{}
	lives map[string]chan struct{} // by the UID of a Workflow: what it is to look at again
	dirty chan struct{}            // something changed since the last pass
}

// New is a controller that has not started; offset is how far its clock is ahead of the API server's at the moment.
func New(server *fake.Server, client *fake.Client, offset func() time.Duration) *Controller {
	c := &Controller{
		client: client, server: server, offset: offset, places: make(chan struct{}, workers),
		crons: map[fake.Key]*fake.CronWorkflow{}, runs: map[fake.Key]*fake.Workflow{}, queue: map[fake.Key]bool{},
		locks: map[fake.Key]chan struct{}{}, lives: map[string]chan struct{}{}, dirty: make(chan struct{}, 1),
	}
	c.timer = &timer{c: c, changed: make(chan struct{}, 1)}
	return c
}

func (c *Controller) now() time.Time { return time.Now().UTC().Add(c.offset()) }

// Run works until ctx ends, or it could not renew its lease for so long that it gives up, as the process does.
func (c *Controller) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.ctx = ctx
	for ctx.Err() == nil && !c.hold(ctx) {
		c.pause(renewEvery)
	}
	if ctx.Err() != nil {
		return
	}
	c.goes.Go(func() { c.timer.run(ctx) })
	c.goes.Go(func() { c.inform("cronworkflows", c.sawCron, c.cronsListed) })
	c.goes.Go(func() { c.inform("workflows", c.sawRun, c.runsListed) })
	c.goes.Go(c.passes)
	c.goes.Go(c.resyncs)
	// Whoever was paused tries again when it goes on: what counts is for how long renewing fails (client-go's leaderelection).
	for failing := (time.Time{}); ctx.Err() == nil && c.client.Pass(); c.pause(renewEvery) {
		begun := time.Now()
		if c.hold(ctx) {
			failing = time.Time{}
			continue
		}
		if failing.IsZero() {
			failing = begun
		}
		if time.Since(failing) >= renewWithin {
			break
		}
	}
	c.client.Die()
	cancel()
	c.goes.Wait()
}

func (c *Controller) hold(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, renewWithin)
	defer cancel()
	held, _ := c.client.Hold(ctx, fake.ArgosLease, "argo", leaseFor)
	return held
}

// pause waits, at most until the process ends.
func (c *Controller) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.ctx.Done():
	case <-timer.C:
	}
}

// inform is a reflector of client-go: it lists, watches, resumes where it was, and lists again after a 410.
func (c *Controller) inform(resource string, saw func(fake.Event), listed func([]fake.Event)) {
	var version int64
	delay := 800 * time.Millisecond
	for c.ctx.Err() == nil {
		if version == 0 {
			var all []fake.Event
			at, err := c.client.List(c.ctx, resource, func(e fake.Event) { all = append(all, e) })
			if err != nil {
				c.pause(delay)
				delay = min(2*delay, 30*time.Second)
				continue
			}
			listed(all)
			version = at
		}
		begun := time.Now()
		var err error
		version, err = c.client.Watch(c.ctx, resource, version, func() {}, func() {}, saw)
		switch {
		case apierrors.IsResourceExpired(err):
			version = 0
		case time.Since(begun) < 10*time.Second:
			c.pause(delay)
			delay = min(2*delay, 30*time.Second)
		default:
			delay = 800 * time.Millisecond
			c.pause(delay)
		}
	}
}

// cronsListed: a list after the first has all objects handled anew.
func (c *Controller) cronsListed(all []fake.Event) {
	c.mu.Lock()
	before := maps.Clone(c.crons)
	clear(c.crons)
	for _, e := range all {
		c.crons[e.CronWorkflow.Key] = e.CronWorkflow
		delete(before, e.CronWorkflow.Key)
	}
	c.mu.Unlock()
	for _, e := range all {
		if !completed(e.CronWorkflow) {
			c.enqueue(e.CronWorkflow.Key)
		}
	}
	for key := range before {
		c.enqueue(key)
	}
	c.changed()
}

// completed is isCompleted: the handler's filter leaves out what has the label. That it comes to have it counts as a delete, which
// is one more event.
func completed(cw *fake.CronWorkflow) bool { return cw.Labels[fake.Completed] == "true" }

func (c *Controller) sawCron(e fake.Event) {
	key := e.CronWorkflow.Key
	c.mu.Lock()
	before := c.crons[key]
	if e.Gone {
		delete(c.crons, key)
	} else {
		c.crons[key] = e.CronWorkflow
	}
	c.mu.Unlock()
	if !completed(e.CronWorkflow) || before != nil && !completed(before) {
		c.enqueue(key)
	}
	c.changed()
}

func (c *Controller) runsListed(all []fake.Event) {
	c.mu.Lock()
	clear(c.runs)
	for _, e := range all {
		c.runs[e.Workflow.Key] = e.Workflow
	}
	c.mu.Unlock()
	for _, e := range all {
		c.live(e.Workflow)
	}
	c.changed()
}

func (c *Controller) sawRun(e fake.Event) {
	c.mu.Lock()
	if e.Gone {
		delete(c.runs, e.Workflow.Key)
	} else {
		c.runs[e.Workflow.Key] = e.Workflow
	}
	c.mu.Unlock()
	if !e.Gone {
		c.live(e.Workflow)
	}
	c.changed()
}

func (c *Controller) changed() {
	select {
	case c.dirty <- struct{}{}:
	default:
	}
}

// resyncs hands all objects to the handler again every 20 minutes.
func (c *Controller) resyncs() {
	for c.ctx.Err() == nil {
		if c.pause(resyncEvery); c.ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		all := maps.Clone(c.crons)
		c.mu.Unlock()
		for key, cw := range all {
			if !completed(cw) {
				c.enqueue(key)
			}
		}
	}
}

// enqueue is cronWfQueue.Add: a key is worked on by one worker at a time, and once more if it was added meanwhile.
func (c *Controller) enqueue(key fake.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.queue[key]; there {
		c.queue[key] = true
		return
	}
	c.queue[key] = false
	c.goes.Go(func() {
		select {
		case c.places <- struct{}{}:
			defer func() { <-c.places }()
		case <-c.ctx.Done():
			return
		}
		for {
			c.mu.Lock()
			c.queue[key] = false
			c.mu.Unlock()
			c.process(key)
			c.mu.Lock()
			if !c.queue[key] || c.ctx.Err() != nil {
				delete(c.queue, key)
				c.mu.Unlock()
				return
			}
			c.mu.Unlock()
		}
	})
}

// lock is keyLock: a pass and a worker never have the same CronWorkflow.
func (c *Controller) lock(key fake.Key) (unlock func()) {
	c.mu.Lock()
	l := c.locks[key]
	if l == nil {
		l = make(chan struct{}, 1)
		c.locks[key] = l
	}
	c.mu.Unlock()
	l <- struct{}{}
	return func() { <-l }
}

// process is processNextCronItem (workflow/cron/controller.go).
func (c *Controller) process(key fake.Key) {
	if !c.client.Pass() {
		return
	}
	defer c.lock(key)()
	c.mu.Lock()
	cw := c.crons[key]
	c.mu.Unlock()
	if cw == nil {
		c.timer.remove(key)
		return
	}
	o := c.operate(cw)
	if !valid(cw) {
		return // what was registered before stays so
	}
	if missed := o.outstanding(c.now()); !missed.IsZero() {
		// The trap: whatever comes of it, the schedule is not registered here; only an event on the object leads here again.
		o.run(missed)
		return
	}
	c.pause(time.Duration(c.server.Rand(1500)) * time.Microsecond)
	c.timer.remove(key)
	for _, expression := range expressions(cw.Spec) {
		schedule, err := parse(expression)
		if err != nil {
			return
		}
		c.timer.add(key, schedule, o)
	}
}

// valid is what of validate.ValidateCronWorkflow (workflow/validate/validate.go) can fail here.
func valid(cw *fake.CronWorkflow) bool {
	if len(cw.Name) > 52 {
		return false
	}
	for _, expression := range expressions(cw.Spec) {
		if _, err := parse(expression); err != nil {
			return false
		}
	}
	return true
}

// expressions is GetSchedulesWithTimezone, lastUsed what SetSchedule writes (pkg/apis/workflow/v1alpha1/cron_workflow_types.go).
func expressions(spec fake.Spec) []string {
	var all []string
	for _, s := range spec.Schedules {
		if spec.Timezone != "" {
			s = "CRON_TZ=" + spec.Timezone + " " + s
		}
		all = append(all, s)
	}
	return all
}

func lastUsed(spec fake.Spec) string { return strings.Join(expressions(spec), ",") }

var parsed sync.Map

// parse is cron.ParseStandard, once per expression: it reads zones from files. Without a zone it is that of the controller, UTC.
func parse(expression string) (cron.Schedule, error) {
	if schedule, ok := parsed.Load(expression); ok {
		return schedule.(cron.Schedule), nil
	}
	schedule, err := cron.ParseStandard(expression)
	if err == nil {
		parsed.Store(expression, schedule)
	}
	return schedule, err
}
