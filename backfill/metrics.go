package backfill

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"rollcall.dev/rollcall/auditor"
)

// metrics count what the Executor does. They are a collector of their own: the series of a CronWorkflow come and go together,
// and thousands of them cost a few words each.
type metrics struct {
	attempts, retries, failures *prometheus.Desc

	mu  sync.Mutex
	all map[auditor.Key]*counts
}

// counts are the counters of one CronWorkflow.
type counts struct {
	attempts          map[Outcome]int
	retries, failures map[Class]int
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	desc := func(name, help, label string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"namespace", "cronworkflow", label}, nil)
	}
	m := &metrics{
		attempts: desc("rollcall_backfill_attempts_total", "Attempts to recover a firing, by what they ended in.", "outcome"),
		retries:  desc("rollcall_backfill_retries_total", "Requests and attempts made again after an error, by the class of the error.", "class"),
		failures: desc("rollcall_backfill_failures_total", "Requests that failed, by the class of the error.", "class"),
		all:      map[auditor.Key]*counts{},
	}
	if registerer == nil {
		return m, nil
	}
	if err := registerer.Register(m); err != nil {
		return nil, fmt.Errorf("backfill: register metrics: %w", err)
	}
	return m, nil
}

// Describe is prometheus.Collector's.
func (m *metrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- m.attempts
	descs <- m.retries
	descs <- m.failures
}

// Collect is prometheus.Collector's.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, c := range m.all {
		send := func(desc *prometheus.Desc, value int, label string) {
			to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), key.Namespace, key.Name, label)
		}
		for _, outcome := range attemptOutcomes() {
			send(m.attempts, c.attempts[outcome], string(outcome))
		}
		for _, class := range Classes() {
			send(m.retries, c.retries[class], string(class))
			send(m.failures, c.failures[class], string(class))
		}
	}
}

// begin makes the counters of a CronWorkflow exist at 0.
func (m *metrics) begin(key Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := auditor.Key{Namespace: key.Namespace, Name: key.Name}
	if m.all[id] == nil {
		m.all[id] = &counts{attempts: map[Outcome]int{}, retries: map[Class]int{}, failures: map[Class]int{}}
	}
}

// forget drops the counters of a CronWorkflow. What is still under way for it is not counted.
func (m *metrics) forget(key Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, auditor.Key{Namespace: key.Namespace, Name: key.Name})
}

// count changes the counters of a CronWorkflow, unless they have been forgotten.
func (m *metrics) count(key Key, change func(*counts)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.all[auditor.Key{Namespace: key.Namespace, Name: key.Name}]; c != nil {
		change(c)
	}
}

func (m *metrics) attempt(key Key, outcome Outcome) {
	m.count(key, func(c *counts) { c.attempts[outcome]++ })
}

func (m *metrics) retry(key Key, class Class) {
	m.count(key, func(c *counts) { c.retries[class]++ })
}

func (m *metrics) failure(key Key, class Class) {
	m.count(key, func(c *counts) { c.failures[class]++ })
}
