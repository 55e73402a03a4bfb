package operator

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// slowIn is a world in which creates in one namespace are answered by nobody.
type slowIn struct {
	*world
	namespace string
}

func (s slowIn) Create(ctx context.Context, look backfill.Look, n backfill.NewRun) (auditor.Run, error) {
	if look.CronWorkflow.Namespace == s.namespace {
		<-ctx.Done()
		return auditor.Run{}, ctx.Err()
	}
	return s.world.Create(ctx, look, n)
}

// onceAtOne has a CronWorkflow fire at one minute past midnight only.
func onceAtOne(s *auditor.Spec) { s.Schedules = []string{"1 0 1 1 *"} }

func TestAThousandThatCannotBeHelpedDoNotHoldUpOneThatCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 1000 {
			w.put(everyMinute(fmt.Sprintf("idle-%d", i), spec(onceAtOne), spec(func(s *auditor.Spec) { s.StartingDeadline = 2 * time.Hour }),
				func(cw *auditor.CronWorkflow) { cw.Settings.Backfill = auditor.BackfillOff }))
		}
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"10 0 1 1 *"} })))
		p := w.starts(t)
		p.leads <- true
		until("00:10:20")
		expect(t, "runs made", w.did("create"), "create "+tickOf(10))
	})
}

func TestANamespaceThatAnswersSlowlyDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 400 {
			w.put(everyMinute(fmt.Sprintf("slow-%d", i), spec(onceAtOne), func(cw *auditor.CronWorkflow) { cw.Namespace = "broken" }))
		}
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"2 0 1 1 *"} })))
		p := w.starts(t, func(o *Options) { o.Submitter = slowIn{w, "broken"} })
		p.leads <- true
		until("00:04:00")
		expect(t, "runs made", w.did("create"), "create "+tickOf(2))
	})
}
