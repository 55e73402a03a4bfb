package argo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// Handler is told what Watch sees. Its methods are called from one goroutine, one after the other; while one runs, nothing
// further is told.
type Handler interface {
	// CronWorkflow: one is there for the first time or has changed. Its Epochs are the one that can be read from the object.
	CronWorkflow(cw auditor.CronWorkflow)
	// CronWorkflowGone: it was deleted, has another instanceID now, or can no longer be read (a Note says so then). One that was
	// made anew under the same name is gone before it is there.
	CronWorkflowGone(key auditor.Key)
	// Run: a Workflow with the cron label is there for the first time or has changed. Watch sees only metadata:
	//
	//   - FinishedAt is exact to a second or two where Watch saw it end or managedFields tell: the time of the controller's write.
	//     Where the controller wrote again to a run that had ended before Watch began, FinishedAt is that later time.
	//   - StartedAt is CreatedAt once it has a phase: early by what the controller takes to see it, and by all the time that it
	//     was pending.
	Run(namespace string, run auditor.Run)
	// RunGone: it was deleted, or lost the label. The run is as it was last seen.
	RunGone(namespace string, run auditor.Run)
	// Synced: all there is has been told; from now on nothing comes or goes unseen. It is called once.
	Synced()
	// Gap: from since on, something may have come and gone unseen; from now on nothing does. What is there now, and what is
	// gone, follows.
	Gap(since time.Time)
	// Told: all that happened in a namespace ("" stands for all) until then has been told, as a sign of life of its watches shows: an event, or
	// the bookmark that the API server sends every minute or so. Called every few seconds at the most.
	Told(namespace string, until time.Time)
	// Blind: these are the namespaces ("" stands for all) of which, at the moment, news may be late: a watch broke off, and has
	// not been resumed or replaced yet. Absence must not be concluded from silence there. Called when that changes, with none
	// when all is well again; only then is it known whether there is a Gap. Forbidden are those of them where nothing but a
	// permission is missing: that may last for good, as where a namespace was deleted and its RoleBinding with it.
	Blind(namespaces, forbidden []string)
	// Controller: the lease of Argo's controller was read, or it wrote. Writes are the last maxWrites, ascending.
	Controller(c auditor.Controller)
	// Note: a sentence for people, about something that cannot be read or understood. Each kind of failure is told once until it
	// has passed.
	Note(sentence string)
}

const (
	// leaseEvery, settingsEvery and templatesEvery are how often the lease, the ConfigMap and the referenced templates are read.
	leaseEvery     = 15 * time.Second
	settingsEvery  = time.Minute
	templatesEvery = 10 * time.Minute
	// toldEvery is how much newer what has been told must be for the handler to hear of it.
	toldEvery = 3 * time.Second
	// maxWrites is how many times of writes of Argo's controller are kept.
	maxWrites = 1000
)

// Watch tells the handler of all CronWorkflows of the scope and their runs, and of all changes, until ctx ends; then it returns
// nil. Scope.Names must be empty. No failure ends it: it tries again, at the latest every 15 s, and goes on with what works. A
// collection that may be listed but not watched is listed every 20 s, each time after a Gap.
//
// It keeps metadata of Workflows, and of CronWorkflows what the auditor needs. An error is one of the scope.
func (c *Client) Watch(ctx context.Context, scope Scope, handler Handler) error {
	if len(scope.Names) > 0 {
		return errors.New("watching single CronWorkflows by their names is not possible: leave Scope.Names empty")
	}
	scope = scope.withDefaults()
	in := scope.Watched()
	for _, namespace := range in {
		if _, err := segments(cronWorkflows, objectName{namespace: namespace}); err != nil {
			return err
		}
	}
	if _, err := segments(leases, scope.lease()); err != nil {
		return err
	}
	w := &watching{
		c:         c,
		scope:     scope,
		handler:   handler,
		do:        make(chan func()),
		began:     c.Now(),
		templates: map[templateName]lifetime{},
		unread:    map[templateName]bool{},
		failed:    map[templateName]bool{},
		noted:     map[string]bool{},
		blind:     map[string]loss{},
		stale:     true,
	}
	ctx, cancel := context.WithCancel(ctx)
	for _, namespace := range in {
		a := &area{
			namespace: namespace,
			cronsID:   "CronWorkflows in " + spoken(namespace),
			runsID:    "Workflows in " + spoken(namespace),
			crons:     map[string]*watchedCron{},
			runs:      map[objectName]auditor.Run{},
			ran:       map[string]bool{},
			heard:     map[string]time.Time{},
		}
		w.areas = append(w.areas, a)
		w.goes.Go(func() { w.cronStream(ctx, a).run(ctx) })
		w.goes.Go(func() { w.runStream(ctx, a).run(ctx) })
	}
	w.goes.Go(func() { w.poll(ctx) })
	w.serve(ctx)
	cancel()
	w.goes.Wait()
	return nil
}

