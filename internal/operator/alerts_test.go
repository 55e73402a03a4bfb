package operator

import (
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// gauge is the value of a metric that has one series at the most; 0 for none.
func (p *process) gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		if n := len(family.GetMetric()); n > 1 {
			t.Fatalf("%s has %d series", name, n)
		}
		return family.GetMetric()[0].GetGauge().GetValue()
	}
	return 0
}

func unix(t time.Time) float64 { return float64(t.Unix()) }

func TestALossLongAfterItsTimeRingsForADayToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules, s.StartingDeadline = []string{"1 0 1 * *"}, 48*time.Hour })))
		p := w.starts(t)
		p.leads <- true
		synctest.Wait()
		w.fails("create", forbidden("workflows", "tick", "exceeded quota"))
		until("48:00:50")
		expect(t, "alerts before its deadline", w.ringing[key("tick")], "RollcallBackfillBlocked")
		until("48:01:20")
		expect(t, "alerts", w.ringing[key("tick")], "RollcallRunLost")
		if lost, until := p.gauge(t, "rollcall_last_lost_firing_timestamp_seconds"), p.gauge(t, "rollcall_last_lost_deadline_timestamp_seconds"); lost != unix(at(1)) || until != unix(at(1).Add(48*time.Hour)) {
			t.Errorf("shown are the firing %f and its deadline %f", lost, until)
		}
		until("72:00:50")
		expect(t, "alerts for a day", w.ringing[key("tick")], "RollcallRunLost")
		until("72:01:20")
		expect(t, "alerts after a day", w.ringing[key("tick")])
	})
}

func TestALeaderSaysThatItAuditsAlsoWhereNothingIsEverDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		p, other := w.starts(t), w.starts(t)
		p.leads <- true
		until("03:00:05")
		if last := p.gauge(t, "rollcall_last_audit_timestamp_seconds"); last < unix(at(180).Add(-15*time.Second)) {
			t.Errorf("the last audit was at %f", last)
		}
		if last := other.gauge(t, "rollcall_last_audit_timestamp_seconds"); last != 0 {
			t.Errorf("one that does not lead says that it audits, at %f", last)
		}
		w.blind("default")
		until("03:10:00")
		if last := p.gauge(t, "rollcall_last_audit_timestamp_seconds"); last > unix(at(181)) {
			t.Errorf("it audits what it does not see, at %f", last)
		}
	})
}
