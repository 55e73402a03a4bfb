package metrics

import (
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"rollcall.dev/rollcall/auditor"
)

var (
	tick  = auditor.Key{Namespace: "default", Name: "tick"}
	other = auditor.Key{Namespace: "default", Name: "other"}
	at    = time.Date(2026, 11, 23, 4, 40, 0, 0, time.UTC)
)

func missedAt(t time.Time, cause auditor.Cause, certainty auditor.Certainty) auditor.Finding {
	return auditor.Finding{
		ScheduledTime: t, Verdict: auditor.Missed, Cause: cause, Certainty: certainty, Deadline: t.Add(10 * time.Minute),
	}
}

// newMetrics registers where descriptions and series are checked against each other.
func newMetrics(t testing.TB) (*Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	m, err := New(registry, "v1.2.3", "abcdef0")
	if err != nil {
		t.Fatal(err)
	}
	return m, registry
}

// shown are the values of the series that name a CronWorkflow, as name{label="value",…} without its namespace.
func shown(t testing.TB, registry *prometheus.Registry, key auditor.Key) map[string]float64 {
	t.Helper()
	all, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range all {
		for _, metric := range family.GetMetric() {
			name, mine := family.GetName(), false
			for _, label := range metric.GetLabel() {
				switch label.GetName() {
				case "namespace":
				case "cronworkflow":
					mine = label.GetValue() == key.Name
				default:
					name += " " + label.GetValue()
				}
			}
			if mine {
				values[name] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			}
		}
	}
	return values
}

// atFirst is what is shown of a CronWorkflow of which only is known that it exists.
var atFirst = map[string]float64{
	"rollcall_firings_total OnTime": 0, "rollcall_firings_total Late": 0, "rollcall_firings_total Backfilled": 0,
	"rollcall_firings_total Skipped": 0, "rollcall_firings_total Missed": 0, "rollcall_firings_total Expired": 0,
	"rollcall_firings_total GaveUp": 0, "rollcall_firings_total Unknown": 0,
	"rollcall_missed_firings ControllerDown certain": 0, "rollcall_missed_firings Undetermined certain": 0,
	"rollcall_missed_firings Undetermined likely": 0,
	"rollcall_backfill_blocked":                   0, "rollcall_schedule_stuck": 0,
}

func with(base, changes map[string]float64) map[string]float64 {
	all := maps.Clone(base)
	maps.Copy(all, changes)
	return all
}

func TestEverythingButTimestampsExistsAtZeroFromTheStart(t *testing.T) {
	m, registry := newMetrics(t)
	m.Set(tick, Gauges{})
	if diff := cmp.Diff(atFirst, shown(t, registry, tick)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsMissedIsShownAndAtZeroAfterwards(t *testing.T) {
	m, registry := newMetrics(t)
	m.Set(tick, Gauges{
		Open: []auditor.Finding{
			missedAt(at.Add(-time.Hour), auditor.Unscheduled, auditor.Likely),
			missedAt(at.Add(time.Minute), auditor.ControllerDown, auditor.Certain),
			missedAt(at, auditor.ControllerDown, auditor.Certain),
			{ScheduledTime: at.Add(-2 * time.Hour), Verdict: auditor.Expired, Certainty: auditor.Certain},
		},
		LastLost: at.Add(-2 * time.Hour), LastLostDeadline: at.Add(-time.Hour), Blocked: true, Stuck: true, Next: at.Add(2 * time.Minute),
	})
	m.Decided(tick, auditor.Missed)
	m.Decided(tick, auditor.Missed)
	m.Decided(tick, auditor.Pending)
	want := with(atFirst, map[string]float64{
		"rollcall_firings_total Missed":                  2,
		"rollcall_missed_firings ControllerDown certain": 2,
		"rollcall_missed_firings Unscheduled likely":     1,
		// Only of what is certain: rules ring by these.
		"rollcall_missed_firing_timestamp_seconds":      float64(at.Unix()),
		"rollcall_missed_deadline_timestamp_seconds":    float64(at.Add(10 * time.Minute).Unix()),
		"rollcall_last_lost_firing_timestamp_seconds":   float64(at.Add(-2 * time.Hour).Unix()),
		"rollcall_last_lost_deadline_timestamp_seconds": float64(at.Add(-time.Hour).Unix()),
		"rollcall_next_firing_timestamp_seconds":        float64(at.Add(2 * time.Minute).Unix()),
		"rollcall_backfill_blocked":                     1, "rollcall_schedule_stuck": 1,
	})
	if diff := cmp.Diff(want, shown(t, registry, tick)); diff != "" {
		t.Error(diff)
	}

	m.Set(tick, Gauges{})
	want = with(atFirst, map[string]float64{
		"rollcall_firings_total Missed": 2, "rollcall_missed_firings Unscheduled likely": 0,
	})
	if diff := cmp.Diff(want, shown(t, registry, tick)); diff != "" {
		t.Error(diff)
	}
}

func TestTheSeriesOfAForgottenCronWorkflowGo(t *testing.T) {
	m, registry := newMetrics(t)
	for _, key := range []auditor.Key{tick, other} {
		m.Set(key, Gauges{Next: at})
		m.Decided(key, auditor.OnTime)
	}
	m.Forget(tick)
	if left := shown(t, registry, tick); len(left) != 0 {
		t.Errorf("left of it: %v", left)
	}
	if shown(t, registry, other)["rollcall_firings_total OnTime"] != 1 {
		t.Error("another CronWorkflow's series changed")
	}
	m.ForgetAll()
	if left := shown(t, registry, other); len(left) != 0 {
		t.Errorf("left after everything was forgotten: %v", left)
	}
	m.Set(other, Gauges{})
	if diff := cmp.Diff(atFirst, shown(t, registry, other)); diff != "" {
		t.Errorf("known again: %s", diff)
	}
}

// fill shows something in every series there is.
func fill(m *Metrics) {
	for _, key := range []auditor.Key{tick, other, {Namespace: "prod", Name: "tick"}} {
		m.Set(key, Gauges{Open: []auditor.Finding{missedAt(at, auditor.SpecError, auditor.Certain)}, LastLost: at, LastLostDeadline: at, Next: at})
		m.Decided(key, auditor.Late)
	}
	m.StartDelay(-time.Second)
	m.DetectionDelay(90 * time.Millisecond)
	m.Audited(at)
	m.RecordWriteFailed()
	m.AlertPosted(PostOK)
	m.ClockOffset(-1500 * time.Millisecond)
	m.Leader(true)
	m.PermissionDenied("create", "workflows", true)
	m.PermissionDenied("patch", "events", false)
}

func TestTheLinterOfPromtoolFindsNothing(t *testing.T) {
	m, registry := newMetrics(t)
	fill(m)
	all, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(all).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestASecondRegistrationIsAnError(t *testing.T) {
	_, registry := newMetrics(t)
	if _, err := New(registry, "", ""); err == nil || !strings.Contains(err.Error(), "metrics: register") {
		t.Errorf("error %v", err)
	}
}

func TestManyMayTellAndGatherAtOnce(t *testing.T) {
	m, registry := newMetrics(t)
	var tellers sync.WaitGroup
	for range 4 {
		tellers.Go(func() {
			for range 50 {
				fill(m)
				m.Forget(tick)
			}
		})
		tellers.Go(func() {
			for range 10 {
				shown(t, registry, other)
			}
		})
	}
	tellers.Wait()
	if got := shown(t, registry, other)["rollcall_firings_total Late"]; got != 200 {
		t.Errorf("counted %v of 200", got)
	}
}
