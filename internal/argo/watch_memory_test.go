package argo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/auditor"
)

const (
	manyRuns  = 6000
	manyCrons = 1000
	// specSize is how many bytes the workflowSpec of each CronWorkflow has.
	specSize = 4 << 10
	// mostMemory is what watching them may take.
	mostMemory = 8 << 20
)

// waits is a handler that keeps nothing.
type waits struct {
	synced chan struct{}
	count  int
}

func (h *waits) CronWorkflow(auditor.CronWorkflow) { h.count++ }
func (h *waits) CronWorkflowGone(auditor.Key)      {}
func (h *waits) Run(string, auditor.Run)           { h.count++ }
func (h *waits) RunGone(string, auditor.Run)       {}
func (h *waits) Synced()                           { close(h.synced) }
func (h *waits) Gap(time.Time)                     {}
func (h *waits) Told(string, time.Time)            {}
func (h *waits) Blind(_, _ []string)               {}
func (h *waits) Controller(auditor.Controller)     {}
func (h *waits) Note(string)                       {}

// listsMany writes a list of objects that are made one at a time, and watches that say nothing.
func listsMany(t *testing.T, count int, make func(int) map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("watch") != "" {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, `{"metadata":{"resourceVersion":"100"},"items":[`)
		for i := range count {
			if i > 0 {
				_, _ = io.WriteString(w, ",")
			}
			_, _ = w.Write(asJSON(t, make(i)))
		}
		_, _ = io.WriteString(w, `]}`)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestWatchKeepsLittleOfMany(t *testing.T) {
	managed := func(object map[string]any) map[string]any {
		fields := map[string]any{"f:metadata": map[string]any{"f:labels": map[string]any{".": map[string]any{}, "f:" + labelCompleted: map[string]any{}}}, "f:spec": map[string]any{}, "f:status": map[string]any{}}
		set(object, []any{wrote(controllerManager, after(time.Hour), fields)}, "metadata", "managedFields")
		return object
	}
	large := strings.Repeat("x", specSize)
	api := map[string][]http.HandlerFunc{
		"GET " + allCrons: answers(listsMany(t, manyCrons, func(i int) map[string]any {
			cron := managed(cronObject(fmt.Sprintf("nightly-report-%04d", i)))
			set(cron, map[string]any{"kubectl.kubernetes.io/last-applied-configuration": large}, "metadata", "annotations")
			set(cron, map[string]any{"entrypoint": "main", "arguments": large}, "spec", "workflowSpec")
			set(cron, map[string]any{"lastScheduledTime": after(time.Hour)}, "status")
			return cron
		})),
		"GET " + allWorkflows: answers(listsMany(t, manyRuns, func(i int) map[string]any {
			cron := fmt.Sprintf("nightly-report-%04d", i%manyCrons)
			run := managed(workflowObject(cron, fmt.Sprintf("%s-%d", cron, 1795406460+i)))
			set(run, "Succeeded", "metadata", "labels", labelPhase)
			delete(run, "status")
			return run
		})),
		"GET " + leasePath:  answers(knowsNo("leases.coordination.k8s.io", leaseName)),
		"GET " + configPath: answers(noSettings()),
	}
	s := newServer(t, api)
	client := s.client(t, Options{})
	before := heap()
	ctx, stop := context.WithCancel(t.Context())
	h := &waits{synced: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- client.Watch(ctx, Scope{}, h) }()
	<-h.synced
	after := heap()
	stop()
	if err := <-ended; err != nil || h.count != manyRuns+manyCrons {
		t.Fatal(h.count, err)
	}
	used := int64(after) - int64(before)
	t.Logf("%d Workflows and %d CronWorkflows with %d bytes of workflowSpec and as much of annotations: %.1f MiB of heap", manyRuns, manyCrons, specSize, float64(used)/(1<<20))
	if used > mostMemory {
		t.Errorf("that is more than %d MiB", mostMemory>>20)
	}
	runtime.KeepAlive(client)
}

func BenchmarkWatchedEvent(b *testing.B) {
	run := runObject("tick-1", "Succeeded", writtenBy(controllerManager))
	delete(run, "spec")
	delete(run, "status")
	data := asJSON(b, run)
	b.ReportAllocs()
	for b.Loop() {
		var m wireWorkflow
		if err := json.NewDecoder(bytes.NewReader(data)).Decode(&m); err != nil {
			b.Fatal(err)
		}
		toMetadata(&m, nil)
	}
}
