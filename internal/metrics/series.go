package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rollcall.dev/rollcall/auditor"
)

// counted are the verdicts that are counted: Pending is not one that was reached.
var counted = slices.DeleteFunc(auditor.Verdicts(), func(v auditor.Verdict) bool { return v == auditor.Pending })

func indexOf(v auditor.Verdict) int { return slices.Index(counted, v) }

// kind is what open misses are told apart by.
type kind struct {
	cause     auditor.Cause
	certainty auditor.Certainty
}

// initial are the kinds that exist at 0 from the start: one of each certainty, so that a sum over either is 0 and not nothing,
// and the cause that an outage has. Others exist from their first time on. All of them would be four times as many series.
var initial = []kind{
	{auditor.ControllerDown, auditor.Certain},
	{auditor.Undetermined, auditor.Certain},
	{auditor.Undetermined, auditor.Likely},
}

// series are what is shown of one CronWorkflow.
type series struct {
	decided []uint64 // by the index in counted
	missed  []missed
	// oldest is the oldest miss, deadline the earliest deadline.
	oldest, deadline, lastLost, lastLostDeadline, next time.Time
	blocked, stuck                                     bool
}

type missed struct {
	kind
	count int
}

func newSeries() *series {
	s := &series{decided: make([]uint64, len(counted))}
	for _, k := range initial {
		s.missed = append(s.missed, missed{kind: k})
	}
	return s
}

func (s *series) copy() series {
	c := *s
	c.decided, c.missed = slices.Clone(s.decided), slices.Clone(s.missed)
	return c
}

func (s *series) set(g Gauges) {
	for i := range s.missed {
		s.missed[i].count = 0
	}
	s.oldest, s.deadline = time.Time{}, time.Time{}
	s.lastLost, s.lastLostDeadline, s.next, s.blocked, s.stuck = g.LastLost, g.LastLostDeadline, g.Next, g.Blocked, g.Stuck
	for _, f := range g.Open {
		if f.Verdict != auditor.Missed {
			continue
		}
		k := kind{f.Cause, f.Certainty}
		if k.cause == "" {
			k.cause = auditor.Undetermined
		}
		i := slices.IndexFunc(s.missed, func(m missed) bool { return m.kind == k })
		if i < 0 {
			i = len(s.missed)
			s.missed = append(s.missed, missed{kind: k})
		}
		s.missed[i].count++
		if f.Certainty != auditor.Certain {
			continue // shown, but nothing that rings may rest on it
		}
		s.oldest = earlier(s.oldest, f.ScheduledTime)
		s.deadline = earlier(s.deadline, f.Deadline)
	}
}

// earlier is the earlier of two times, of which a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// descriptions are of the metrics that have series for each CronWorkflow.
type descriptions struct {
	firings, missed, oldest, deadline, lastLost, lastLostDeadline, blocked, stuck, next *prometheus.Desc
}

func newDescriptions() descriptions {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"namespace", "cronworkflow"}, labels...), nil)
	}
	return descriptions{
		firings: desc("rollcall_firings_total",
			"Verdicts on firings. A firing whose verdict changes counts again under the new one.", "verdict"),
		missed: desc("rollcall_missed_firings",
			"Firings that are missed at present: they did not run, and their starting deadline is still ahead.", "cause", "certainty"),
		oldest: desc("rollcall_missed_firing_timestamp_seconds",
			"The scheduled time of the oldest firing that is certainly missed at present; no series when there is none."),
		deadline: desc("rollcall_missed_deadline_timestamp_seconds",
			"When the next of the firings that are certainly missed at present can no longer be saved; no series when there is none."),
		lastLost: desc("rollcall_last_lost_firing_timestamp_seconds",
			"The scheduled time of the newest firing that is lost for good and not made up for; no series when there is none."),
		lastLostDeadline: desc("rollcall_last_lost_deadline_timestamp_seconds",
			"Until when that firing could be saved: its starting deadline, or its scheduled time where it has none."),
		blocked: desc("rollcall_backfill_blocked",
			"1 while somebody has to act before a missed firing can be recovered."),
		stuck: desc("rollcall_schedule_stuck",
			"1 while Argo's controller is alive and does not start what is due."),
		next: desc("rollcall_next_firing_timestamp_seconds",
			"The scheduled time of the next firing; no series when there is none."),
	}
}

func (d *descriptions) all() []*prometheus.Desc {
	return []*prometheus.Desc{d.firings, d.missed, d.oldest, d.deadline, d.lastLost, d.lastLostDeadline, d.blocked, d.stuck, d.next}
}

func (s *series) collect(key auditor.Key, d *descriptions, to chan<- prometheus.Metric) {
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{key.Namespace, key.Name}, labels...)...)
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		send(desc, prometheus.GaugeValue, value, labels...)
	}
	timestamp := func(desc *prometheus.Desc, t time.Time) {
		if !t.IsZero() {
			gauge(desc, float64(t.UnixMilli())/1000)
		}
	}
	for i, v := range counted {
		send(d.firings, prometheus.CounterValue, float64(s.decided[i]), string(v))
	}
	for _, m := range s.missed {
		gauge(d.missed, float64(m.count), string(m.cause), string(m.certainty))
	}
	timestamp(d.oldest, s.oldest)
	timestamp(d.deadline, s.deadline)
	timestamp(d.lastLost, s.lastLost)
	timestamp(d.lastLostDeadline, s.lastLostDeadline)
	timestamp(d.next, s.next)
	gauge(d.blocked, number(s.blocked))
	gauge(d.stuck, number(s.stuck))
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
