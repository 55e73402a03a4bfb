package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcomes of posts to Alertmanager.
const (
	PostOK       = "ok"
	PostError    = "error"
	PostRejected = "rejected"
)

// whole are the metrics of the controller as a whole.
type whole struct {
	startDelay, detectionDelay prometheus.Histogram
	// lastAudit has one series from the first audit on: before that, no time is right.
	lastAudit           *prometheus.GaugeVec
	writeFailures       prometheus.Counter
	alertPosts          *prometheus.CounterVec
	permissionDenied    *prometheus.GaugeVec
	clockOffset, leader prometheus.Gauge
	buildInfo           *prometheus.GaugeVec
}

func newWhole(version, commit string) whole {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	w := whole{
		startDelay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "rollcall_start_delay_seconds",
			Help:    "From the scheduled time of a firing to the creation of its run, where Argo made it.",
			Buckets: []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600},
		}),
		detectionDelay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "rollcall_detection_delay_seconds",
			Help:    "From the end of a firing's grace to its verdict.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600},
		}),
		lastAudit: gauge("rollcall_last_audit_timestamp_seconds",
			"When this replica last judged what was due, as the leader; no series before the first time."),
		writeFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rollcall_record_write_failures_total", Help: "Writes of records (CronAudits) that failed.",
		}),
		alertPosts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_alert_posts_total", Help: "Requests to Alertmanager, by what they ended in.",
		}, []string{"outcome"}),
		permissionDenied: gauge("rollcall_permission_denied",
			"1 while the API server does not permit what Rollcall needs, 0 when it permitted it at last.", "verb", "resource"),
		clockOffset: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rollcall_clock_offset_seconds", Help: "How far the API server's clock is ahead of this replica's.",
		}),
		leader: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rollcall_leader", Help: "1 while this replica is the leader.",
		}),
		buildInfo: gauge("rollcall_build_info", "Always 1; the labels say what is running.", "version", "commit"),
	}
	w.buildInfo.WithLabelValues(version, commit).Set(1)
	for _, outcome := range []string{PostOK, PostError, PostRejected} {
		w.alertPosts.WithLabelValues(outcome)
	}
	return w
}

func (w *whole) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		w.startDelay, w.detectionDelay, w.lastAudit, w.writeFailures, w.alertPosts, w.permissionDenied, w.clockOffset, w.leader,
		w.buildInfo,
	}
}

// StartDelay is how long after its scheduled time the run of a firing was created. A negative one counts as 0: clocks differ.
func (m *Metrics) StartDelay(d time.Duration) { m.whole.startDelay.Observe(max(d, 0).Seconds()) }

// DetectionDelay is how long after the end of its grace a firing had its verdict. A negative one counts as 0.
func (m *Metrics) DetectionDelay(d time.Duration) {
	m.whole.detectionDelay.Observe(max(d, 0).Seconds())
}

// Audited says when everything that was due had been judged.
func (m *Metrics) Audited(now time.Time) {
	m.whole.lastAudit.WithLabelValues().Set(float64(now.UnixMilli()) / 1000)
}

// RecordWriteFailed counts a write of a record that failed.
func (m *Metrics) RecordWriteFailed() { m.whole.writeFailures.Inc() }

// AlertPosted counts a request to Alertmanager: PostOK, PostError (no answer, or one that says to try again) or PostRejected.
func (m *Metrics) AlertPosted(outcome string) { m.whole.alertPosts.WithLabelValues(outcome).Inc() }

// ClockOffset is how far the API server's clock is ahead of the local one.
func (m *Metrics) ClockOffset(d time.Duration) { m.whole.clockOffset.Set(d.Seconds()) }

// Leader says whether this replica is the leader.
func (m *Metrics) Leader(leads bool) { m.whole.leader.Set(number(leads)) }

// PermissionDenied says whether the API server refuses a verb on a resource, or permits it. The series exists from the first
// time on that either is told.
func (m *Metrics) PermissionDenied(verb, resource string, denied bool) {
	m.whole.permissionDenied.WithLabelValues(verb, resource).Set(number(denied))
}
