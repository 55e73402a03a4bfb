package auditor_test

import (
	"fmt"
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

// BenchmarkWatcher follows 10,000 CronWorkflows that fire every minute: each firing's run is seen to come and to end, the one
// before the last is deleted, the status moves on twice, and the verdict is given. One operation is one firing.
func BenchmarkWatcher(b *testing.B) {
	const crons = 10_000
	from := clock("04:00:30")
	w := auditor.NewWatcher(auditor.Options{})
	all := make([]auditor.CronWorkflow, crons)
	runs := make([][2]auditor.Run, crons)
	for i := range all {
		all[i] = minuteWorld().in.CronWorkflow
		all[i].Name, all[i].UID = fmt.Sprintf("cron-%d", i), fmt.Sprintf("uid-%d", i)
		all[i].Status.LastScheduledTime = clock("04:00:00")
		w.SeeCronWorkflow(all[i], from)
	}
	w.Begin(from)
	w.Judge(from)
	b.ReportAllocs()
	b.ResetTimer()
	said := 0
	for n := range b.N {
		i, at := n%crons, from.Truncate(time.Minute).Add(time.Duration(n/crons+1)*time.Minute)
		cw := &all[i]
		if old := runs[i][0]; old.UID != "" {
			w.LoseRun("default", old, at)
		}
		run := auditor.Run{Name: auditor.WorkflowName(cw.Name, at), UID: at.String(), Owner: cw.UID, Controlled: true, CronLabel: cw.Name, CreatedAt: at}
		w.SeeRun("default", run, at)
		cw.Status.LastScheduledTime, cw.Status.Active = at, []string{run.Name}
		w.SeeCronWorkflow(*cw, at)
		run.FinishedAt, run.Succeeded = at.Add(5*time.Second), true
		w.SeeRun("default", run, at)
		cw.Status.Active = nil
		cw.Status.Succeeded++
		w.SeeCronWorkflow(*cw, at)
		runs[i] = [2]auditor.Run{runs[i][1], run}
		if i == crons-1 || n == b.N-1 {
			for _, j := range w.Judge(at.Add(30 * time.Second)) {
				said += len(j.Decided)
			}
		}
	}
	if said < b.N { // in a minute that is cut short, the others are absent
		b.Fatalf("%d verdicts on %d firings", said, b.N)
	}
}

// BenchmarkWatcherOutage is the same while Argo is away: every firing is absent, asked for and Missed.
func BenchmarkWatcherOutage(b *testing.B) {
	const crons = 10_000
	from := clock("04:00:30")
	w := auditor.NewWatcher(auditor.Options{})
	cw := minuteWorld().in.CronWorkflow
	cw.Status.LastScheduledTime = clock("04:00:00")
	for i := range crons {
		cw.Name, cw.UID = fmt.Sprintf("cron-%d", i), fmt.Sprintf("uid-%d", i)
		w.SeeCronWorkflow(cw, from)
	}
	w.Begin(from)
	w.Judge(from)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += crons {
		at := from.Add(time.Duration(n/crons+1) * time.Minute)
		for _, j := range w.Judge(at) {
			var absent []time.Time
			for _, f := range j.Confirm {
				absent = append(absent, f.ScheduledTime)
			}
			w.Confirm(j.Key, absent, at)
		}
		w.Judge(at)
	}
}
