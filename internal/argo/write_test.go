package argo

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

var tick = backfill.Key{Namespace: "default", Name: "tick", UID: "uid-tick"}

// lookAt is a look at a CronWorkflow that was read before.
func lookAt(cron map[string]any) backfill.Look {
	object := &unstructured.Unstructured{Object: cron}
	return backfill.Look{ResourceVersion: object.GetResourceVersion(), Object: object}
}

func TestLookReadsTheCronWorkflowAndItsRuns(t *testing.T) {
	cron := cronObject("tick")
	set(cron, map[string]any{"workflowTemplateRef": map[string]any{"name": "etl"}, "fieldOfArgo9": "kept"}, "spec", "workflowSpec")
	const templatePath = "/apis/argoproj.io/v1alpha1/namespaces/default/workflowtemplates/etl"
	s := newServer(t, map[string][]http.HandlerFunc{
		"GET " + cronsPath + "/tick": answers(says(cron)),
		"GET " + workflowsPath:       answers(lists("Workflow", "", workflowObject("tick", "tick-60"))),
		"GET " + templatePath:        answers(says(map[string]any{"spec": map[string]any{"ttlStrategy": map[string]any{"secondsAfterCompletion": 30}}})),
		"GET " + configPath:          answers(noSettings()),
	})
	now := created
	c := s.client(t, Options{Now: func() time.Time { return now }})
	look, err := c.Look(t.Context(), tick)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cron, look.Object.(*unstructured.Unstructured).Object); diff != "" {
		t.Errorf("the object is not the one read:\n%s", diff)
	}
	if look.ResourceVersion != "7" || look.CronWorkflow.UID != "uid-tick" || look.CronWorkflow.Retention.TTL != 30*time.Second || len(look.Runs) != 1 || look.Runs[0].Name != "tick-60" {
		t.Errorf("look is %+v", look)
	}
	two := []string{"GET " + cronsPath + "/tick", "GET " + workflowsPath + "?labelSelector=workflows.argoproj.io/cron-workflow in (tick)&limit=500"}
	four := append(two[:2:2], "GET "+templatePath, "GET "+configPath)
	for _, step := range []struct {
		name string
		wait time.Duration
		want []string
	}{
		{"the first look reads template and settings", 0, four},
		{"the next one knows them", keepFor - time.Second, two},
		{"a later one reads them again", time.Second, four},
	} {
		if step.wait > 0 {
			now = now.Add(step.wait)
			if _, err := c.Look(t.Context(), tick); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(step.want, whats(s.asked())); diff != "" {
			t.Errorf("%s:\n%s", step.name, diff)
		}
	}
}

func TestLookAtACronWorkflowThatIsGone(t *testing.T) {
	anew := cronObject("tick")
	set(anew, "another", "metadata", "uid")
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
		// gone says that it is to be taken for the absence of this one object.
		gone bool
	}{
		"deleted":            {knowsNo("cronworkflows.argoproj.io", "tick"), `read CronWorkflow default/tick: cronworkflows.argoproj.io "tick" not found`, true},
		"deleted, made anew": {says(anew), "CronWorkflow default/tick was deleted and made anew (its UID was uid-tick and is another)", true},
		"with all its kind":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "404 page not found", http.StatusNotFound) }, "CRDs are not installed", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newServer(t, map[string][]http.HandlerFunc{"GET " + cronsPath + "/tick": answers(c.answer)}).client(t, Options{}).Look(t.Context(), tick)
			if apierrors.IsNotFound(err) != c.gone || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v (not found: %v), want it to say %q (%v)", err, apierrors.IsNotFound(err), c.want, c.gone)
			}
		})
	}
}

