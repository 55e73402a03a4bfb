package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	authorization "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

func TestAllThatTheControllerDoesIsAskedFor(t *testing.T) {
	all := []string{
		"get argoproj.io cronworkflows in", "list argoproj.io cronworkflows in", "watch argoproj.io cronworkflows in", "patch argoproj.io cronworkflows in",
		"get argoproj.io workflows in", "list argoproj.io workflows in", "watch argoproj.io workflows in", "create argoproj.io workflows in",
		"update argoproj.io cronworkflows finalizers in", "get argoproj.io workflowtemplates in", "get argoproj.io clusterworkflowtemplates in",
		"get configmaps workflow-controller-configmap in argo", "get coordination.k8s.io leases workflow-controller in argo",
		"get rollcall.dev cronaudits in", "list rollcall.dev cronaudits in", "create rollcall.dev cronaudits in", "update rollcall.dev cronaudits in",
		"update rollcall.dev cronaudits status in", "create events in", "patch events in",
		"get coordination.k8s.io leases rollcall in rollcall", "create coordination.k8s.io leases in rollcall", "update coordination.k8s.io leases rollcall in rollcall",
	}
	without := func(parts ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(what string) bool {
			return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(what, part) })
		})
	}
	for name, c := range map[string]struct {
		with func(*Options)
		want []string
	}{
		"in the whole cluster": {func(*Options) {}, all},
		"without leader election no Lease of its own": {
			func(o *Options) { o.ElectionNamespace, o.ElectionName = "", "" }, without("in rollcall"),
		},
		"without recovery nothing that creates runs or changes CronWorkflows": {
			func(o *Options) { o.Recovers = false }, without("create argoproj.io workflows", "patch argoproj.io", "finalizers"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, api := &heard{}, &authorizer{}
			options := h.options()
			c.with(&options)
			newChecker(options, api).round(t.Context())
			if diff := cmp.Diff(c.want, api.asked); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEachNamespaceIsAskedForAndTheLeaseOfTheInstance(t *testing.T) {
	h, api := &heard{}, &authorizer{}
	options := h.options()
	options.Namespaces, options.InstanceID = []string{"batch", "etl"}, "blue"
	newChecker(options, api).round(t.Context())
	for _, want := range []string{
		"list argoproj.io workflows in batch", "list argoproj.io workflows in etl", "get argoproj.io clusterworkflowtemplates in",
		"get coordination.k8s.io leases workflow-controller-blue in argo",
	} {
		if !slices.Contains(api.asked, want) {
			t.Errorf("%q was not asked", want)
		}
	}
	if slices.Contains(api.asked, "list argoproj.io workflows in") {
		t.Error("the whole cluster was asked for")
	}
}

func TestWhatIsMissingIsSaidOnceAndWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, api := &heard{}, &authorizer{denied: map[string]bool{}}
		options := h.options()
		options.Namespaces = []string{"batch", "etl"}
		go newChecker(options, api).Run(t.Context())
		expect := func(want ...string) {
			t.Helper()
			time.Sleep(every)
			synctest.Wait()
			if len(want) == 0 {
				want = []string{""}
			}
			if diff := cmp.Diff(want, h.lines()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		}
		expect()
		if denied, known := h.denied("create workflows"); denied || !known {
			t.Error("a permission that was granted is not reported so")
		}

		api.deny("create argoproj.io workflows in etl", true)
		expect(`level=WARN msg="Rollcall is not permitted to create workflows.argoproj.io in namespace etl, which it needs to run what was missed. ` +
			`Missed firings are recorded and reported, and not recovered." verb=create resource=workflows`)
		expect()
		if denied, _ := h.denied("create workflows"); !denied {
			t.Error("it is not reported")
		}
		if denied, _ := h.denied("list workflows"); denied {
			t.Error("another one is reported")
		}

		api.deny("update rollcall.dev cronaudits status in batch", true)
		api.deny("update rollcall.dev cronaudits status in etl", true)
		expect(`level=WARN msg="Rollcall is not permitted to update cronaudits.rollcall.dev/status in namespaces batch, etl, which it needs to write the record. ` +
			`What was found out about firings is lost at a restart, and nothing is recovered before it is on record." verb=update resource=cronaudits/status`)

		api.deny("create argoproj.io workflows in etl", false)
		expect(`level=INFO msg="Rollcall is now permitted to create workflows.argoproj.io in namespace etl." verb=create resource=workflows`)
		if denied, _ := h.denied("create workflows"); denied {
			t.Error("still reported")
		}
	})
}

func TestWhatManyDoWithoutIsNoFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, api := &heard{}, &authorizer{denied: map[string]bool{"update argoproj.io cronworkflows finalizers in etl": true, "get argoproj.io clusterworkflowtemplates in": true}}
		options := h.options()
		options.Namespaces = []string{"etl"}
		newChecker(options, api).round(t.Context())
		for _, line := range h.lines() {
			if !strings.HasPrefix(line, "level=INFO") {
				t.Error(line)
			}
		}
		for what, denied := range h.reported {
			if denied {
				t.Errorf("%s is reported as denied", what)
			}
		}
	})
}

