package fake

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/argo"
)

// leaseEvery is how often Rollcall reads Argo's lease (internal/argo/watch.go).
const leaseEvery = 15 * time.Second

// ArgosLease is the name of the lease of Argo's controller.
const ArgosLease = "workflow-controller"

// Watch is operator.Cluster's, with the promises of argo.Handler kept as internal/argo keeps them (watch.go, watch_objects.go,
// stream.go): two streams that resume or list anew, Blind while one is lost, a Gap before what a second list shows.
func (r *Replica) Watch(ctx context.Context, _ argo.Scope, handler argo.Handler) error {
	w := &watching{
		r: r, handler: handler, do: make(chan func()), blind: map[string]int{}, crons: map[Key]*CronWorkflow{},
		told: map[Key]bool{}, ran: map[string]bool{}, runs: map[Key]auditor.Run{}, listed: map[string]bool{}, until: map[string]time.Time{},
	}
	ctx, cancel := context.WithCancel(ctx)
	var goes sync.WaitGroup
	goes.Go(func() { w.stream(ctx, "cronworkflows", w.cronsListed, w.sawCron) })
	goes.Go(func() { w.stream(ctx, "workflows", w.runsListed, w.sawRun) })
	goes.Go(func() { w.poll(ctx) })
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case f := <-w.do:
			if !r.client.Pass() {
				<-ctx.Done()
				break
			}
			f()
			w.tellAll()
			if w.synced {
				w.tellBlind()
				w.tellUntil()
			}
		}
	}
	cancel()
	goes.Wait()
	return nil
}

type watching struct {
	r       *Replica
	handler argo.Handler
	do      chan func()

	crons  map[Key]*CronWorkflow
	told   map[Key]bool    // served, as the handler was told of each
	ran    map[string]bool // the UIDs of the CronWorkflows of which Argo made runs
	runs   map[Key]auditor.Run
	listed map[string]bool
	synced bool
	blind  map[string]int
	// blindTold says that the handler was told that it is blind.
	blindTold bool
	// until is until when each stream has told all, toldUntil what the handler was told of that.
	until     map[string]time.Time
	toldUntil time.Time
	lease     *auditor.Lease
	writes    []time.Time
	stale     bool
}

func (w *watching) send(ctx context.Context, f func()) {
	select {
	case w.do <- f:
	case <-ctx.Done():
	}
}

// stream lists and watches one collection for good.
func (w *watching) stream(ctx context.Context, resource string, listed func([]Event, time.Time), saw func(Event)) {
	var version int64
	var good time.Time
	failures, relists, attempt := 0, 0, 0
	lose := func() {
		attempt++
		now := attempt
		w.send(ctx, func() { w.blind[resource] = now })
	}
	failed := func() {
		lose()
		failures++
	}
	see := func(until time.Time) {
		good = until
		w.send(ctx, func() { w.until[resource] = until })
	}
	backoff := func() {
		delay := min(time.Second<<min(max(failures-2, 0), 10), 15*time.Second)
		_ = w.r.client.sleep(ctx, delay*time.Duration(75+w.r.client.server.Rand(50))/100)
	}
	for ctx.Err() == nil {
		if version == 0 {
			var all []Event
			began := w.r.Now()
			at, err := w.r.client.List(ctx, resource, func(e Event) { all = append(all, e) })
			if err != nil {
				failed()
				backoff()
				continue
			}
			since := good
			w.send(ctx, func() { listed(all, since) })
			version = at
			see(began)
		}
		begun, first, mine := now(), true, attempt
		found := func() {
			w.send(ctx, func() {
				if since, ok := w.blind[resource]; ok && since <= mine {
					delete(w.blind, resource)
				}
			})
		}
		settled := time.AfterFunc(time.Second, found)
		settled.Stop()
		var err error
		heard := func() {
			see(w.r.Now())
			if failures, relists = 0, 0; first {
				first = false
				found()
			}
		}
		version, err = w.r.client.Watch(ctx, resource, version, func() { settled.Reset(time.Second) }, heard, func(e Event) {
			w.send(ctx, func() { saw(e) })
			heard()
		})
		settled.Stop()
		switch {
		case ctx.Err() != nil:
		case apierrors.IsResourceExpired(err):
			version = 0
			lose()
			if relists++; relists > 1 {
				failures++
				backoff()
			}
		default:
			if now().Sub(begun) >= 5*time.Second {
				failures, relists = 0, 0
			}
			if failed(); failures > 1 || isAnswer(err) {
				backoff()
			}
		}
	}
}

