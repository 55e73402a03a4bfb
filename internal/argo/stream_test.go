package argo

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhatComesWhileAListIsReadIsNotSeen(t *testing.T) {
	var clock atomic.Int64 // the time since the first request
	// after has an answer take so long.
	after := func(d time.Duration, answer http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			clock.Add(int64(d))
			answer(w, r)
		}
	}
	for name, c := range map[string]struct {
		first []http.HandlerFunc
		until time.Duration // everything was seen
	}{
		"in one page that takes long": {answers(after(time.Minute, lists("Workflow", ""))), 0},
		"page by page":                {answers(lists("Workflow", "two"), after(time.Minute, lists("Workflow", "three")), after(time.Minute, lists("Workflow", ""))), 0},
		"all at once after a page that came too late": {answers(
			lists("Workflow", "two"),
			after(time.Minute, refuses(http.StatusGone, metav1.StatusReasonExpired, "too old")),
			after(time.Minute, lists("Workflow", "")),
		), time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			clock.Store(0)
			began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
			var until []time.Time
			s := stream[wireWorkflow, workflow]{
				client:  newServer(t, map[string][]http.HandlerFunc{"GET " + workflowsPath: append(c.first, lists("Workflow", ""))}).client(t, Options{}).plain,
				now:     func() time.Time { return began.Add(time.Duration(clock.Load())) },
				listing: listing{resource: workflows, namespace: "default"},
				convert: toMetadata,
				listed:  func(_ []workflow, since time.Time) { until = append(until, since) },
				heard:   func(time.Time) {},
			}
			for range 2 {
				if err := s.list(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if !until[0].IsZero() || !until[1].Equal(began.Add(c.until)) {
				t.Errorf("everything was seen until %s, and from a list that began at %s until %s", until[0], began, until[1])
			}
		})
	}
}