func TestCreateSendsTheWorkflowOnce(t *testing.T) {
	s := newServer(t, map[string][]http.HandlerFunc{"POST " + workflowsPath: answers(says(workflowObject("tick", "tick-1795406460")))})
	c := s.client(t, Options{ControllerZone: time.FixedZone("", 3600)})
	run := backfill.NewRun{ScheduledTime: time.Unix(1795406460, 0), By: "cli", Why: "It was missed."}
	cron := cronObject("tick")
	got, err := c.Create(t.Context(), lookAt(cron), run)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "tick-1795406460" || got.UID != "uid-tick-1795406460" || got.ResourceVersion != "9" {
		t.Errorf("created %+v", got)
	}
	body := string(asJSON(t, NewWorkflow(&unstructured.Unstructured{Object: cron}, run, time.FixedZone("", 3600)).Object))
	want := []request{{What: "POST " + workflowsPath, Query: "fieldManager=rollcall", ContentType: "application/json", Accept: "application/json", Body: body}}
	if diff := cmp.Diff(want, s.asked()); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsCreatedFromAWorkflowSpecThatIsNone(t *testing.T) {
	for name, spec := range map[string]any{"a text": "echo", "a list": []any{}, "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			cron := cronObject("tick")
			set(cron, spec, "spec", "workflowSpec")
			_, err := s.client(t, Options{}).Create(t.Context(), lookAt(cron), backfill.NewRun{ScheduledTime: time.Unix(60, 0), By: "cli"})
			if sorted := (backfill.Classifier{}).Classify(err); !apierrors.IsInvalid(err) || sorted.Class != backfill.ClassPermanent || sorted.Unsettled {
				t.Errorf("error is %v, sorted as %+v", err, sorted)
			}
			if asked := s.asked(); len(asked) != 0 {
				t.Errorf("the server was asked: %v", asked)
			}
		})
	}
}

