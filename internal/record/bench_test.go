package record

import (
	"fmt"
	"testing"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// BenchmarkStatusOf is what a write costs beside the request: once a minute for each CronWorkflow at the most.
func BenchmarkStatusOf(b *testing.B) {
	for _, seen := range []int{20, 200} {
		s := auditor.State{UID: "u1", AuditedThrough: noon, Totals: map[auditor.Verdict]int64{auditor.OnTime: 1000}}
		for i := range seen {
			at := noon.Add(time.Duration(i) * time.Minute)
			s.Record.Runs = append(s.Record.Runs, auditor.RecordedRun{ScheduledTime: at, CreatedAt: at, Verdict: auditor.OnTime})
			s.Record.Active = append(s.Record.Active, auditor.ActiveSeen{At: at, Runs: 1})
			s.Strip = append(s.Strip, auditor.OnTime)
		}
		b.Run(fmt.Sprint(seen, " runs"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				StatusOf(s)
			}
		})
	}
}
