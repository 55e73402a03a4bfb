package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/proxy"
)

// TestWatchSeesEverythingOrSaysSo holds what internal/argo.Watch tells, while its connections break, against what was done.
func TestWatchSeesEverythingOrSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*scenario, *proxy.Proxy) (mend func())
		// relisted says that the watch of Workflows cannot be resumed.
		relisted bool
	}{
		"cut once": {breaks: func(_ *scenario, p *proxy.Proxy) func() { p.Cut(); return func() {} }},
		"down for 20 seconds": {breaks: func(s *scenario, p *proxy.Proxy) func() {
			p.Down()
			return func() {
				s.sleepUntil(time.Now().Add(20 * time.Second))
				s.must(p.Up())
			}
		}},
		"down until its version is gone": {relisted: true, breaks: func(s *scenario, p *proxy.Proxy) func() {
			p.Down()
			return func() {
				s.sleepUntil(time.Now().Add(20 * time.Second))
				p.Add(proxy.Rule{When: workflowWatches, Times: 1, Do: proxy.Answer(http.StatusGone, "too old resource version")})
				s.must(p.Up())
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, 6*time.Minute)
			p, err := shared.Proxy(cluster.Admin)
			s.must(err)
			s.installArgoWithoutController()
			s.create(cron{name: "tick"})
			s.createRun("tick-1")
			s.createRun("tick-2")
			client, err := argo.NewClient(p.RESTConfig(), argo.Options{})
			s.must(err)

			h := &heard{}
			ctx, stop := context.WithCancel(s.ctx)
			watched := make(chan error, 1)
			go func() {
				watched <- client.Watch(ctx, argo.Scope{Namespaces: []string{s.namespace}, ArgoNamespace: s.argoNamespace()}, h)
			}()
			h.await(s, "cron tick", "run tick-1", "run tick-2", "synced")

			s.patch("tick", `{"spec":{"suspend":true}}`)
			s.createRun("tick-3")
			h.await(s, "cron tick", "run tick-3")

			mend := c.breaks(s, p)
			broken := time.Now().UTC()
			s.createRun("tick-4") // comes and stays
			s.createRun("tick-5") // comes and goes
			s.deleteRun("tick-5")
			ending := time.Now().UTC()
			s.endRun("tick-1")
			ended := time.Now().UTC()
			s.deleteRun("tick-2")
			s.patch("tick", `{"spec":{"suspend":false}}`)
			mend()

			if c.relisted {
				// What came and went is not told of, and that something may have is.
				h.await(s, "gap", "cron tick", "run tick-1 ended", "run tick-2 gone", "run tick-4")
			} else {
				h.await(s, "cron tick", "run tick-1 ended", "run tick-2 gone", "run tick-4", "run tick-5", "run tick-5 gone")
			}
			s.createRun("tick-6") // it goes on
			h.await(s, "run tick-6")

			stop()
			s.must(<-watched)
			if h.gaps > 0 && !h.since.Before(broken) {
				s.Errorf("the gap is said to begin at %s, the connection broke before %s", h.since, broken)
			}
			relists := len(p.Requests(workflowLists)) - 1
			if want := map[bool]int{true: 1, false: 0}[c.relisted]; h.gaps != want || relists != want {
				s.Errorf("%d gaps and %d relists, want %d", h.gaps, relists, want)
			}
			if !c.relisted && len(p.Requests(proxy.Watches)) < 3 {
				s.Error("no watch was resumed: this scenario shows nothing")
			}
			run := h.runs["tick-1"]
			if at := run.FinishedAt; at.Before(ending.Add(-2*time.Second)) || at.After(ended.Add(2*time.Second)) || !run.Succeeded {
				s.Errorf("tick-1 ended between %s and %s, told was %+v", ending, ended, run)
			}
			if n := len(p.Requests()); n > 60 {
				s.Errorf("%d requests", n)
			}
		})
	}
}

func workflowWatches(r proxy.Request) bool {
	return proxy.Watches(r) && strings.HasSuffix(r.Path, "/workflows")
}

func workflowLists(r proxy.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/workflows") && !proxy.Watches(r)
}

// createRun makes a Workflow as Argo makes it for the scenario's CronWorkflow. There is no controller to run it.
func (s *scenario) createRun(name string) {
	s.Helper()
	run := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": map[string]any{"entrypoint": "main"}}}
	run.SetName(name)
	run.SetLabels(map[string]string{"workflows.argoproj.io/cron-workflow": "tick"})
	s.createWorkflow(run)
}

func (s *scenario) deleteRun(name string) {
	s.Helper()
	s.must(shared.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace).Delete(s.ctx, name, metav1.DeleteOptions{}))
}

// endRun does to a run what Argo's controller does when it has succeeded.
func (s *scenario) endRun(name string) {
	s.Helper()
	_, err := shared.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace).Patch(s.ctx, name, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"workflows.argoproj.io/phase":"Succeeded","workflows.argoproj.io/completed":"true"}}}`),
		metav1.PatchOptions{FieldManager: "workflow-controller"})
	s.must(err)
}

// heard is a handler that remembers.
type heard struct {
	mu    sync.Mutex
	said  []string
	gaps  int
	since time.Time
	runs  map[string]auditor.Run
}

func (h *heard) say(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, fmt.Sprintf(format, args...))
}

// await waits until all of this was said, whatever the order, and expects nothing else.
func (h *heard) await(s *scenario, want ...string) {
	s.Helper()
	slices.Sort(want)
	err := cluster.Await(s.ctx, "what the watch should tell", func(context.Context) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		said := slices.Sorted(slices.Values(h.said))
		if !slices.Equal(said, want) {
			return fmt.Errorf("want %q, it told %q", want, said)
		}
		h.said = nil
		return nil
	})
	s.must(err)
}

func (h *heard) CronWorkflow(cw auditor.CronWorkflow) { h.say("cron %s", cw.Name) }
func (h *heard) CronWorkflowGone(key auditor.Key)     { h.say("cron %s gone", key.Name) }
func (h *heard) Run(_ string, run auditor.Run) {
	h.mu.Lock()
	if h.runs == nil {
		h.runs = map[string]auditor.Run{}
	}
	h.runs[run.Name] = run
	h.mu.Unlock()
	if run.Finished() {
		h.say("run %s ended", run.Name)
		return
	}
	h.say("run %s", run.Name)
}
func (h *heard) RunGone(_ string, run auditor.Run) { h.say("run %s gone", run.Name) }
func (h *heard) Synced()                           { h.say("synced") }
func (h *heard) Gap(since time.Time) {
	h.mu.Lock()
	h.gaps, h.since = h.gaps+1, since
	h.mu.Unlock()
	h.say("gap")
}
func (h *heard) Told(string, time.Time)        {}
func (h *heard) Blind(_, _ []string)           {}
func (h *heard) Controller(auditor.Controller) {}
func (h *heard) Note(string)                   {}
