package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
)

// reply answers a prompt with y, after what happens meanwhile.
type reply struct{ meanwhile func() }

func (r reply) Read(p []byte) (int, error) {
	r.meanwhile()
	return copy(p, "y\n"), nil
}

// Somebody looks at a plan for ten minutes. Meanwhile the add-on runs the firing, and a history limit deletes its run.
func TestWhatTheAddOnRecoversWhileAPromptIsOpenIsNotMadeASecondTime(t *testing.T) {
	for name, c := range map[string]struct {
		args func(window, at []string) []string
		// again is what the API server answers who asks for the record after the prompt; the record itself where that is nil.
		again any
		want  status
		says  string
	}{
		"rollcall backfill of a window": {
			func(window, _ []string) []string { return append([]string{"backfill", "tick"}, window...) }, nil, statusDone,
			": AlreadyThere (1/1): It is no longer lost: it was run by Rollcall since.\n",
		},
		"rollcall backfill of a firing": {
			func(_, at []string) []string { return append([]string{"backfill", "tick"}, at...) }, nil, statusDone,
			": AlreadyThere (1/1): It is no longer lost: it was run by Rollcall since.\n",
		},
		"rollcall audit --backfill": {
			func(window, _ []string) []string { return append([]string{"audit", "tick", "--backfill"}, window...) }, nil, statusDone,
			": AlreadyThere (1/1): It is no longer lost: it was run by Rollcall since.\n",
		},
		"the audit cannot be made anew": {
			func(window, _ []string) []string { return append([]string{"backfill", "tick"}, window...) },
			failure(http.StatusForbidden, metav1.StatusReasonForbidden), statusLost, ": Blocked (1/1)\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now().UTC()
			lost := now.Truncate(time.Minute).Add(-5 * time.Minute)
			passed := lost.Add(2 * time.Minute)
			daily := func(t time.Time) string { return fmt.Sprintf("%d %d * * *", t.Minute(), t.Hour()) }
			at := func(t time.Time) string { return t.Format(time.RFC3339) }
			tick := map[string]any{
				"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow",
				"metadata": map[string]any{"name": "tick", "namespace": "etl", "uid": "u-tick", "resourceVersion": "7", "creationTimestamp": at(now.Add(-time.Hour))},
				"spec": map[string]any{
					"schedules": []any{daily(lost), daily(passed)}, "timezone": "UTC", "startingDeadlineSeconds": 3600,
				},
				"status": map[string]any{"lastScheduledTime": at(passed)}, // Argo was back
			}
			record := map[string]any{
				"metadata": map[string]any{"name": "tick", "namespace": "etl", "ownerReferences": []any{
					map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "name": "tick", "uid": "u-tick", "controller": true},
				}},
				"status": map[string]any{
					"observedUID": "u-tick", "auditedThrough": at(now),
					"record": map[string]any{"runs": []any{map[string]any{"scheduledTime": at(lost), "createdAt": at(now), "verdict": "Backfilled"}}},
				},
			}
			list := func(items ...any) any {
				return map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]any{}, "items": append([]any{}, items...)}
			}
			const workflows = "/apis/argoproj.io/v1alpha1/namespaces/etl/workflows"
			workflow := auditor.WorkflowName("tick", lost)
			var later atomic.Bool
			var creates atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				date := time.Now()
				if later.Load() {
					date = date.Add(10 * time.Minute)
				}
				w.Header().Set("Date", date.UTC().Format(http.TimeFormat))
				w.Header().Set("Content-Type", "application/json")
				var answer any = metav1.Status{Code: http.StatusNotFound}
				switch path := r.URL.Path; {
				case r.Method == http.MethodPost && path == workflows:
					creates.Add(1)
				case path == cronWorkflowsOfETL && later.Load() && c.again != nil:
					answer = c.again
				case path == cronWorkflowsOfETL:
					answer = list(tick)
				case path == cronWorkflowsOfETL+"/tick":
					answer = tick
				case path == workflows:
					answer = list()
				case strings.HasSuffix(path, "/workflow-controller-configmap"):
					answer = map[string]any{"metadata": map[string]any{"name": "workflow-controller-configmap"}}
				case path == workflows+"/"+workflow:
					answer = absent("workflows", workflow)
				case strings.HasSuffix(path, "/cronaudits/tick") && later.Load():
					answer = record
				case strings.HasSuffix(path, "/cronaudits/tick"):
					answer = absent("cronaudits", "tick")
				}
				if s, ok := answer.(metav1.Status); ok {
					w.WriteHeader(int(s.Code))
				}
				if err := json.NewEncoder(w).Encode(answer); err != nil {
					t.Error(err)
				}
			}))
			t.Cleanup(server.Close)
			kubeconfig(t, server.URL)
			env, out, errOut := testEnvironment()
			env.terminal = func(f any) bool { _, asks := f.(reply); return asks }
			env.In = reply{func() { later.Store(true) }}
			window := []string{"--from", at(lost.Add(-time.Second)), "--to", at(lost)}
			if got := run(t.Context(), env, c.args(window, []string{"--at", at(lost)})); got != c.want {
				t.Errorf("status %d, want %d", got, c.want)
			}
			if said := errOut.String(); !strings.Contains(said, "Create 1 run for etl/tick? [y/N] ") || !strings.Contains(said, c.says) {
				t.Errorf("said %q and %q", said, out)
			}
			if n := creates.Load(); n > 0 {
				t.Errorf("created %d times", n)
			}
		})
	}
}
