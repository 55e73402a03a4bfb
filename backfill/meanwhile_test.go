package backfill_test

import (
	"cmp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// What Argo, back again, does between the audit and the create must not lead to a second run.
func TestAFiringThatArgoRanMeanwhileIsNotMadeASecondTime(t *testing.T) {
	oneKept := func(cw *auditor.CronWorkflow) { cw.Retention.Successful = 1 }
	another := func(scheduled string) func(*cluster) {
		return func(c *cluster) {
			c.cw.Status.LastScheduledTime = at(scheduled)
			newer := c.create(auditor.WorkflowName(key.Name, at(scheduled)), "", true)
			newer.FinishedAt, newer.Succeeded = c.now(), true
			c.runs[newer.Name] = newer
		}
	}
	for name, tc := range map[string]struct {
		// missed is 04:40 unless it says otherwise.
		missed string
		// meanwhile is what happens to the cluster after the plan was made.
		meanwhile func(*cluster)
		want      string
	}{
		"its run exists": {meanwhile: func(c *cluster) {
			c.create(auditor.WorkflowName(key.Name, at("04:40:00")), "", true)
			c.cw.Status.LastScheduledTime = at("04:40:00")
		}, want: "04:40 AlreadyThere"},
		"its run has been deleted again, and Argo has gone past it":  {missed: "04:44:00", meanwhile: another("04:45:00"), want: "04:44 Uncertain/NotSettled"},
		"Argo has gone past it, and would only have run a later one": {meanwhile: another("04:44:00"), want: "04:40 Created"},
		"and so it would have, but the schedule has been edited since": {meanwhile: func(c *cluster) {
			another("04:44:00")(c)
			c.cw.Epochs = append(slices.Clone(c.cw.Epochs), auditor.Epoch{From: at("04:44:40"), Spec: c.cw.Epochs[0].Spec})
		}, want: "04:40 Uncertain/NotSettled"},
		"Argo has gone past it, and nothing can have been deleted": {meanwhile: func(c *cluster) {
			c.cw.Retention.Successful = 10
			another("04:44:00")(c)
		}, want: "04:40 Created"},
		"nothing": {meanwhile: func(*cluster) {}, want: "04:40 Created"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, newCluster("04:44:35", minutely(oneKept)), byHand())
				plan := b.plan(missed(cmp.Or(tc.missed, "04:40:00"))...)
				tc.meanwhile(b.cluster)
				got := outcomes(b.executor.Run(t.Context(), plan))
				if diff := gocmp.Diff([]string{tc.want}, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
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
		if diff := gocmp.Diff([]string{"04:40 Created", "04:41 AlreadyThere"}, got); diff != "" {
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
