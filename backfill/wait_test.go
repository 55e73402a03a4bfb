package backfill_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

func TestRunEndsAWaitWithTheDeadline(t *testing.T) {
	runScenarios(t, map[string]scenario{
		"in the quiet zone": {
			now: "04:44:56", cw: deadline(5 * time.Minute), missed: []string{"04:40:00"}, outcomes: []string{"04:40 Left/DeadlinePassed"}, incomplete: true,
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if now := b.now(); !now.Equal(at("04:45:00")) {
					t.Errorf("it ended at %s, want 04:45:00", now)
				}
			},
		},
		"while the status of another run is owed in the quiet zone": {
			now: "04:44:56", cw: deadline(5 * time.Minute), runs: []auditor.Run{run("04:42:00", recovered)},
			policy: func(p *backfill.Policy) { p.Order = backfill.NewestFirst },
			missed: []string{"04:40:00", "04:42:00"}, outcomes: []string{"04:40 Left/DeadlinePassed", "04:42 AlreadyThere"}, incomplete: true,
			writes: []string{"change append 04:42 to 04:42"}, last: "04:42",
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if n := len(b.sent("look")); n > 60 {
					t.Errorf("%d looks", n)
				}
			},
		},
	})
}

func TestRunKeepsQuietAroundLiveFirings(t *testing.T) {
	runScenarios(t, map[string]scenario{
		"within 5 s of a firing it waits until that is accounted for": {
			now: "04:44:56", set: func(c *cluster) { c.fires = true }, missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40"}, last: "04:45",
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:45:00"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"with the controller down it waits until grace is over": {
			now: "04:44:56", missed: []string{"04:40:00"}, outcomes: []string{"04:40 Created"},
			writes: []string{"create 04:40", "change append 04:40 to 04:40"}, last: "04:40",
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:45:30"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"a retry that would fall into it waits too": {
			now: "04:44:54.95", set: func(c *cluster) { c.fault = answers("create", fails(answer(429, 0, "busy"))) }, missed: []string{"04:40:00"},
			outcomes: []string{"04:40 Created"}, writes: []string{"create 04:40", "create 04:40", "change append 04:40 to 04:40"},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:44:54", "04:45:30"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
	})
}

func TestRunKeepsRoomForLiveRuns(t *testing.T) {
	everyTen := func(policy auditor.Policy) func(*auditor.CronWorkflow) {
		return func(cw *auditor.CronWorkflow) {
			schedules("*/10 * * * *")(cw)
			concurrency(policy)(cw)
			deadline(time.Hour)(cw)
			lastScheduled("04:10:00")(cw)
			cw.Retention.Successful = 100
		}
	}
	ends := func(d time.Duration) func(*cluster) { return func(c *cluster) { c.lasts = d } }
	noActive := func(t *testing.T, b *bench, _ backfill.Report) {
		creates := b.sent("create")
		for i := 1; i < len(creates); i++ {
			if before := b.runs[creates[i-1].name]; !before.Finished() || before.FinishedAt.After(creates[i].at) {
				t.Errorf("%s was created while %s ran", creates[i].name, before.Name)
			}
		}
	}
	runScenarios(t, map[string]scenario{
		"Forbid: the next is created when the one before has ended": {
			cw: everyTen(auditor.Forbid), now: "04:41:00", missed: []string{"04:20:00", "04:30:00"},
			set: func(c *cluster) {
				c.lasts, c.reconciles = 90*time.Second, true
			},
			outcomes: []string{"04:20 Created", "04:30 Created"}, last: "04:30", anyWrites: true, check: noActive,
		},
		"Forbid: where no interval is long enough the second is left, not waited for": {
			// The first is created because nothing was observed; it takes nine minutes.
			cw: everyTen(auditor.Forbid), now: "04:40:30", missed: []string{"04:20:00", "04:30:00"}, set: ends(9 * time.Minute),
			outcomes: []string{"04:20 Created", "04:30 Left/NoRoom"}, incomplete: true,
			writes: []string{"create 04:20", "change append 04:20 to 04:20"},
		},
		"Forbid: what cannot begin in time before its deadline is left": {
			cw: everyTen(auditor.Forbid), now: "04:41:00", missed: []string{"04:20:00", "04:30:00"},
			outcomes: []string{"04:20 Created", "04:30 Left/NoRoom"}, incomplete: true,
			writes: []string{"create 04:20", "change append 04:20 to 04:20"},
		},
		"Forbid: without a deadline it waits for an hour": {
			cw: func(cw *auditor.CronWorkflow) { everyTen(auditor.Forbid)(cw); deadline(0)(cw) }, now: "04:41:00", missed: []string{"04:20:00", "04:30:00", "04:40:00"},
			outcomes: []string{"04:20 Created", "04:30 Left/NoRoom", "04:40 Left/NoRoom"}, incomplete: true,
			writes: []string{"create 04:20", "change append 04:20 to 04:20"},
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if took := b.now().Sub(at("04:41:00")); took < time.Hour || took > time.Hour+time.Minute {
					t.Errorf("it waited for %s", took)
				}
			},
		},
		"Allow: no more at once than are allowed": {
			cw: everyTen(auditor.Allow), now: "04:41:00", missed: []string{"04:20:00", "04:30:00", "04:40:00"}, set: ends(time.Minute),
			policy:   func(p *backfill.Policy) { p.MaxParallel = 2 },
			outcomes: []string{"04:20 Created", "04:30 Created", "04:40 Created"}, last: "04:40", anyWrites: true,
			check: func(t *testing.T, b *bench, _ backfill.Report) {
				if diff := cmp.Diff([]string{"04:41:00", "04:41:00", "04:42:00"}, clocks(b.sent("create"))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"Replace: a live run is waited for": {
			cw: everyTen(auditor.Replace), now: "04:41:00", missed: []string{"04:30:00"}, set: ends(22 * time.Minute),
			runs:     []auditor.Run{run("04:20:00")},
			outcomes: []string{"04:30 Left/NoRoom"}, incomplete: true,
		},
	})
}