func TestChangeIsOneGuardedPatchOfWhatIsNew(t *testing.T) {
	at := time.Unix(1795406460, 0) // 2026-11-23T04:01:00Z
	run := &auditor.Run{Name: "tick-1795406460", UID: "u1", ResourceVersion: "9"}
	reference := map[string]any{"apiVersion": apiVersion, "kind": "Workflow", "name": "tick-1795406460", "namespace": "default", "uid": "u1", "resourceVersion": "9"}
	other := map[string]any{"kind": "Workflow", "name": "tick-x", "uid": "u0", "fieldOfArgo9": "kept"}
	patch := func(metadata, status map[string]any) map[string]any {
		metadata["resourceVersion"] = "7"
		p := map[string]any{"metadata": metadata}
		if status != nil {
			p["status"] = status
		}
		return p
	}
	bare := func() map[string]any { return map[string]any{} }
	for name, c := range map[string]struct {
		status      map[string]any
		annotations map[string]any
		change      backfill.Change
		want        map[string]any // nil: no request
	}{
		"a run on a CronWorkflow without status": {nil, nil, backfill.Change{Append: run, LastScheduledTime: at},
			patch(bare(), map[string]any{"active": []any{reference}, "lastScheduledTime": "2026-11-23T04:01:00Z"})},
		"a run beside another": {map[string]any{"active": []any{other}, "lastScheduledTime": "2026-11-23T04:00:00Z"}, nil, backfill.Change{Append: run, LastScheduledTime: at},
			patch(bare(), map[string]any{"active": []any{other, reference}, "lastScheduledTime": "2026-11-23T04:01:00Z"})},
		"a run older than the last":   {map[string]any{"lastScheduledTime": "2026-11-23T04:02:00Z"}, nil, backfill.Change{Append: run, LastScheduledTime: at}, patch(bare(), map[string]any{"active": []any{reference}})},
		"a time in another zone":      {nil, nil, backfill.Change{LastScheduledTime: at.In(time.FixedZone("", 3600))}, patch(bare(), map[string]any{"lastScheduledTime": "2026-11-23T04:01:00Z"})},
		"a run that is there already": {map[string]any{"active": []any{reference}, "lastScheduledTime": "2026-11-23T04:01:00Z"}, nil, backfill.Change{Append: run, LastScheduledTime: at}, nil},
		"nothing":                     {nil, nil, backfill.Change{}, nil},
		"an intent":                   {nil, nil, backfill.Change{LastScheduledTime: at, Intend: at}, patch(map[string]any{"annotations": map[string]any{annotationIntended: "2026-11-23T04:01:00Z"}}, map[string]any{"lastScheduledTime": "2026-11-23T04:01:00Z"})},
		"an intent fulfilled":         {nil, map[string]any{annotationIntended: "2026-11-23T04:01:00Z"}, backfill.Change{Fulfilled: true}, patch(map[string]any{"annotations": map[string]any{annotationIntended: nil}}, nil)},
		"no intent fulfilled":         {nil, nil, backfill.Change{Fulfilled: true}, nil},
		"an intent that is there":     {nil, map[string]any{annotationIntended: "2026-11-23T04:01:00Z"}, backfill.Change{Intend: at}, nil},
		"a touch":                     {nil, map[string]any{annotationTouched: "2026-11-23T03:00:00Z"}, backfill.Change{Touched: at.In(time.FixedZone("", 3600))}, patch(map[string]any{"annotations": map[string]any{annotationTouched: "2026-11-23T04:01:00Z"}}, nil)},
		"a touch of this second":      {nil, map[string]any{annotationTouched: "2026-11-23T04:01:00Z"}, backfill.Change{Touched: at}, nil},
		"a run whose version is lost": {nil, nil, backfill.Change{Append: &auditor.Run{Name: "a", UID: "b"}}, patch(bare(), map[string]any{"active": []any{map[string]any{"apiVersion": apiVersion, "kind": "Workflow", "name": "a", "namespace": "default", "uid": "b"}}})},
		"a status that is no status":  {map[string]any{"active": "none", "lastScheduledTime": int64(5)}, nil, backfill.Change{Append: run}, patch(bare(), map[string]any{"active": []any{reference}})},
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronObject("tick")
			if c.status != nil {
				set(cron, c.status, "status")
			}
			if c.annotations != nil {
				set(cron, c.annotations, "metadata", "annotations")
			}
			s := newServer(t, map[string][]http.HandlerFunc{"PATCH " + cronsPath + "/tick": answers(says(cron))})
			if err := s.client(t, Options{}).Change(t.Context(), lookAt(cron), c.change); err != nil {
				t.Fatal(err)
			}
			asked := s.asked()
			if c.want == nil {
				if len(asked) != 0 {
					t.Errorf("asked %+v", asked)
				}
				return
			}
			if len(asked) != 1 || asked[0].What != "PATCH "+cronsPath+"/tick" || asked[0].Query != "fieldManager=rollcall" || asked[0].ContentType != "application/merge-patch+json" {
				t.Fatalf("asked %+v", asked)
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(asked[0].Body), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each call of an executor is one request, whatever the answer: the executor counts its attempts itself. The first request
// leaves an open connection, which is when net/http would repeat one that fails.
func TestEveryCallOfAnExecutorIsOneRequest(t *testing.T) {
	cron := cronObject("tick")
	calls := map[string]struct {
		what string
		call func(c *Client) error
	}{
		"Look": {"GET " + cronsPath + "/tick", func(c *Client) error { _, err := c.Look(t.Context(), tick); return err }},
		"Find": {"GET " + workflowsPath + "/tick-60", func(c *Client) error { _, _, err := c.Find(t.Context(), "default", "tick-60"); return err }},
		"Create": {"POST " + workflowsPath, func(c *Client) error {
			_, err := c.Create(t.Context(), lookAt(cron), backfill.NewRun{ScheduledTime: time.Unix(60, 0), By: "cli"})
			return err
		}},
		"Change": {"PATCH " + cronsPath + "/tick", func(c *Client) error {
			return c.Change(t.Context(), lookAt(cron), backfill.Change{LastScheduledTime: time.Unix(1795406460, 0)})
		}},
	}
	for failure, f := range map[string]struct {
		answer http.HandlerFunc
		is     func(error) bool
	}{
		"too many requests":  {refuses(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "busy", "Retry-After", "0"), apierrors.IsTooManyRequests},
		"unavailable":        {refuses(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "starting", "Retry-After", "0"), apierrors.IsServiceUnavailable},
		"an internal error":  {refuses(http.StatusInternalServerError, metav1.StatusReasonInternalError, "oops", "Retry-After", "0"), apierrors.IsInternalError},
		"a moved-on version": {refuses(http.StatusConflict, metav1.StatusReasonConflict, "moved on"), apierrors.IsConflict},
		"an existing name":   {refuses(http.StatusConflict, metav1.StatusReasonAlreadyExists, "exists"), apierrors.IsAlreadyExists},
		"a reset connection": {resets, func(err error) bool {
			return errors.Is(err, ErrUnreachable) && (errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "EOF"))
		}},
		"an answer to nobody": {refuses(http.StatusForbidden, metav1.StatusReasonForbidden, "exceeded quota"), apierrors.IsForbidden},
	} {
		for name, c := range calls {
			t.Run(name+" with "+failure, func(t *testing.T) {
				s := newServer(t, map[string][]http.HandlerFunc{
					c.what:       answers(f.answer),
					"GET /ready": answers(says(map[string]any{})),
				})
				client := s.client(t, Options{})
				if err := client.plain.Get().AbsPath("/ready").Do(t.Context()).Error(); err != nil {
					t.Fatal(err)
				}
				s.asked()
				err := c.call(client)
				if !f.is(err) {
					t.Errorf("error is %v", err)
				}
				if got := whats(s.asked()); len(got) != 1 {
					t.Errorf("asked %d times: %q", len(got), got)
				}
			})
		}
	}
}

// Without it the test above would hold for nothing.
func TestAnAuditsReadIsRepeatedOnAConnectionThatDied(t *testing.T) {
	s := newServer(t, map[string][]http.HandlerFunc{
		"GET " + workflowsPath + "/tick-60": answers(resets, says(workflowObject("tick", "tick-60"))),
		"GET /ready":                        answers(says(map[string]any{})),
	})
	c := s.client(t, Options{})
	if err := c.audit.Get().AbsPath("/ready").Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	s.asked()
	runs, err := c.LastLook(t.Context(), "default", []string{"tick-60"})
	if err != nil || len(runs) != 1 {
		t.Errorf("runs %v, error %v", runs, err)
	}
	if got := len(s.asked()); got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

func TestWritesNeedALookOfThisClient(t *testing.T) {
	c := newServer(t, nil).client(t, Options{})
	look := backfill.Look{CronWorkflow: auditor.CronWorkflow{Namespace: "default", Name: "tick"}, Object: "a text"}
	const want = "the look at CronWorkflow default/tick was not made by this client: its object is a string"
	if _, err := c.Create(t.Context(), look, backfill.NewRun{}); err == nil || err.Error() != want {
		t.Errorf("Create: %v", err)
	}
	if err := c.Change(t.Context(), look, backfill.Change{Fulfilled: true}); err == nil || err.Error() != want {
		t.Errorf("Change: %v", err)
	}
}

func TestMayChangeTellsOnlyOfWhatIsNotPermitted(t *testing.T) {
	answer := func(code int, reason string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("dryRun") != "All" {
				t.Errorf("it is no dry run: %s", r.URL)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"no"}`, reason, code)
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   bool
	}{
		"it is permitted":                  {says(cronObject("tick")), true},
		"it is forbidden":                  {answer(http.StatusForbidden, "Forbidden"), false},
		"the credentials are not accepted": {answer(http.StatusUnauthorized, "Unauthorized"), false},
		"a webhook knows no dry run":       {answer(http.StatusBadRequest, "BadRequest"), true},
		"the API server is overloaded":     {answer(http.StatusTooManyRequests, "TooManyRequests"), true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, map[string][]http.HandlerFunc{"PATCH " + cronsPath + "/tick": answers(c.answer)})
			if err := s.client(t, Options{}).MayChange(t.Context(), lookAt(cronObject("tick"))); (err == nil) != c.want {
				t.Errorf("error %v", err)
			}
		})
	}
}
