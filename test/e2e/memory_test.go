package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"rollcall.dev/rollcall/test/cluster"
)

const (
	manyCrons = 1000
	// mostMemory is what the controller may take for them, in bytes.
	mostMemory = 100 << 20
)

// TestMemory says what a controller that watches many CronWorkflows takes: of 4 KiB of workflowSpec each, with a run each.
func TestMemory(t *testing.T) {
	s := begin(t, 10*time.Minute)
	s.installRecords()
	s.installArgoWithoutController()
	filler := strings.Repeat("x", 4<<10)
	numbers := make(chan int)
	var makers sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range 4 {
		makers.Go(func() {
			for i := range numbers {
				if err := s.makeOfMany(fmt.Sprintf("nightly-report-%04d", i), filler); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range manyCrons {
		numbers <- i
	}
	close(numbers)
	makers.Wait()
	s.must(failed)

	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	var (
		spent float64 // seconds of the processor's time
		at    time.Time
	)
	resident := func(when string) float64 {
		m := r.mustScrape()
		if cpu, _ := m.value("process_cpu_seconds_total"); at.IsZero() {
			spent, at = cpu, time.Now()
		} else {
			s.Logf("%s: %.4f of a core since", when, (cpu-spent)/time.Since(at).Seconds())
		}
		bytes, _ := m.value("process_resident_memory_bytes")
		heap, _ := m.value("go_memstats_heap_alloc_bytes")
		s.Logf("%s: %.1f MiB resident, %.1f MiB of heap", when, bytes/(1<<20), heap/(1<<20))
		return bytes
	}
	resident("when ready")
	s.sleepUntil(time.Now().Add(90 * time.Second)) // the records have been written
	if got := resident("a minute and a half later"); got == 0 || got > mostMemory {
		s.Errorf("%d CronWorkflows take %.1f MiB, want %d at the most", manyCrons, got/(1<<20), mostMemory>>20)
	}
	r.end()
}

// makeOfMany makes a CronWorkflow that is not due for long, with a run of a former time.
func (s *scenario) makeOfMany(name, filler string) error {
	crons := shared.Dynamic().Resource(cluster.CronWorkflows).Namespace(s.namespace)
	spec := map[string]any{
		"entrypoint": "main", "arguments": map[string]any{"parameters": []any{map[string]any{"name": "filler", "value": filler}}},
		"templates": []any{map[string]any{"name": "main", "suspend": map[string]any{}}},
	}
	c := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"schedules": []any{"0 0 29 2 *"}, "timezone": "UTC", "workflowSpec": spec},
	}}
	made, err := crons.Create(s.ctx, c, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	w := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": spec}}
	w.SetName(name + "-1709164800")
	w.SetLabels(map[string]string{"workflows.argoproj.io/cron-workflow": name, "workflows.argoproj.io/phase": "Succeeded", "workflows.argoproj.io/completed": "true"})
	controller := true
	w.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "argoproj.io/v1alpha1", Kind: "CronWorkflow", Name: name, UID: made.GetUID(), Controller: &controller}})
	_, err = shared.Dynamic().Resource(cluster.Workflows).Namespace(s.namespace).Create(s.ctx, w, metav1.CreateOptions{})
	return err
}