// gap tells of what a list after the first leaves unseen.
func (w *watching) gap(since time.Time) {
	if w.synced && !since.IsZero() {
		w.handler.Gap(since)
	}
}

func (w *watching) cronsListed(all []Event, since time.Time) {
	w.listed["cronworkflows"] = true
	w.gap(since)
	there := map[Key]bool{}
	for _, e := range all {
		there[e.CronWorkflow.Key] = true
		if old := w.crons[e.CronWorkflow.Key]; old == nil || old.Version != e.CronWorkflow.Version {
			w.sawCron(e)
		}
	}
	for _, key := range sorted(w.crons) {
		if !there[key] {
			w.sawCron(Event{CronWorkflow: w.crons[key], Gone: true})
		}
	}
	delete(w.blind, "cronworkflows")
}

func (w *watching) runsListed(all []Event, since time.Time) {
	w.listed["workflows"] = true
	w.gap(since)
	there := map[Key]bool{}
	for _, e := range all {
		there[e.Workflow.Key] = true
		if old, ok := w.runs[e.Workflow.Key]; !ok || old.UID != e.Workflow.UID || old.ResourceVersion != version(e.Workflow.Version) {
			w.seeRun(e.Workflow)
		}
	}
	for _, key := range sorted(w.runs) {
		if !there[key] {
			w.loseRun(key, w.runs[key])
		}
	}
	delete(w.blind, "workflows")
}

func sorted[V any](m map[Key]V) []Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b Key) int { return strings.Compare(a.String(), b.String()) })
}

func (w *watching) sawCron(e Event) {
	cw := e.CronWorkflow
	old := w.crons[cw.Key]
	if e.Gone {
		if old != nil && old.UID == cw.UID {
			w.loseCron(cw.Key)
		}
		return
	}
	if old != nil && old.UID != cw.UID {
		w.loseCron(cw.Key)
	}
	w.wrote(cw.ArgoAt)
	w.crons[cw.Key] = cw
	if w.synced {
		w.tellCron(cw)
	}
}

func (w *watching) loseCron(key Key) {
	delete(w.crons, key)
	delete(w.told, key)
	if w.synced {
		w.handler.CronWorkflowGone(auditor.Key(key))
	}
}

func (w *watching) serves(cw *CronWorkflow) bool {
	return serves(cw, w.ran[cw.UID], func(name string) bool { return w.runs[Key{cw.Namespace, name}].BackfilledBy != "" })
}

func (w *watching) tellCron(cw *CronWorkflow) {
	out := toCron(cw)
	out.Served = w.serves(cw)
	w.told[cw.Key] = out.Served
	w.handler.CronWorkflow(out)
}

func (w *watching) sawRun(e Event) {
	if e.Gone {
		if old, ok := w.runs[e.Workflow.Key]; ok && old.UID == e.Workflow.UID {
			w.loseRun(e.Workflow.Key, w.finish(toMetadata(e.Workflow), old))
		}
		return
	}
	w.seeRun(e.Workflow)
}

// finish keeps the end that was seen first.
func (w *watching) finish(run, old auditor.Run) auditor.Run {
	if run.Finished() && old.Finished() {
		run.FinishedAt = old.FinishedAt
	}
	return run
}

