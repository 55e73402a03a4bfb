package backfill_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

func tried(clock string, attempts int, lastError string) auditor.Recovery {
	return auditor.Recovery{ScheduledTime: at(clock), Attempts: attempts, LastError: lastError}
}

func TestAttemptsGoOnOverPlans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:40:31", minutely(schedules("*/10 * * * *")))
		busy := fails(answer(429, 0, "busy"))
		c.fault = answers("create", busy, busy, busy, busy, busy, busy, busy, busy)
		b := newBench(t, c, byHand(), journaled)
		first := b.plan(missed("04:40:00")...)
		plan := first.Attempted([]auditor.Recovery{tried("04:40:00", 3, "quota"), tried("04:30:00", 9, "")})
		if first.Steps[0].Attempts != 0 {
			t.Error("the plan it was made from has changed")
		}
		r := b.executor.Run(t.Context(), plan).Results[0]
		if r.Outcome != backfill.Created || r.Attempts != 6 || r.Creates != 9 {
			t.Errorf("%s after %d attempts, %d creates", r.Outcome, r.Attempts, r.Creates)
		}
		creates := b.sent("create")
		for i, want := range map[int]time.Duration{3: 8 * time.Second, 7: 16 * time.Second} {
			if got := creates[i+1].at.Sub(creates[i].at); got < want*3/4 || got > want*5/4 {
				t.Errorf("the delay after create %d is %s, want %s ± 25 %%", i, got, want)
			}
		}
		if told := b.sent("journal")[0].name; told != "intend 04:40 #4: quota" {
			t.Errorf("the first intent is %q", told)
		}
	})
}

func TestTheDelayAfterManyAttemptsIsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:41:00", minutely(schedules("*/10 * * * *")))
		b := newBench(t, c, byHand(), func(o *backfill.Options) {
			n := 0
			o.Journal = &journal{cluster: c, intend: func(context.Context, backfill.Intent) error {
				if n++; n > 1 {
					return nil
				}
				return errors.New("no")
			}}
		})
		b.executor.Run(t.Context(), b.plan(missed("04:40:00")...).Attempted([]auditor.Recovery{tried("04:40:00", 1<<40, "")}))
		told := b.sent("journal")
		if d := told[1].at.Sub(told[0].at); d < 45*time.Second || d > 75*time.Second {
			t.Errorf("the delay is %s", d)
		}
	})
}

func TestWhatWasTriedBeforeAndIsRefusedNowIsGivenUp(t *testing.T) {
	suspended := spec(func(s *auditor.Spec) { s.Suspend = true })
	for name, tc := range map[string]struct {
		cw func(*auditor.CronWorkflow)
		// now is when it is planned, begun when the plan is carried out, where that is later.
		now, begun string
		finding    auditor.Finding
		attempts   int
		// meanwhile is what happens to the cluster after the plan was made.
		meanwhile func(*cluster)
		want      string
		ended     bool
	}{
		"by the last check": {
			meanwhile: func(c *cluster) { suspended(&c.cw) }, attempts: 1, want: "04:40 GaveUp/Suspended", ended: true,
		},
		"by the last check, because it ran": {
			meanwhile: func(c *cluster) { c.cw.Status.LastScheduledTime = at("04:40:00") }, attempts: 1, want: "04:40 AlreadyThere", ended: true,
		},
		"by the last check, never tried": {
			meanwhile: func(c *cluster) { suspended(&c.cw) }, want: "04:40 Left/Suspended", ended: true,
		},
		"by the plan, since its deadline has passed": {
			now: "04:50:00", attempts: 1, want: "04:40 GaveUp/DeadlinePassed", ended: true,
		},
		"by the plan, since its deadline has passed, never tried": {
			now: "04:50:00", want: "04:40 Left/DeadlinePassed",
		},
		"by the plan, since it is suspended, and its deadline has passed": {
			cw: suspended, now: "04:50:00", attempts: 1, want: "04:40 GaveUp/DeadlinePassed", ended: true,
		},
		"by the plan, since it is suspended": {
			cw: suspended, attempts: 1, want: "04:40 Left/Suspended",
		},
		"by the plan, since the audit has found the deadline passed": {
			finding: auditor.Finding{Verdict: auditor.GaveUp, Reason: auditor.DeadlinePassed}, now: "04:50:00", attempts: 1, want: "04:40 GaveUp/DeadlinePassed", ended: true,
		},
		"by the plan, since it was given up before": {
			finding: auditor.Finding{Verdict: auditor.GaveUp, Reason: auditor.NameTaken}, now: "04:50:00", attempts: 1, want: "04:40 Left/NameTaken",
		},
		"by the plan, since it ran after all": {
			finding: auditor.Finding{Verdict: auditor.Late}, now: "04:50:00", attempts: 1, want: "04:40 AlreadyThere",
		},
		"between the plan and now, since its deadline has passed": {
			now: "04:49:59", begun: "04:50:00", attempts: 1, want: "04:40 GaveUp/DeadlinePassed", ended: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cw := minutely()
				if tc.cw != nil {
					tc.cw(&cw)
				}
				if tc.now == "" {
					tc.now = "04:44:35"
				}
				b := newBench(t, newCluster(tc.now, cw), automatic(), journaled)
				f := finding("04:40:00", auditor.Missed)
				if tc.finding.Verdict != "" {
					f.Verdict, f.Reason = tc.finding.Verdict, tc.finding.Reason
				}
				plan := b.plan(f).Attempted([]auditor.Recovery{tried("04:40:00", tc.attempts, "busy")})
				if tc.begun != "" {
					time.Sleep(at(tc.begun).Sub(b.now()))
				}
				if tc.meanwhile != nil {
					tc.meanwhile(b.cluster)
				}
				report := b.executor.Run(t.Context(), plan)
				if diff := cmp.Diff([]string{tc.want}, outcomes(report)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				var told []string
				if tc.ended {
					told = []string{"ended " + tc.want}
				}
				if diff := cmp.Diff(told, b.writes()); diff != "" {
					t.Errorf("the Journal was told (-want +got):\n%s", diff)
				}
				if r := report.Results[0]; r.Attempts != tc.attempts || r.LastError == nil || r.LastError.Error() != "busy" {
					t.Errorf("%d attempts, the last error %v", r.Attempts, r.LastError)
				}
			})
		})
	}
}
