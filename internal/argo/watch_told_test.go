package argo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall.dev/rollcall/auditor"
)

// told writes down what a handler is told, with times as the time since the test began.
type told struct {
	began time.Time

	mu    sync.Mutex
	said  []string
	crons map[auditor.Key]auditor.CronWorkflow
	runs  map[string]auditor.Run
	last  auditor.Controller
	until time.Time
}

func (h *told) say(format string, args ...any) { h.keep(func() {}, format, args...) }

func (h *told) keep(what func(), format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	what()
	h.said = append(h.said, fmt.Sprintf(format, args...))
}

// heard is what was told since the last time.
func (h *told) heard() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	said := h.said
	h.said = nil
	return said
}

func (h *told) cron(name string) auditor.CronWorkflow {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.crons[auditor.Key{Namespace: "default", Name: name}]
}

func (h *told) run(name string) auditor.Run {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.runs[name]
}

func (h *told) controller() auditor.Controller {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// toldUntil is until when all was told.
func (h *told) toldUntil() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.since(h.until)
}

// since is a time of the test; they are whole seconds but for jitter.
func (h *told) since(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(h.began).Round(time.Second).String()
}

func (h *told) CronWorkflow(cw auditor.CronWorkflow) {
	h.keep(func() { h.crons[auditor.Key{Namespace: cw.Namespace, Name: cw.Name}] = cw }, "cron %s/%s", cw.Namespace, cw.Name)
}
func (h *told) CronWorkflowGone(key auditor.Key) { h.say("cron %s gone", key) }
func (h *told) Run(namespace string, run auditor.Run) {
	ended := ""
	if run.Finished() {
		ended = " ended " + h.since(run.FinishedAt)
	}
	h.keep(func() { h.runs[run.Name] = run }, "run %s/%s%s", namespace, run.Name, ended)
}
func (h *told) RunGone(namespace string, run auditor.Run) {
	h.say("run %s/%s gone", namespace, run.Name)
}
func (h *told) Synced()             { h.say("synced") }
func (h *told) Gap(since time.Time) { h.say("gap since %s", h.since(since)) }
func (h *told) Told(_ string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = until
}
func (h *told) Blind(namespaces, forbidden []string) {
	if len(forbidden) > 0 {
		h.say("blind %q forbidden %q", namespaces, forbidden)
		return
	}
	h.say("blind %q", namespaces)
}
func (h *told) Controller(c auditor.Controller) { h.last = c; h.say("controller") }
func (h *told) Note(sentence string)            { h.say("note %s", sentence) }

// watchTest is a cluster that is being watched.
type watchTest struct {
	*testing.T
	*cluster
	*told
}

// expect holds what has been told since the last time against what should have been.
func (w watchTest) expect(want ...string) {
	w.Helper()
	w.compare(w.heard(), want...)
}

// expectInAnyOrder does so where it depends on which answer comes first.
func (w watchTest) expectInAnyOrder(want ...string) {
	w.Helper()
	w.compare(slices.Sorted(slices.Values(w.heard())), slices.Sorted(slices.Values(want))...)
}

func (w watchTest) compare(got []string, want ...string) {
	w.Helper()
	if !slices.Contains(want, "controller") { // told of from time to time
		got = slices.DeleteFunc(got, func(s string) bool { return s == "controller" })
	}
	for i := range got {
		if note, ok := strings.CutPrefix(got[i], "note "); ok && i < len(want) && strings.HasPrefix(want[i], "note ") && strings.Contains(note, strings.TrimPrefix(want[i], "note ")) {
			got[i] = want[i] // the test names a part of the sentence
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.Fatalf("(-want +got):\n%s", diff)
	}
}

// hears waits and expects.
func (w watchTest) hears(after time.Duration, want ...string) {
	w.Helper()
	time.Sleep(after)
	w.expect(want...)
}

// hearsWithBookmarks does so with a bookmark every minute, as an API server sends them.
func (w watchTest) hearsWithBookmarks(after time.Duration, want ...string) {
	w.Helper()
	for range after / time.Minute {
		time.Sleep(time.Minute)
		w.bookmark()
	}
	w.expect(want...)
}

// watchingTest runs a test with a cluster that is watched from the end of before on.
func watchingTest(t *testing.T, scope Scope, before func(*cluster), test func(watchTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.put("configmaps", map[string]any{"metadata": map[string]any{"namespace": "argo", "name": configName}})
		before(c)
		h := &told{began: time.Now(), crons: map[auditor.Key]auditor.CronWorkflow{}, runs: map[string]auditor.Run{}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.client().Watch(ctx, scope, h) }()
		test(watchTest{t, c, h})
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// oneOfEach has a CronWorkflow with a run.
func oneOfEach(c *cluster) {
	c.put("cronworkflows", cronObject("tick"))
	c.put("workflows", runObject("tick-1", "Running"))
}

// runObject is a Workflow of tick in this phase.
func runObject(name, phase string, changes ...func(map[string]any)) map[string]any {
	run := workflowObject("tick", name)
	set(run, phase, "metadata", "labels", labelPhase)
	set(run, fmt.Sprint(phase != "Running"), "metadata", "labels", labelCompleted)
	for _, change := range changes {
		change(run)
	}
	return run
}

// writtenBy is an entry of managedFields at the present time.
func writtenBy(manager string) func(map[string]any) {
	return func(object map[string]any) {
		set(object, []any{wrote(manager, time.Now().UTC().Format(time.RFC3339), nil)}, "metadata", "managedFields")
	}
}
