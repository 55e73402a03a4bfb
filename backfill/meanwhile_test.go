package backfill_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// What Argo, back again, does between the audit and the create must not lead to a second run.
func TestAFiringThatArgoRanMeanwhileIsNotMadeASecondTime(t *testing.T) {
	oneKept := func(cw *auditor.CronWorkflow) { cw.Retention.Successful = 1 }
	newer := func(c *cluster) {
		c.cw.Status.LastScheduledTime = at("04:44:00")
		run := c.create(auditor.WorkflowName(key.Name, at("04:44:00")), "", true)
		run.FinishedAt, run.Succeeded = c.now(), true
		c.runs[run.Name] = run
	}
	for name, tc := range map[string]struct {
		// meanwhile is what happens to the cluster after the plan was made.
		meanwhile func(*cluster)
		want      string
	}{
		"its run exists": {func(c *cluster) {
			c.create(auditor.WorkflowName(key.Name, at("04:40:00")), "", true)
			c.cw.Status.LastScheduledTime = at("04:40:00")
		}, "04:40 AlreadyThere"},
		"its run has been deleted again, and Argo has gone past it": {newer, "04:40 Uncertain/NotSettled"},
		"Argo has gone past it, and nothing can have been deleted": {func(c *cluster) {
			c.cw.Retention.Successful = 10
			c.cw.Status.LastScheduledTime = at("04:44:00")
			c.create(auditor.WorkflowName(key.Name, at("04:44:00")), "", true)
		}, "04:40 Created"},
		"nothing": {func(*cluster) {}, "04:40 Created"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, newCluster("04:44:35", minutely(oneKept)), byHand())
				plan := b.plan(missed("04:40:00")...)
				tc.meanwhile(b.cluster)
				got := outcomes(b.executor.Run(t.Context(), plan))
				if diff := cmp.Diff([]string{tc.want}, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
	t.Run("where the plan is by a watch that has been silent since", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, newCluster("04:44:35", minutely(oneKept)), byHand(), func(o *backfill.Options) { o.Patience = time.Second })
			before := b.plan(missed("04:40:00")...).LastScheduledTime
			newer(b.cluster)
			time.Sleep(12 * time.Second)
			plan := b.plan(missed("04:40:00")...)
			plan.LastScheduledTime = before
			if diff := cmp.Diff([]string{"04:40 Requeued"}, outcomes(b.executor.Run(t.Context(), plan))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	})
	t.Run("who audits all the time makes a fresh plan", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, newCluster("04:44:35", minutely(oneKept)), byHand(), func(o *backfill.Options) { o.Patience = time.Second })
			plan := b.plan(missed("04:40:00", "04:41:00")...)
			newer(b.cluster)
			report := b.executor.Run(t.Context(), plan)
			if diff := cmp.Diff([]string{"04:40 Requeued", "04:41 Requeued"}, outcomes(report)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !report.Again.Equal(at("04:44:40")) {
				t.Errorf("a fresh plan is to be made at %s", report.Again)
			}
			again := b.plan(missed("04:40:00", "04:41:00")...)
			if diff := cmp.Diff([]string{"04:40 Created", "04:41 Created"}, outcomes(b.executor.Run(t.Context(), again))); diff != "" {
				t.Errorf("the fresh plan: (-want +got):\n%s", diff)
			}
		})
	})
}

func TestARunThatWasSeenDuringTheRecoveryAndIsGoneIsNotMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCluster("04:44:35", minutely()), byHand(), func(o *backfill.Options) { o.CreatesPerSecond = 2 })
		plan := b.plan(missed("04:40:00", "04:41:00")...)
		newer := auditor.WorkflowName(key.Name, at("04:41:00"))
		var looks int
		b.fault = func(r request) fault {
			if r.verb != "look" {
				return fault{}
			}
			looks++
			return fault{before: func() {
				switch looks {
				case 1: // Argo makes it …
					b.create(newer, "", true)
				case 2: // … and a history limit deletes it
					delete(b.runs, newer)
				}
			}}
		}
		got := outcomes(b.executor.Run(t.Context(), plan))
		if diff := cmp.Diff([]string{"04:40 Created", "04:41 AlreadyThere"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if b.made[newer] != 1 {
			t.Errorf("it was made %d times", b.made[newer])
		}
	})
}

func TestAPlanKnowsWhetherTheStatusOwesARunOfRollcalls(t *testing.T) {
	behind, shown := minutely(), minutely()
	shown.Status.LastScheduledTime = at("04:40:00")
	done := []auditor.Finding{finding("04:40:00", auditor.Backfilled)}
	if p := backfill.NewPlan(behind, done, byHand(), at("04:44:35")); !p.OwesStatus() || len(p.ToRecover()) != 0 {
		t.Errorf("a run that lastScheduledTime does not show: owes %v, to recover %d", p.OwesStatus(), len(p.ToRecover()))
	}
	if p := backfill.NewPlan(shown, done, byHand(), at("04:44:35")); p.OwesStatus() {
		t.Error("nothing is owed where lastScheduledTime shows it")
	}
}

func TestCarryingOutAPlanWithNothingToRecoverRepairsTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCluster("04:44:35", minutely()), byHand())
		b.create(auditor.WorkflowName(key.Name, at("04:40:00")), backfill.ByCLI, true)
		report := b.executor.Run(t.Context(), b.plan(finding("04:40:00", auditor.Backfilled)))
		if got := b.cw.Status.LastScheduledTime; !got.Equal(at("04:40:00")) || report.StatusError != nil {
			t.Errorf("lastScheduledTime is %s, status error %v", got.Format(time.TimeOnly), report.StatusError)
		}
	})
}
