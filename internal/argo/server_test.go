package argo

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// server is an API server of which a test writes the answers. It keeps every request that reached it.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	answers  map[string][]http.HandlerFunc
}

// request is what matters of one.
type request struct {
	What        string // method and path
	Query       string
	ContentType string
	Accept      string
	Body        string
}

// newServer answers as "METHOD path" says: with the given answers one after the other, then with the last again, and 404 in
// the API server's words for a path that nobody knows.
func newServer(t *testing.T, answers map[string][]http.HandlerFunc) *server {
	s := &server{answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	what := r.Method + " " + r.URL.Path
	query, _ := url.QueryUnescape(r.URL.RawQuery)
	s.mu.Lock()
	s.requests = append(s.requests, request{what, query, r.Header.Get("Content-Type"), r.Header.Get("Accept"), string(body)})
	queue := s.answers[what]
	if len(queue) > 1 {
		s.answers[what] = queue[1:]
	}
	s.mu.Unlock()
	if len(queue) == 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "404 page not found\n")
		return
	}
	queue[0](w, r)
}

// asked are the requests so far; it forgets them.
func (s *server) asked() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.requests
	s.requests = nil
	return asked
}

func (s *server) client(t *testing.T, options Options) *Client {
	t.Helper()
	c, err := NewClient(&rest.Config{Host: s.URL}, options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answers(a ...http.HandlerFunc) []http.HandlerFunc { return a }

// says answers with an object.
func says(object any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		data, _ := json.Marshal(object)
		_, _ = w.Write(data)
	}
}

// lists answers with the list that a Kubernetes API gives.
func lists(kind, following string, objects ...map[string]any) http.HandlerFunc {
	list := listOf(objects...)
	list["apiVersion"], list["kind"] = apiVersion, kind+"List"
	list["metadata"] = map[string]any{"resourceVersion": "100", "continue": following}
	return says(list)
}

// refuses answers with a Status.
func refuses(code int, reason metav1.StatusReason, message string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
		})
	}
}

// knowsNo answers that there is no object of this name.
func knowsNo(resource, name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound,
			Message: fmt.Sprintf("%s %q not found", resource, name), Details: &metav1.StatusDetails{Name: name, Group: group, Kind: strings.Split(resource, ".")[0]},
		})
	}
}

// resets breaks the connection off without an answer.
func resets(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = connection.(*net.TCPConn).SetLinger(0)
	_ = connection.Close()
}

const (
	cronsPath     = "/apis/argoproj.io/v1alpha1/namespaces/default/cronworkflows"
	workflowsPath = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows"
	allCrons      = "/apis/argoproj.io/v1alpha1/cronworkflows"
	allWorkflows  = "/apis/argoproj.io/v1alpha1/workflows"
	leasePath     = "/apis/coordination.k8s.io/v1/namespaces/argo/leases/workflow-controller"
	configPath    = "/api/v1/namespaces/argo/configmaps/workflow-controller-configmap"
)

// noSettings answers for Argo's ConfigMap.
func noSettings() http.HandlerFunc {
	return says(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": configName, "namespace": "argo"}})
}

func whats(requests []request) []string {
	var out []string
	for _, r := range requests {
		what := r.What
		if r.Query != "" {
			what += "?" + r.Query
		}
		out = append(out, what)
	}
	return out
}
