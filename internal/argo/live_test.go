package argo

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/auditor"
)

// installed answers for an Argo installation with these objects in the namespace default.
func installed(crons, runs []map[string]any) map[string][]http.HandlerFunc {
	return map[string][]http.HandlerFunc{
		"GET " + allCrons:      answers(lists("CronWorkflow", "", crons...)),
		"GET " + cronsPath:     answers(lists("CronWorkflow", "", crons...)),
		"GET " + allWorkflows:  answers(lists("Workflow", "", runs...)),
		"GET " + workflowsPath: answers(lists("Workflow", "", runs...)),
		"GET " + leasePath:     answers(knowsNo("leases.coordination.k8s.io", "workflow-controller")),
		"GET " + configPath:    answers(noSettings()),
	}
}

func TestLiveSnapshotIsThatOfADump(t *testing.T) {
	cron, run := cronObject("tick"), workflowObject("tick", "tick-1795406460")
	set(cron, []any{wrote("kubectl", after(time.Second), map[string]any{"f:spec": map[string]any{}})}, "metadata", "managedFields")
	set(cron, map[string]any{"workflowTemplateRef": map[string]any{"name": "etl"}}, "spec", "workflowSpec")
	set(run, []any{wrote("workflow-controller", after(2*time.Minute), nil)}, "metadata", "managedFields")
	template := map[string]any{"apiVersion": apiVersion, "kind": "WorkflowTemplate", "metadata": map[string]any{"name": "etl", "namespace": "default"},
		"spec": map[string]any{"ttlStrategy": map[string]any{"secondsAfterSuccess": 300}}}
	lease := map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": leaseName, "namespace": "argo"},
		"spec": map[string]any{"holderIdentity": "argo-0", "renewTime": after(time.Hour), "leaseDurationSeconds": 15}}
	config := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": configName, "namespace": "argo"},
		"data": map[string]any{"retentionPolicy": "completed: 10"}}

	api := installed([]map[string]any{cron}, []map[string]any{run})
	api["GET "+leasePath] = answers(says(lease))
	api["GET "+configPath] = answers(says(config))
	api["GET /apis/argoproj.io/v1alpha1/namespaces/default/workflowtemplates/etl"] = answers(says(template))
	live, err := newServer(t, api).client(t, Options{}).Snapshot(t.Context(), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	dump, err := readText(asYAML(t, listOf(cron, run, template, lease, config)), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	// A dump does not tell when the last write was: its files may be of different times.
	if diff := cmp.Diff(dump, live, cmpopts.IgnoreFields(Snapshot{}, "Now", "ClockOffset"), cmpopts.IgnoreFields(auditor.Status{}, "ChangedAt")); diff != "" {
		t.Errorf("(-dump +live):\n%s", diff)
	}
	if r := live.CronWorkflows[0].CronWorkflow.Retention; r.TTL != 5*time.Minute || !r.Policy || live.CronWorkflows[0].Controller.Lease == nil {
		t.Errorf("template, settings or lease were not used: %+v", live.CronWorkflows[0])
	}
}

func TestSnapshotAsksForNoMoreThanItNeeds(t *testing.T) {
	overriding := cronObject("tock")
	set(overriding, map[string]any{labelCronWorkflow: "clock"}, "spec", "workflowMetadata", "labels")
	common := []string{"GET " + leasePath, "GET " + configPath}
	for name, c := range map[string]struct {
		scope Scope
		want  []string
	}{
		"of all namespaces": {Scope{}, []string{"GET " + allCrons + "?limit=500", "GET " + allWorkflows + "?labelSelector=workflows.argoproj.io/cron-workflow&limit=500"}},
		"of one namespace":  {Scope{Namespaces: []string{"default", "default"}}, []string{"GET " + cronsPath + "?limit=500", "GET " + workflowsPath + "?labelSelector=workflows.argoproj.io/cron-workflow&limit=500"}},
		"of one CronWorkflow": {Scope{Namespaces: []string{"default"}, Names: []string{"tick"}},
			[]string{"GET " + cronsPath + "?limit=500", "GET " + workflowsPath + "?labelSelector=workflows.argoproj.io/cron-workflow in (tick)&limit=500"}},
		"of one whose runs carry another label": {Scope{Namespaces: []string{"default"}, Names: []string{"tock"}},
			[]string{"GET " + cronsPath + "?limit=500", "GET " + workflowsPath + "?labelSelector=workflows.argoproj.io/cron-workflow in (tock,clock)&limit=500"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, installed([]map[string]any{cronObject("tick"), overriding}, nil))
			if _, err := s.client(t, Options{}).Snapshot(t.Context(), c.scope); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append(c.want, common...), whats(s.asked())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestListIsReadPageByPage(t *testing.T) {
	api := installed(nil, nil)
	api["GET "+allCrons] = answers(lists("CronWorkflow", "two", cronObject("a"), cronObject("b")), lists("CronWorkflow", "", cronObject("c")))
	s := newServer(t, api)
	snapshot, err := s.client(t, Options{}).Snapshot(t.Context(), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, namesOf(snapshot)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"GET " + allCrons + "?limit=500", "GET " + allCrons + "?continue=two&limit=500"}, whats(s.asked())[:2]); diff != "" {
		t.Error(diff)
	}
}

func TestListStartsAgainWhenItsVersionIsGone(t *testing.T) {
	api := installed(nil, nil)
	api["GET "+allCrons] = answers(lists("CronWorkflow", "two", cronObject("a"), cronObject("b")),
		refuses(http.StatusGone, metav1.StatusReasonExpired, "too old"), lists("CronWorkflow", "", cronObject("b"), cronObject("c")))
	s := newServer(t, api)
	snapshot, err := s.client(t, Options{}).Snapshot(t.Context(), Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b", "c"}, namesOf(snapshot)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"GET " + allCrons + "?limit=500", "GET " + allCrons + "?continue=two&limit=500", "GET " + allCrons}, whats(s.asked())[:3]); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshotSaysWhatItCannotRead(t *testing.T) {
	forbidden := answers(refuses(http.StatusForbidden, metav1.StatusReasonForbidden, "no"))
	referring := cronObject("tick")
	set(referring, map[string]any{"workflowTemplateRef": map[string]any{"name": "etl", "clusterScope": true}}, "spec", "workflowSpec")
	malformed := workflowObject("tick", "tick-1795406460")
	set(malformed, "fine", "status")
	none := auditor.Retention{Successful: 3, Failed: 1, TTL: noTTL}
	hidden := func(what string) auditor.Retention {
		r := none
		r.Unreadable = what
		return r
	}
	for name, c := range map[string]struct {
		cron   map[string]any
		change map[string][]http.HandlerFunc
		want   auditor.Retention
		note   string
	}{
		"the lease":    {cronObject("tick"), map[string][]http.HandlerFunc{"GET " + leasePath: forbidden}, none, "Lease argo/workflow-controller cannot be read (no)"},
		"the settings": {cronObject("tick"), map[string][]http.HandlerFunc{"GET " + configPath: forbidden}, hidden("ConfigMap argo/" + configName), "ConfigMap argo/workflow-controller-configmap cannot be read (no)"},
		"settings that are elsewhere": {cronObject("tick"), map[string][]http.HandlerFunc{"GET " + configPath: answers(knowsNo("configmaps", configName))},
			hidden("ConfigMap argo/" + configName), "--argo-namespace"},
		"a template": {referring, map[string][]http.HandlerFunc{"GET /apis/argoproj.io/v1alpha1/clusterworkflowtemplates/etl": forbidden},
			hidden("ClusterWorkflowTemplate etl"), "ClusterWorkflowTemplate etl cannot be read (no)"},
		"a malformed Workflow": {cronObject("tick"), map[string][]http.HandlerFunc{"GET " + allWorkflows: answers(lists("Workflow", "", malformed))},
			hidden("Workflow default/tick-1795406460"), "Workflow default/tick-1795406460 is malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			api := installed([]map[string]any{c.cron}, nil)
			for what, a := range c.change {
				api[what] = a
			}
			snapshot, err := newServer(t, api).client(t, Options{}).Snapshot(t.Context(), Scope{})
			if err != nil {
				t.Fatal(err)
			}
			if len(snapshot.Notes) != 1 || !strings.Contains(snapshot.Notes[0], c.note) {
				t.Errorf("notes are %q, want one with %q", snapshot.Notes, c.note)
			}
			if diff := cmp.Diff(c.want, snapshot.CronWorkflows[0].CronWorkflow.Retention); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatCannotBeReadAtAllIsAnErrorOfAKnownKind(t *testing.T) {
	closed := newServer(t, nil)
	closed.Close()
	for name, c := range map[string]struct {
		api   map[string][]http.HandlerFunc
		scope Scope
		is    error
		want  string
	}{
		"no CRDs":       {nil, Scope{}, ErrNotInstalled, "list CronWorkflows in all namespaces: Argo Workflows' CRDs are not installed in this cluster: "},
		"no permission": {map[string][]http.HandlerFunc{"GET " + allCrons: answers(refuses(403, metav1.StatusReasonForbidden, "no"))}, Scope{}, ErrForbidden, "list CronWorkflows in all namespaces: not permitted: no"},
		"no login":      {map[string][]http.HandlerFunc{"GET " + allCrons: answers(refuses(401, metav1.StatusReasonUnauthorized, "who?"))}, Scope{}, ErrUnauthorized, "the API server does not accept the credentials (log in again"},
		"no namespace": {map[string][]http.HandlerFunc{"GET " + cronsPath: answers(lists("CronWorkflow", "")), "GET /api/v1/namespaces/default": answers(knowsNo("namespaces", "default"))},
			Scope{Namespaces: []string{"default"}}, ErrNoNamespace, "namespace default: there is no such namespace"},
		"no Workflows": {map[string][]http.HandlerFunc{"GET " + allCrons: answers(lists("CronWorkflow", "", cronObject("a"))), "GET " + allWorkflows: answers(refuses(403, metav1.StatusReasonForbidden, "no"))},
			Scope{}, ErrForbidden, "list Workflows in all namespaces: not permitted"},
		"a name that no object can have": {nil, Scope{Namespaces: []string{"a/../../secrets"}}, nil, "cannot be the name of a Kubernetes object"},
		"an answer cut off": {map[string][]http.HandlerFunc{"GET " + allCrons: answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"items":[{"metadata":`)) })},
			Scope{}, nil, "the answer to a list cannot be read: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newServer(t, c.api).client(t, Options{}).Snapshot(t.Context(), c.scope)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want it to say %q", err, c.want)
			}
		})
	}
	t.Run("no API server", func(t *testing.T) {
		_, err := closed.client(t, Options{}).Snapshot(t.Context(), Scope{})
		host := strings.TrimPrefix(closed.URL, "http://")
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "cannot reach the API server at "+host+" (check --kubeconfig and --context)") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("no such CronWorkflow", func(t *testing.T) {
		_, err := newServer(t, installed([]map[string]any{cronObject("tick")}, nil)).client(t, Options{}).Snapshot(t.Context(), Scope{Namespaces: []string{"default"}, Names: []string{"tock"}})
		if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "no CronWorkflow tock in namespace default") {
			t.Errorf("error is %v", err)
		}
	})
}

func TestEmptyNamespaceThatExistsIsNoError(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"and may be read":     says(map[string]any{"kind": "Namespace", "metadata": map[string]any{"name": "default"}}),
		"and may not be read": refuses(403, metav1.StatusReasonForbidden, "no"),
	} {
		t.Run(name, func(t *testing.T) {
			api := installed(nil, nil)
			api["GET /api/v1/namespaces/default"] = answers(answer)
			snapshot, err := newServer(t, api).client(t, Options{}).Snapshot(t.Context(), Scope{Namespaces: []string{"default"}})
			if err != nil || len(snapshot.CronWorkflows) != 0 {
				t.Errorf("snapshot %+v, error %v", snapshot, err)
			}
		})
	}
}

func TestAuditReadsAgainWhenTheServerAsksForIt(t *testing.T) {
	busy := refuses(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "busy", "Retry-After", "0")
	for name, c := range map[string]struct {
		before []http.HandlerFunc
		ok     bool
	}{
		"up to three times":      {answers(busy, busy, busy), true},
		"and not a fourth time":  {answers(busy, busy, busy, busy), false},
		"but not for no reason":  {answers(refuses(http.StatusInternalServerError, metav1.StatusReasonInternalError, "oops")), false},
		"and after it went down": {answers(refuses(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "starting", "Retry-After", "0")), true},
	} {
		t.Run(name, func(t *testing.T) {
			api := installed(nil, nil)
			api["GET "+allCrons] = append(c.before, lists("CronWorkflow", "", cronObject("tick")))
			_, err := newServer(t, api).client(t, Options{}).Snapshot(t.Context(), Scope{})
			if (err == nil) != c.ok {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestClientNamesItself(t *testing.T) {
	var agent string
	s := newServer(t, map[string][]http.HandlerFunc{"GET " + allCrons: answers(func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		lists("CronWorkflow", "")(w, r)
	})})
	cfg := &rest.Config{Host: s.URL}
	c, err := NewClient(cfg, Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Snapshot(context.Background(), Scope{}); err != nil {
		t.Fatal(err)
	}
	if agent != "rollcall/1.2.3" {
		t.Errorf("user agent is %q", agent)
	}
	if cfg.UserAgent != "" || cfg.WrapTransport != nil || cfg.QPS != 0 {
		t.Errorf("the caller's configuration was changed: %+v", cfg)
	}
	if _, err := NewClient(nil, Options{}); err == nil {
		t.Error("no configuration is no error")
	}
	if _, err := NewClient(&rest.Config{Host: "http://\x00"}, Options{}); err == nil {
		t.Error("a host that is none is no error")
	}
}
