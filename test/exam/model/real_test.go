//go:build exam

package model

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/exam/fake"
)

// real is the stage of a real controller: a namespace with one of its own.
type real struct {
	*testing.T
	ctx       context.Context
	cluster   *cluster.Cluster
	argo      *cluster.Argo
	namespace string
	begins    time.Time

	mu   sync.Mutex
	runs map[int]*seen
}

// TestTheRealControllerDoesAsTheModel plays the same scenarios on a real API server and real controllers, side by side.
func TestTheRealControllerDoesAsTheModel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{StopOnSignal: true, Progress: os.Stderr, WithoutArgo: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}()
	var all sync.WaitGroup
	stages := map[string]*real{}
	for name := range scenarios {
		s := &real{T: t, ctx: ctx, cluster: c, namespace: fmt.Sprintf("scenario-%d", len(stages)), runs: map[int]*seen{}}
		stages[name] = s
		all.Go(s.startArgo)
	}
	all.Wait()
	if t.Failed() {
		return
	}
	begins := time.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	for name, s := range stages {
		s.begins = begins
		all.Go(func() {
			defer s.stopArgo()
			watching, stop := context.WithCancel(ctx)
			defer stop()
			go s.watch(watching)
			s.until(0)
			scenarios[name].play(s)
			s.mu.Lock()
			defer s.mu.Unlock()
			switch got := strings.Join(told(s, scenarios[name].last), "; "); {
			case got == scenarios[name].want:
			case scenarios[name].race != "" && got == scenarios[name].race:
				t.Logf("%s: Argo lost a race with itself: %s", name, got)
			default:
				t.Errorf("%s:\nwant %s\n got %s", name, scenarios[name].want, got)
			}
		})
	}
	all.Wait()
}

func (s *real) must(err error) {
	s.Helper()
	if err != nil {
		s.Error(err)
	}
}

// watch looks every half second.
func (s *real) watch(ctx context.Context) {
	for ticker := time.NewTicker(500 * time.Millisecond); ctx.Err() == nil; <-ticker.C {
		list, err := s.cluster.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			continue
		}
		there := map[int]bool{}
		s.mu.Lock()
		for i := range list.Items {
			w := &list.Items[i]
			at, ok := auditor.ScheduledTimeOf("tick", w.GetName())
			if !ok {
				continue
			}
			n := int(at.Sub(s.begins) / time.Minute)
			there[n] = true
			r := s.runs[n]
			if r == nil {
				r = &seen{created: w.GetCreationTimestamp().Sub(s.begins), outside: w.GetLabels()["made-by"] == "test"}
				s.runs[n] = r
			}
			shutdown, _, _ := unstructured.NestedString(w.Object, "spec", "shutdown")
			r.terminated = r.terminated || shutdown != ""
			// By the object, not by when it is seen: what comes after it may be made before the next look.
			if text, _, _ := unstructured.NestedString(w.Object, "status", "finishedAt"); text != "" && r.ended == 0 {
				end, err := time.Parse(time.RFC3339, text)
				s.must(err)
				r.ended = end.Sub(s.begins)
			}
		}
		for n, r := range s.runs {
			if !there[n] && r.gone == 0 {
				r.gone = time.Since(s.begins)
			}
		}
		s.mu.Unlock()
	}
}

