package metrics

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rollcall.dev/rollcall/auditor"
)

// Metrics are all metrics of the controller in one collector. It is safe for concurrent use.
type Metrics struct {
	described descriptions
	whole     whole

	mu  sync.Mutex
	all map[auditor.Key]*series
}

// New makes the metrics and registers them; a nil registerer is for nowhere. Version and commit are Rollcall's own, for
// rollcall_build_info.
func New(registerer prometheus.Registerer, version, commit string) (*Metrics, error) {
	m := &Metrics{described: newDescriptions(), whole: newWhole(version, commit), all: map[auditor.Key]*series{}}
	if registerer == nil {
		return m, nil
	}
	if err := registerer.Register(m); err != nil {
		return nil, fmt.Errorf("metrics: register: %w", err)
	}
	return m, nil
}

// Describe is prometheus.Collector's.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range m.described.all() {
		to <- d
	}
	for _, c := range m.whole.collectors() {
		c.Describe(to)
	}
}

// Collect is prometheus.Collector's. Nobody waits for it longer than one CronWorkflow takes to be copied, however slowly what is
// collected is taken.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.whole.collectors() {
		c.Collect(to)
	}
	m.mu.Lock()
	keys := make([]auditor.Key, 0, len(m.all))
	for key := range m.all {
		keys = append(keys, key)
	}
	m.mu.Unlock()
	for _, key := range keys {
		m.mu.Lock()
		s := m.all[key]
		if s == nil {
			m.mu.Unlock()
			continue
		}
		now := s.copy()
		m.mu.Unlock()
		now.collect(key, &m.described, to)
	}
}

// Gauges is what the metrics show of one CronWorkflow at present.
type Gauges struct {
	// Open are the firings that are Missed; findings of other verdicts are left out.
	Open []auditor.Finding
	// LastLost is the newest firing that is Expired or GaveUp and has not been made up for since; zero when there is none.
	LastLost time.Time
	// LastLostDeadline is until when that firing could be saved: its starting deadline, or its scheduled time where it has none.
	LastLostDeadline time.Time
	// Blocked: somebody has to act before a firing of it can be recovered.
	Blocked bool
	// Stuck: Argo does not start what is due though its controller is alive.
	Stuck bool
	// Next is its next firing; zero when there is none.
	Next time.Time
}

// Set replaces what is shown of a CronWorkflow. It makes all its series exist.
func (m *Metrics) Set(key auditor.Key, g Gauges) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series(key).set(g)
}

// Decided counts a verdict on a firing. Pending is none and is not counted. It makes the series of a CronWorkflow exist that is
// not known yet, so nothing may be told of one after Forget.
func (m *Metrics) Decided(key auditor.Key, v auditor.Verdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := indexOf(v); i >= 0 {
		m.series(key).decided[i]++
	}
}

// Forget removes all series of a CronWorkflow.
func (m *Metrics) Forget(key auditor.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, key)
}

// ForgetAll removes the series of every CronWorkflow: a replica that is no longer the leader would go on showing what another
// one contradicts. Their counters begin at 0 again.
func (m *Metrics) ForgetAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.all)
}

// series are those of a CronWorkflow, which is known from now on; call it with mu.
func (m *Metrics) series(key auditor.Key) *series {
	s := m.all[key]
	if s == nil {
		s = newSeries()
		m.all[key] = s
	}
	return s
}
