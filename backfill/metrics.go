package backfill

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what the Executor does.
type metrics struct {
	attempts, retries, failures *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"namespace", "cronworkflow", label})
	}
	m := &metrics{
		attempts: counter("rollcall_backfill_attempts_total", "Attempts to recover a firing, by what they ended in.", "outcome"),
		retries:  counter("rollcall_backfill_retries_total", "Requests and attempts made again after an error, by the class of the error.", "class"),
		failures: counter("rollcall_backfill_failures_total", "Requests that failed, by the class of the error.", "class"),
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []*prometheus.CounterVec{m.attempts, m.retries, m.failures} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("backfill: register metrics: %w", err)
		}
	}
	return m, nil
}

// begin makes the counters of a CronWorkflow exist at 0.
func (m *metrics) begin(key Key) {
	for _, outcome := range attemptOutcomes() {
		m.attempts.WithLabelValues(key.Namespace, key.Name, string(outcome))
	}
	for _, class := range Classes() {
		m.retries.WithLabelValues(key.Namespace, key.Name, string(class))
		m.failures.WithLabelValues(key.Namespace, key.Name, string(class))
	}
}

func (m *metrics) attempt(key Key, outcome Outcome) {
	m.attempts.WithLabelValues(key.Namespace, key.Name, string(outcome)).Inc()
}

func (m *metrics) retry(key Key, class Class) {
	m.retries.WithLabelValues(key.Namespace, key.Name, string(class)).Inc()
}

func (m *metrics) failure(key Key, class Class) {
	m.failures.WithLabelValues(key.Namespace, key.Name, string(class)).Inc()
}
