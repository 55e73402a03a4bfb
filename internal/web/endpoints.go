package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// endpoint is one path and what answers there.
type endpoint struct {
	path, about string
	handler     http.Handler
}

// handler answers at the paths of endpoints, and at / with a list of them.
func handler(endpoints []endpoint) http.Handler {
	var index strings.Builder
	index.WriteString("Rollcall calls the roll of Argo CronWorkflows.\n\n")
	mux := http.NewServeMux()
	for _, e := range endpoints {
		mux.Handle(e.path, e.handler)
		fmt.Fprintf(&index, "%-9s %s\n", e.path, e.about)
	}
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, index.String()) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			text(w, http.StatusMethodNotAllowed, "only GET and HEAD are answered\n")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body) // a client that has gone needs no answer
}

// healthz says that the process runs. It asks nothing: an API server that is away is no reason to restart Rollcall.
func healthz() endpoint {
	return endpoint{"/healthz", "200 while the process runs", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text(w, http.StatusOK, "ok\n")
	})}
}

// readyWithin bounds the question whether the process is ready.
const readyWithin = 5 * time.Second

func readyz(ready func(context.Context) error, log *slog.Logger) endpoint {
	asked := &question{ask: ready, log: log}
	return endpoint{"/readyz", "200 when ready to work, else 503 with the reasons", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := asked.answer(r.Context()); err != nil {
			text(w, http.StatusServiceUnavailable, strings.TrimRight(err.Error(), "\n")+"\n")
			return
		}
		text(w, http.StatusOK, "ok\n")
	})}
}

// question is asked once at a time: who comes meanwhile has the same answer. So no number of probes adds up, not even where
// the answer does not come at all.
type question struct {
	ask func(context.Context) error
	log *slog.Logger

	mu      sync.Mutex
	pending *pending
}

// pending is an answer that is awaited: err is set when done is closed.
type pending struct {
	done chan struct{}
	err  error
}

// answer waits for the answer, at most readyWithin.
func (q *question) answer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	q.mu.Lock()
	p := q.pending
	if p == nil {
		p = &pending{done: make(chan struct{})}
		q.pending = p
		go q.put(p)
	}
	q.mu.Unlock()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("no answer within %s to whether this process is ready", readyWithin)
	}
}

// put asks, for whoever waits: a client that leaves takes the answer away from nobody.
func (q *question) put(p *pending) {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	defer func() {
		if r := recover(); r != nil { // what would not end the process in a handler does not here
			q.log.Error("the check for readiness failed", "panic", fmt.Sprint(r))
			p.err = fmt.Errorf("the check for readiness failed: %v", r)
		}
		q.mu.Lock()
		q.pending = nil
		q.mu.Unlock()
		close(p.done)
	}()
	p.err = q.ask(ctx)
}

// maxScrapes is how many scrapes are answered at once; each may hold all series of thousands of CronWorkflows.
const maxScrapes = 3

func metrics(gatherer prometheus.Gatherer, log *slog.Logger) endpoint {
	return endpoint{"/metrics", "metrics for Prometheus", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError),
		// One metric that is wrong does not hide the others.
		ErrorHandling:       promhttp.ContinueOnError,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: maxScrapes,
	})}
}