func (s *real) create(spec fake.Spec) {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata: {name: tick}\nspec:\n  schedules: [\"%s\"]\n  timezone: UTC\n", strings.Join(spec.Schedules, `", "`))
	if spec.Deadline > 0 {
		fmt.Fprintf(&b, "  startingDeadlineSeconds: %d\n", spec.Deadline)
	}
	if spec.Policy != "" {
		fmt.Fprintf(&b, "  concurrencyPolicy: %s\n", spec.Policy)
	}
	if spec.When != "" {
		// A scenario begins at an even minute; here it begins at any.
		fmt.Fprintf(&b, "  when: %q\n", strings.Replace(spec.When, "== 0", fmt.Sprintf("== %d", s.begins.Minute()%2), 1))
	}
	if spec.StopAfter > 0 {
		fmt.Fprintf(&b, "  stopStrategy: {expression: \"cronworkflow.failed >= %d\"}\n", spec.StopAfter)
	}
	succeeded, failed := spec.Limits()
	fmt.Fprintf(&b, "  successfulJobsHistoryLimit: %d\n  failedJobsHistoryLimit: %d\n", succeeded, failed)
	takes := spec.Runs
	b.WriteString("  workflowSpec:\n    entrypoint: main\n")
	if spec.FailEvery == 1 { // a run that takes longer than it may fails
		fmt.Fprintf(&b, "    activeDeadlineSeconds: %d\n", spec.Runs)
		takes += 600
	}
	if spec.TTL != nil {
		fmt.Fprintf(&b, "    ttlStrategy: {secondsAfterCompletion: %d}\n", *spec.TTL)
	}
	fmt.Fprintf(&b, "    templates: [{name: main, suspend: {duration: %q}}]\n", fmt.Sprint(takes, "s"))
	s.must(s.cluster.Apply(s.ctx, s.namespace, b.String()))
}

func (s *real) patch(patch map[string]any) {
	data, err := json.Marshal(patch)
	s.must(err)
	_, err = s.cluster.Dynamic().Resource(cluster.CronWorkflows).Namespace(s.namespace).Patch(s.ctx, "tick", types.MergePatchType, data, metav1.PatchOptions{})
	s.must(err)
}

func (s *real) suspend(suspended bool) {
	s.patch(map[string]any{"spec": map[string]any{"suspend": suspended}})
}

func (s *real) lengthen(seconds int) {
	template := map[string]any{"name": "main", "suspend": map[string]any{"duration": fmt.Sprint(seconds, "s")}}
	s.patch(map[string]any{"spec": map[string]any{"workflowSpec": map[string]any{"templates": []any{template}}}})
}

func (s *real) stopArgo() { s.must(s.argo.Kill()) }

func (s *real) startArgo() {
	if s.argo != nil {
		s.must(s.argo.Start(s.ctx))
		return
	}
	argo, err := s.cluster.StartArgo(s.ctx, cluster.ArgoOptions{Namespace: s.namespace + "-argo", ManagedNamespace: s.namespace})
	s.must(err)
	s.argo = argo
}

func (s *real) at(firing int) time.Time {
	return s.begins.Add(time.Duration(firing) * time.Minute)
}

func (s *real) make(firing int) {
	cron, err := s.cluster.Dynamic().Resource(cluster.CronWorkflows).Namespace(s.namespace).Get(s.ctx, "tick", metav1.GetOptions{})
	s.must(err)
	if err != nil {
		return
	}
	spec, _, _ := unstructured.NestedMap(cron.Object, "spec", "workflowSpec")
	w := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": spec}}
	w.SetName(auditor.WorkflowName("tick", s.at(firing)))
	w.SetLabels(map[string]string{"workflows.argoproj.io/cron-workflow": "tick", "made-by": "test"})
	w.SetAnnotations(map[string]string{"workflows.argoproj.io/scheduled-time": s.at(firing).Format(time.RFC3339)})
	yes := true
	w.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "argoproj.io/v1alpha1", Kind: "CronWorkflow", Name: "tick", UID: cron.GetUID(), Controller: &yes, BlockOwnerDeletion: &yes}})
	_, err = s.cluster.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace).Create(s.ctx, w, metav1.CreateOptions{})
	s.must(err)
}

func (s *real) tell(last, active int) {
	status := map[string]any{"lastScheduledTime": s.at(last).Format(time.RFC3339)}
	if active > 0 {
		w, err := s.cluster.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace).Get(s.ctx, auditor.WorkflowName("tick", s.at(active)), metav1.GetOptions{})
		s.must(err)
		if err == nil {
			status["active"] = []any{map[string]any{
				"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "namespace": s.namespace, "name": w.GetName(), "uid": string(w.GetUID()),
			}}
		}
	}
	s.patch(map[string]any{"status": status})
}

func (s *real) until(seconds int) {
	select {
	case <-time.After(time.Until(s.begins.Add(time.Duration(seconds) * time.Second))):
	case <-s.ctx.Done():
	}
}

func (s *real) seen() map[int]*seen { return s.runs }