func (w *watching) seeRun(object *Workflow) {
	run := toMetadata(object)
	old, known := w.runs[object.Key]
	if known && old.UID != run.UID {
		w.loseRun(object.Key, old)
		known = false
	}
	if known {
		run = w.finish(run, old)
	}
	w.wrote(object.ArgoAt)
	_, native := nativeOf(run.Name)
	if native && run.Controlled && run.BackfilledBy == "" {
		w.wrote(run.CreatedAt)
	}
	w.runs[object.Key] = run
	if ranBy(run.Owner, run) {
		w.ran[run.Owner] = true
	}
	if !w.synced {
		return
	}
	if cron, ok := nativeOf(run.Name); ok {
		if cw := w.crons[Key{object.Namespace, cron}]; cw != nil && w.told[cw.Key] != w.serves(cw) {
			w.tellCron(cw)
		}
	}
	w.handler.Run(object.Namespace, run)
}

func (w *watching) loseRun(key Key, run auditor.Run) {
	delete(w.runs, key)
	if w.synced {
		w.handler.RunGone(key.Namespace, run)
	}
}

// nativeOf takes the scheduled time off a run's name.
func nativeOf(name string) (cron string, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return "", false
	}
	cron = name[:i]
	_, ok = auditor.ScheduledTimeOf(cron, name)
	return cron, ok
}

// tellAll tells of all there is, once everything has been listed.
func (w *watching) tellAll() {
	if w.synced || !w.listed["cronworkflows"] || !w.listed["workflows"] {
		return
	}
	for _, key := range sorted(w.crons) {
		w.tellCron(w.crons[key])
	}
	for _, key := range sorted(w.runs) {
		w.handler.Run(key.Namespace, w.runs[key])
	}
	w.tellBlind()
	w.tellController()
	w.synced = true
	w.handler.Synced()
}

// toldEvery is how much newer it must be for that.
const toldEvery = 3 * time.Second

func (w *watching) tellUntil() {
	until := w.until["cronworkflows"]
	if runs := w.until["workflows"]; runs.Before(until) {
		until = runs
	}
	if until.Sub(w.toldUntil) >= toldEvery {
		w.toldUntil = until
		w.handler.Told("", until)
	}
}

func (w *watching) tellBlind() {
	if blind := len(w.blind) > 0; blind != w.blindTold {
		w.blindTold = blind
		if blind {
			w.handler.Blind([]string{""}, nil)
		} else {
			w.handler.Blind(nil, nil)
		}
	}
}

func (w *watching) poll(ctx context.Context) {
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(ctx, 10*time.Second)
		began := w.r.Now()
		lease, err := w.r.client.readLease(call, ArgosLease)
		cancel()
		if err == nil {
			w.send(ctx, func() {
				w.lease = &auditor.Lease{Holder: lease.Holder, AcquiredAt: lease.Acquired, RenewedAt: lease.Renewed, Duration: lease.Duration, ReadAt: began}
				w.stale = true
				if w.synced {
					w.tellController()
				}
			})
		}
		_ = w.r.client.sleep(ctx, leaseEvery)
	}
}

func (w *watching) tellController() {
	if w.stale {
		w.stale = false
		w.handler.Controller(auditor.Controller{Lease: w.lease, Writes: slices.Clone(w.writes)})
	}
}

// maxWrites is how many times of writes are kept. Fewer than internal/argo keeps: each reading of the lease copies them.
const maxWrites = 200

func (w *watching) wrote(at time.Time) {
	if at.IsZero() {
		return
	}
	i, found := slices.BinarySearchFunc(w.writes, at, time.Time.Compare)
	if found || i == 0 && len(w.writes) == maxWrites {
		return
	}
	w.writes = slices.Insert(w.writes, i, at)
	if len(w.writes) > maxWrites {
		w.writes = slices.Delete(w.writes, 0, 1)
	}
	w.stale = true
}
