package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pretend is an API server that has the objects at these paths, and answers the others as a real one without Argo's CRDs.
func pretend(t *testing.T, paths map[string]any) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := paths[r.URL.Path]
		if !ok {
			http.Error(w, "404 page not found", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if failure, ok := body.(metav1.Status); ok {
			w.WriteHeader(int(failure.Code))
		}
		if err := json.NewEncoder(w).Encode(body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func failure(code int32, reason metav1.StatusReason) metav1.Status {
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: code, Reason: reason,
		Message: http.StatusText(int(code)),
	}
}

// absent is the answer about one object that does not exist.
func absent(kind, name string) metav1.Status {
	s := failure(http.StatusNotFound, metav1.StatusReasonNotFound)
	s.Details = &metav1.StatusDetails{Kind: kind, Name: name}
	return s
}

// kubeconfig makes the server the only cluster that is known.
func kubeconfig(t *testing.T, url string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	content := `apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, namespace: etl}}, {name: other, context: {cluster: test}}]
clusters: [{name: test, cluster: {server: "` + url + `"}}]
`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
}

const cronWorkflowsOfETL = "/apis/argoproj.io/v1alpha1/namespaces/etl/cronworkflows"

func TestConnectionFailuresAreClearErrors(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	empty := map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]any{}, "items": []any{}}
	for name, c := range map[string]struct {
		url  func(*testing.T) string
		says []string
	}{
		"nobody answers": {
			func(*testing.T) string { return gone.URL },
			[]string{"cannot reach the API server", strings.TrimPrefix(gone.URL, "http://"), "--kubeconfig", "connection refused"},
		},
		"credentials that are not accepted": {
			func(t *testing.T) string {
				return pretend(t, map[string]any{cronWorkflowsOfETL: failure(http.StatusUnauthorized, metav1.StatusReasonUnauthorized)}).URL
			},
			[]string{"does not accept the credentials", "--context"},
		},
		"not permitted": {
			func(t *testing.T) string {
				return pretend(t, map[string]any{cronWorkflowsOfETL: failure(http.StatusForbidden, metav1.StatusReasonForbidden)}).URL
			},
			[]string{"list CronWorkflows in namespace etl", "not permitted"},
		},
		"Argo's CRDs are not installed": {
			func(t *testing.T) string { return pretend(t, nil).URL },
			[]string{"Argo Workflows' CRDs are not installed in this cluster"},
		},
		"a namespace that does not exist": {
			func(t *testing.T) string {
				return pretend(t, map[string]any{cronWorkflowsOfETL: empty, "/api/v1/namespaces/etl": absent("namespaces", "etl")}).URL
			},
			[]string{"namespace etl", "there is no such namespace"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			kubeconfig(t, c.url(t))
			env, out, errOut := testEnvironment()
			got := run(t.Context(), env, []string{"audit"})
			if got != statusFailed || out.Len() > 0 {
				t.Errorf("status %d, stdout %q", got, out)
			}
			if message := errOut.String(); !strings.HasPrefix(message, "error: ") || strings.Count(message, "\n") != 1 {
				t.Errorf("want one line, got %q", message)
			}
			for _, want := range c.says {
				if !strings.Contains(errOut.String(), want) {
					t.Errorf("%q is not in %q", want, errOut)
				}
			}
		})
	}
}

func TestTheShellCompletesLiveNames(t *testing.T) {
	named := func(names ...string) map[string]any {
		items := []any{}
		for _, name := range names {
			items = append(items, map[string]any{"metadata": map[string]any{"name": name}})
		}
		return map[string]any{"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": map[string]any{}, "items": items}
	}
	server := pretend(t, map[string]any{
		cronWorkflowsOfETL: named("tick", "tock", "nightly"),
		"/apis/argoproj.io/v1alpha1/namespaces/other/cronworkflows": named("elsewhere"),
		"/api/v1/namespaces": named("default", "etl"),
	})
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"CronWorkflows of the kubeconfig's namespace": {[]string{"audit", ""}, []string{"nightly", "tick", "tock"}},
		"by their beginning":                          {[]string{"backfill", "t"}, []string{"tick", "tock"}},
		"without those that were named":               {[]string{"audit", "tick", "t"}, []string{"tock"}},
		"one where a command takes one":               {[]string{"explain", "tick", ""}, nil},
		"of the namespace that was given":             {[]string{"audit", "-n", "other", ""}, []string{"elsewhere"}},
		"namespaces":                                  {[]string{"audit", "-n", ""}, []string{"default", "etl"}},
		"contexts":                                    {[]string{"audit", "--context", ""}, []string{"other", "test"}},
		"formats":                                     {[]string{"explain", "-o", ""}, []string{"table", "json", "yaml"}},
		"verdicts to include":                         {[]string{"backfill", "--include", ""}, []string{"Skipped", "Unknown"}},
		"nothing, and no error, where the namespace has none": {[]string{"audit", "-n", "nowhere", ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			kubeconfig(t, server.URL)
			env, out, _ := testEnvironment()
			if got := run(t.Context(), env, append([]string{"__complete"}, c.args...)); got != statusDone {
				t.Fatalf("status %d", got)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			got := lines[:len(lines)-1] // the last line says how the shell is to take it
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