// watching is the state of one Watch. All of it belongs to the goroutine of the handler.
type watching struct {
	c       *Client
	scope   Scope
	handler Handler
	// do is what the other goroutines saw, to be carried out in this one.
	do    chan func()
	goes  sync.WaitGroup
	began time.Time
	areas []*area

	// settings are those of Argo's controller; nil before the first try to read them.
	settings *controllerConfig
	// templates are those read so far, unread those to be read next; reading says that a goroutine does so.
	templates map[templateName]lifetime
	unread    map[templateName]bool
	reading   bool
	// failed are those that could not be read.
	failed map[templateName]bool

	lease  *auditor.Lease
	writes []time.Time
	stale  bool // lease or writes have changed since the handler was told

	synced bool
	noted  map[string]bool
	// blind are the streams that are lost; toldBlind and toldForbidden are what the handler was told.
	blind                    map[string]loss
	toldBlind, toldForbidden []string
}

// loss is how a stream is lost: since which attempt, and whether what failed last is not permitted.
type loss struct {
	attempt   int
	forbidden bool
}

// area is one namespace, or all of them.
type area struct {
	namespace string
	// cronsID and runsID name the streams.
	cronsID, runsID     string
	cronsDone, runsDone bool // listed once
	// refused says that the API server does not allow to list it.
	refused bool
	// told says that the handler knows of it.
	told  bool
	crons map[string]*watchedCron
	runs  map[objectName]auditor.Run
	// ran are the UIDs of the CronWorkflows of which Argo has been seen to have made runs.
	ran map[string]bool
	// heard is until when each stream has told all, by its name; toldUntil what the handler was told of that.
	heard     map[string]time.Time
	toldUntil time.Time
}

// serve is the goroutine of the handler.
func (w *watching) serve(ctx context.Context) {
	refresh := time.NewTicker(templatesEvery)
	defer refresh.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-w.do:
			f()
		case <-refresh.C:
			w.readAgain()
		}
		if ctx.Err() != nil {
			return
		}
		w.read(ctx)
		w.tellAreas()
		if w.synced {
			w.tellBlind()
		}
	}
}

// send has f carried out in the goroutine of the handler.
func (w *watching) send(ctx context.Context, f func()) {
	select {
	case w.do <- f:
	case <-ctx.Done():
	}
}

// tellAreas tells of the areas that have become complete.
func (w *watching) tellAreas() {
	waiting := false
	for _, a := range w.areas {
		if a.told {
			continue
		}
		if !w.complete(a) {
			waiting = waiting || !a.refused
			continue
		}
		a.told = true
		if w.synced { // it was refused before
			w.handler.Gap(w.began)
		}
		for _, name := range sortedKeys(a.crons) {
			w.tellCron(a, a.crons[name])
		}
		for name, run := range inOrder(a.runs) {
			w.handler.Run(name.namespace, run)
		}
		w.tellUntil(a)
	}
	anything := slices.ContainsFunc(w.areas, func(a *area) bool { return a.told })
	if w.synced || waiting || !anything {
		return
	}
	w.tellBlind()
	w.tellController()
	w.synced = true
	w.handler.Synced()
}

// complete says whether everything about an area has been read or tried.
func (w *watching) complete(a *area) bool {
	if !a.cronsDone || !a.runsDone || w.settings == nil {
		return false
	}
	for _, cron := range a.crons {
		if cron.template != nil {
			if _, ok := w.templates[*cron.template]; !ok {
				return false
			}
		}
	}
	return true
}

func (w *watching) tellBlind() {
	var namespaces, forbidden []string
	for _, a := range w.areas {
		crons, noCrons := w.blind[a.cronsID]
		runs, noRuns := w.blind[a.runsID]
		if !noCrons && !noRuns && a.told {
			continue
		}
		namespaces = append(namespaces, a.namespace)
		// Where one of them is not permitted and the other broke off, there is something to wait for.
		if (noCrons || noRuns) && noCrons == crons.forbidden && noRuns == runs.forbidden {
			forbidden = append(forbidden, a.namespace)
		}
	}
	if slices.Equal(namespaces, w.toldBlind) && slices.Equal(forbidden, w.toldForbidden) {
		return
	}
	w.toldBlind, w.toldForbidden = namespaces, forbidden
	w.handler.Blind(slices.Clone(namespaces), slices.Clone(forbidden))
}

// tellUntil tells until when all of an area has been told.
func (w *watching) tellUntil(a *area) {
	until := a.heard[a.cronsID]
	if runs := a.heard[a.runsID]; runs.Before(until) {
		until = runs
	}
	if a.told && until.Sub(a.toldUntil) >= toldEvery {
		a.toldUntil = until
		w.handler.Told(a.namespace, until)
	}
}

func (w *watching) tellController() {
	if w.stale {
		w.stale = false
		w.handler.Controller(auditor.Controller{Lease: w.lease, Writes: slices.Clone(w.writes)})
	}
}

// note tells of a failure of this kind unless that was done.
func (w *watching) note(kind, sentence string, args ...any) {
	if !w.noted[kind] {
		w.noted[kind] = true
		w.handler.Note(fmt.Sprintf(sentence, args...))
	}
}

// unnote forgets failures whose kind begins so.
func (w *watching) unnote(prefix string) {
	for kind := range w.noted {
		if strings.HasPrefix(kind, prefix) {
			delete(w.noted, kind)
		}
	}
}

// wrote notes a time at which Argo's controller wrote.
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
