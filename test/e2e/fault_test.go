package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/proxy"
)

// creates are the requests that create Workflows.
var creates = proxy.On(http.MethodPost, `/workflows$`)

// installArgoWithoutController makes what an Argo installation has beside its controller: without its settings nobody can tell
// whether a run might have been deleted again.
func (s *scenario) installArgoWithoutController() {
	s.Helper()
	s.must(shared.CreateNamespace(s.ctx, s.argoNamespace()))
	s.must(shared.Apply(s.ctx, s.argoNamespace(), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: workflow-controller-configmap}\n"))
}

// oneLost gives a CronWorkflow without a controller whose last firing is lost, and a proxy between rollcall and the API server.
func oneLost(s *scenario) (lost time.Time, p *proxy.Proxy) {
	s.Helper()
	p, err := shared.Proxy(cluster.Admin)
	s.must(err)
	s.kubeconfig = p.Kubeconfig()
	s.installArgoWithoutController()
	s.sleepIntoMinute(0, 40)
	s.create(cron{name: "tick", deadline: 600})
	lost = minute().Add(time.Minute)
	s.sleepUntil(lost.Add(12 * time.Second))
	return lost, p
}

func backfillOne(s *scenario, lost time.Time) outcome {
	s.Helper()
	return s.rollcall(append([]string{"backfill", "tick", "--yes"}, at(lost)...)...)
}

func TestFailingCreatesEndInExactlyOneRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule proxy.Rule
		// requests is how many creates the proxy must see, gaps the least time before each but the first.
		requests int
		gaps     []time.Duration
	}{
		"resets":          {proxy.Rule{Times: 2, Do: proxy.Reset()}, 3, []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}},
		"503":             {proxy.Rule{Times: 2, Do: proxy.Answer(http.StatusServiceUnavailable, "the server is currently unable to handle the request")}, 3, []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}},
		"429 Retry-After": {proxy.Rule{Times: 1, Do: proxy.TooManyRequests(2 * time.Second)}, 2, []time.Duration{2 * time.Second}},
		// One attempt is four requests; the next attempt follows a second later.
		"503 for longer than one attempt": {proxy.Rule{Times: 4, Do: proxy.Answer(http.StatusServiceUnavailable, "the server is currently unable to handle the request")}, 5,
			[]time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, 6*time.Minute)
			lost, p := oneLost(s)
			c.rule.When = creates
			p.Add(c.rule)
			if out := backfillOne(s, lost); out.status != 0 {
				s.Errorf("backfill ended with status %d", out.status)
			}
			seen := p.Requests(creates)
			if len(seen) != c.requests {
				s.Errorf("want %d creates at the proxy, got %d", c.requests, len(seen))
			}
			for i, gap := range c.gaps {
				if i+1 < len(seen) && seen[i+1].Time.Sub(seen[i].Time) < gap {
					s.Errorf("create %d came %s after the one before, want %s at least", i+2, seen[i+1].Time.Sub(seen[i].Time), gap)
				}
			}
			if all := names(s.workflows()); len(all) != 1 || all[0] != runName("tick", lost) {
				s.Errorf("want exactly the run of %s, got %v", lost, all)
			}
		})
	}
}

func TestALostAnswerEndsInExactlyOneRun(t *testing.T) {
	s := begin(t, 6*time.Minute)
	lost, p := oneLost(s)
	p.Add(proxy.Rule{When: creates, Times: 1, Do: proxy.LoseAnswer()})
	if out := backfillOne(s, lost); out.status != 0 {
		s.Errorf("backfill ended with status %d", out.status)
	}
	seen := p.Requests(creates)
	if len(seen) != 1 {
		s.Fatalf("want one create at the proxy, got %d", len(seen))
	}
	var answer struct{ Metadata struct{ UID string } }
	s.must(json.Unmarshal(seen[0].Answer, &answer))
	run := s.workflows()[runName("tick", lost)]
	if answer.Metadata.UID == "" || string(run.GetUID()) != answer.Metadata.UID {
		s.Errorf("the lost answer was about UID %q, the run is %q", answer.Metadata.UID, run.GetUID())
	}
	if got := timeField(s.cron("tick"), "status", "lastScheduledTime"); !got.Equal(lost) {
		s.Errorf("lastScheduledTime is %s, want %s", got, lost)
	}
}

// awaitQuota waits until admission refuses Workflows: it learns of a quota by a watch.
func (s *scenario) awaitQuota() {
	s.Helper()
	s.must(cluster.Await(s.ctx, "the quota to be enforced", func(ctx context.Context) error {
		probe := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": map[string]any{}}}
		probe.SetName("probe")
		workflows := shared.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace)
		if _, err := workflows.Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err == nil {
			return errors.New("a Workflow would still be accepted")
		} else if !strings.Contains(err.Error(), "exceeded quota") {
			return err
		}
		return nil
	}))
}

func TestAnExceededQuotaIsReportedWithoutHammering(t *testing.T) {
	s := begin(t, 6*time.Minute)
	lost, p := oneLost(s)
	s.must(shared.Quota(s.ctx, s.namespace, "none", "count/workflows.argoproj.io", 0, 0))
	s.awaitQuota()
	out := backfillOne(s, lost)
	if out.status != 2 || !strings.Contains(out.stdout+out.stderr, "exceeded quota") {
		s.Errorf("want status 2 and the quota named, got %d", out.status)
	}
	if n := len(p.Requests(creates)); n != 1 {
		s.Errorf("want one create at the proxy, got %d", n)
	}
}

func TestARunThatTheServerRejectsIsGivenUpAtOnce(t *testing.T) {
	s := begin(t, 6*time.Minute)
	lost, p := oneLost(s)
	s.patch("tick", `{"spec":{"workflowMetadata":{"labels":{"team":"not a valid label!"}}}}`)
	// The edit makes what was before it unknown, so it must be asked for by name.
	out := s.rollcall(append([]string{"backfill", "tick", "--yes", "--include", "Unknown"}, at(lost)...)...)
	if out.status != 1 || !strings.Contains(out.stdout+out.stderr, "not a valid label!") || !strings.Contains(out.stdout, "Permanent") {
		s.Errorf("want status 1, Permanent and the server's words, got %d", out.status)
	}
	if n := len(p.Requests(creates)); n != 1 {
		s.Errorf("want one create at the proxy, got %d", n)
	}
	if got := field(s.cron("tick"), "status", "lastScheduledTime"); got != "" {
		s.Errorf("lastScheduledTime was moved to %s though nothing was created", got)
	}
}