func TestAnAPIServerThatDoesNotAnswerIsAskedAgainSoonWithoutAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, api := &heard{}, &authorizer{err: errors.New("connection refused")}
		go newChecker(h.options(), api).Run(t.Context())
		time.Sleep(10*soon + time.Second)
		synctest.Wait()
		if asked := api.fail(nil); asked != 11 {
			t.Errorf("%d questions in 10 minutes", asked)
		}
		if lines := h.lines(); lines[0] != "" {
			t.Errorf("%q", lines)
		}
		time.Sleep(soon)
		synctest.Wait()
		if _, known := h.denied("get workflows"); !known {
			t.Error("nothing was reported after it had come back")
		}
	})
}

func TestAnAPIServerThatDoesNotKnowTheQuestionIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heard{}
		api := &authorizer{err: apierrors.NewForbidden(schema.GroupResource{Group: "authorization.k8s.io", Resource: "selfsubjectaccessreviews"}, "", nil)}
		go newChecker(h.options(), api).Run(t.Context())
		time.Sleep(time.Hour)
		synctest.Wait()
		if lines := h.lines(); len(lines) != 1 || !strings.Contains(lines[0], "The API server does not say what Rollcall is permitted to do") {
			t.Errorf("%q", lines)
		}
		if len(h.reported) > 0 {
			t.Errorf("reported %v", h.reported)
		}
	})
}

func TestTheQuestionGoesToTheAPIServer(t *testing.T) {
	var (
		mu     sync.Mutex
		agents []string
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review authorization.SelfSubjectAccessReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || r.URL.Path != "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		mu.Lock()
		agents = append(agents, r.UserAgent())
		mu.Unlock()
		review.Status.Allowed = review.Spec.ResourceAttributes.Verb != "watch"
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	h := &heard{}
	options := h.options()
	options.Config = &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	options.Version = "v1.2.3"
	checker, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if !checker.round(t.Context()) {
		t.Error("not all was answered")
	}
	if !h.reported["watch workflows"] || h.reported["list workflows"] {
		t.Errorf("reported %v", h.reported)
	}
	if agents[0] != "rollcall/v1.2.3" {
		t.Errorf("user agent %q", agents[0])
	}
}

func TestOptionsThatAreMissing(t *testing.T) {
	h := &heard{}
	for name, with := range map[string]func(*Options){
		"Config":            func(o *Options) { o.Config = nil },
		"ArgoNamespace":     func(o *Options) { o.ArgoNamespace = "" },
		"ElectionNamespace": func(o *Options) { o.ElectionNamespace = "" },
		"Log":               func(o *Options) { o.Log = nil },
		"Report":            func(o *Options) { o.Report = nil },
	} {
		t.Run(name, func(t *testing.T) {
			options := h.options()
			options.Config = &rest.Config{}
			with(&options)
			if _, err := New(options); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestManyNamespacesAreNotAllNamed(t *testing.T) {
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprintf("n%d", i))
	}
	if got := (Permission{}).in(many); got != "in namespaces n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 2 more" {
		t.Error(got)
	}
}
