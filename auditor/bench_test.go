package auditor_test

import (
	"testing"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// BenchmarkAudit judges 30 days of a schedule that fires every minute: 43,200 firings with 1,000 retained runs, the rest lost or
// beyond the horizon, beside a controller that left 10,000 traces.
func BenchmarkAudit(b *testing.B) {
	w := minuteWorld()
	w.cron().CreatedAt = w.now.Add(-30 * 24 * time.Hour)
	w.cron().Epochs[0].From = w.cron().CreatedAt
	w.spec().Policy = auditor.Forbid
	w.in.Runs = nil
	for i := range 1000 {
		t := w.now.Truncate(time.Minute).Add(-time.Duration(2*i) * time.Minute)
		w.add(auditor.Run{Name: auditor.WorkflowName("tick", t), UID: t.String(), Owner: "cron-1", Controlled: true, CronLabel: "tick",
			CreatedAt: t, StartedAt: t, FinishedAt: t.Add(2 * time.Second), Succeeded: true})
	}
	w.in.Controller.Writes = nil
	for i := range 10_000 {
		w.in.Controller.Writes = append(w.in.Controller.Writes, w.now.Add(-time.Duration(i)*4*time.Minute))
	}
	b.ReportAllocs()
	for b.Loop() {
		report, err := auditor.Audit(w.in, auditor.Window{From: w.cron().CreatedAt, To: w.now}, w.now, w.opts)
		if err != nil || len(report.Findings) < 43_000 {
			b.Fatal(err, len(report.Findings))
		}
	}
}
