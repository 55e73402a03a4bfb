package access

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	authorization "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// authorizer answers as an API server does for somebody who has all permissions but those in denied.
type authorizer struct {
	mu     sync.Mutex
	asked  []string
	denied map[string]bool
	err    error
}

func (a *authorizer) Create(_ context.Context, review *authorization.SelfSubjectAccessReview, _ metav1.CreateOptions) (*authorization.SelfSubjectAccessReview, error) {
	r := review.Spec.ResourceAttributes
	what := strings.Join(slices.DeleteFunc([]string{r.Verb, r.Group, r.Resource, r.Subresource, r.Name, "in", r.Namespace}, func(s string) bool { return s == "" }), " ")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, what)
	if a.err != nil {
		return nil, a.err
	}
	answer := review.DeepCopy()
	answer.Status.Allowed = !a.denied[what]
	return answer, nil
}

// deny takes a permission away or gives it back.
func (a *authorizer) deny(what string, denied bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied[what] = denied
}

func (a *authorizer) fail(err error) (asked int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
	return len(a.asked)
}

// heard is what a Checker says.
type heard struct {
	mu       sync.Mutex
	log      bytes.Buffer
	reported map[string]bool
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

func (h *heard) denied(what string) (denied, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	denied, known = h.reported[what]
	return denied, known
}

func (h *heard) options() Options {
	h.reported = map[string]bool{}
	return Options{
		ArgoNamespace: "argo", ElectionNamespace: "rollcall", ElectionName: "rollcall", Recovers: true,
		Log: slog.New(slog.NewTextHandler(h, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: withoutTime})),
		Report: func(verb, resource string, denied bool) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.reported[verb+" "+resource] = denied
		},
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// lines are those of the log since the last call.
func (h *heard) lines() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.log.Reset()
	return slices.Collect(strings.SplitSeq(strings.TrimSpace(h.log.String()), "\n"))
}
