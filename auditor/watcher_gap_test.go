package auditor_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
)

// singly makes it one of Argo's full CRDs, where managers own single fields.
func singly(cw *auditor.CronWorkflow) { cw.Epochs[0].Traceless = true }

func TestAFieldThatIsTakenAwayAgainDoesNotChangeThePast(t *testing.T) {
	s := newScene(t, singly)
	before := s.cw.Epochs[0]
	s.see("04:35:40", func(cw *auditor.CronWorkflow) {
		cw.Epochs[0].From = clock("04:35:40")
		cw.Epochs[0].Spec.Suspend = true
	})
	s.until("04:38:30").want("04:36 Unknown SpecUnknown", "04:37 Skipped Suspended", "04:38 Skipped Suspended")
	s.see("04:38:40", func(cw *auditor.CronWorkflow) { cw.Epochs[0] = before }) // who owned suspend is not listed any more
	s.until("04:40:30").want("04:39 Unknown SpecUnknown", "04:40 Missed certain")
}

func TestAFieldWhoseRemovalIsToldLateMayHaveBeenGoneForLong(t *testing.T) {
	s := newScene(t, singly).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
	before := s.cw.Epochs[0]
	s.silent = true
	s.until("04:38:50").silent = false
	s.see("04:38:51", func(cw *auditor.CronWorkflow) {
		cw.Epochs[0].From = clock("04:36:40")
		cw.Epochs[0].Spec.Suspend = true
	})
	s.see("04:38:51", func(cw *auditor.CronWorkflow) { cw.Epochs[0] = before }) // resumed, at any time since
	s.until("04:40:40").want("04:37 Unknown SpecUnknown", "04:38 Skipped Suspended", "04:38 Unknown SpecUnknown", "04:39 Unknown SpecUnknown", "04:40 Missed certain")
}

func TestWhatWasSeenInAGapIsNotWhatThereIsAfterIt(t *testing.T) {
	s := newScene(t).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
	s.silent = true
	s.until("04:39:19").silent = false
	s.w.Gap(clock("04:35:50"), clock("04:39:20")) // last seen at 04:36:00, by a watch that may have been late already
	s.cw.Epochs = slices.Clone(s.cw.Epochs)
	s.cw.Epochs[0].From = clock("04:38:40") // suspended and resumed, say
	s.w.SeeCronWorkflow(s.cw, clock("04:39:20"))
	s.until("04:40:30").want("04:37 Unknown SpecUnknown", "04:38 Unknown SpecUnknown", "04:39 Unknown SpecUnknown", "04:40 Missed certain")
}

func TestTwoEditsOfOneSecondThatAreToldLateAreBothOfThatSecond(t *testing.T) {
	for name, given := range map[string]func(*auditor.CronWorkflow){"minimal CRDs": func(*auditor.CronWorkflow) {}, "full CRDs": singly} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, given).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
			s.until("04:36:50").silent = true
			s.until("04:38:50").silent = false
			for _, schedules := range [][]string{{"0 0 1 1 *"}, {"* * * * *", "*/10 * * * *"}} {
				s.see("04:38:51", func(cw *auditor.CronWorkflow) {
					cw.Epochs[0].From = clock("04:36:40")
					cw.Epochs[0].Spec.Schedules = schedules
				})
			}
			s.until("04:40:40").want("04:37 Unknown SpecUnknown", "04:38 Unknown SpecUnknown", "04:38 Missed certain", "04:39 Missed certain", "04:40 Missed certain")
		})
	}
}

func TestWhereAnEditCanLeaveNoTraceAGapIsNotCertain(t *testing.T) {
	want := []string{"04:37 Missed likely", "04:38 Missed likely", "04:39 Missed certain"}
	t.Run("over a restart", func(t *testing.T) {
		s := newScene(t, singly).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
		s.restart("04:36:40", 100*time.Second).until("04:39:30").want(want...)
	})
	for name, gapFirst := range map[string]bool{"over a gap that is told before what there is now": true, "over a gap that is told after it": false} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, singly).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
			if gapFirst {
				s.w.Gap(clock("04:36:40"), clock("04:38:20"))
			}
			s.w.SeeCronWorkflow(s.cw, clock("04:38:20"))
			if !gapFirst {
				s.w.Gap(clock("04:36:40"), clock("04:38:20"))
			}
			s.until("04:39:30").want(want...)
		})
	}
}

// behindASilentWatch is a scene whose watch and API server have been silent since 04:36:30 and until its process ends.
func behindASilentWatch(t *testing.T, given ...func(*auditor.CronWorkflow)) *scene {
	s := newScene(t, given...).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
	s.silent = true
	return s.until("04:38:40")
}

func TestWhatASilentWatchDidNotTellIsNotKnownToTheNextProcess(t *testing.T) {
	resume := func(s *scene, change func(*auditor.CronWorkflow)) *scene {
		s.cw.Epochs = slices.Clone(s.cw.Epochs)
		change(&s.cw)
		s.restart("04:38:40", 5*time.Second).silent = false
		return s.until("04:38:50")
	}
	unknown := []string{"04:37 Unknown SpecUnknown", "04:38 Unknown SpecUnknown"}
	t.Run("suspended and resumed", func(t *testing.T) {
		resume(behindASilentWatch(t), func(cw *auditor.CronWorkflow) { cw.Epochs[0].From = clock("04:38:10") }).want(unknown...)
	})
	t.Run("suspended, and resumed with another change", func(t *testing.T) {
		resume(behindASilentWatch(t), func(cw *auditor.CronWorkflow) {
			cw.Epochs[0].From, cw.Epochs[0].Spec.StartingDeadline = clock("04:38:10"), 9*time.Minute
		}).want(unknown...)
	})
	t.Run("a run that came and went", func(t *testing.T) {
		resume(behindASilentWatch(t), func(cw *auditor.CronWorkflow) { cw.Status.Failed = 1 }).want("04:37 Missed likely", "04:38 Missed likely")
	})
}

func TestAnAuditWithARecordTrustsASilentWatchNoMoreThanTheWatcher(t *testing.T) {
	for _, ttl := range []time.Duration{0, time.Minute} {
		t.Run(fmt.Sprint("ttl ", ttl), func(t *testing.T) {
			s := behindASilentWatch(t, func(cw *auditor.CronWorkflow) { cw.Retention.TTL = ttl }).until("04:39:40")
			now := clock("04:40:10")
			s.cw.Status.LastScheduledTime = clock("04:40:00")
			in := auditor.WithState(auditor.Input{CronWorkflow: s.cw, Runs: []auditor.Run{argoRun("04:40:00")}}, s.state(), now, auditor.Options{})
			r, err := auditor.Audit(in, auditor.Window{From: clock("04:36:30"), To: clock("04:38:30")}, now, auditor.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			s.note(&said, r.Findings)
			if diff := cmp.Diff([]string{"04:37 Unknown EvidenceGone", "04:38 Unknown EvidenceGone"}, said); diff != "" {
				t.Errorf("(-want +said):\n%s", diff)
			}
		})
	}
}

func TestWhatArgoCountedInAGapIsSeenByWhoHasNotLookedBefore(t *testing.T) {
	s := newScene(t)
	leader := auditor.NewWatcher(auditor.Options{})
	leader.SeeCronWorkflow(s.cw, clock("04:35:20"))
	leader.Begin(clock("04:35:20"))
	leader.Judge(clock("04:35:55"))
	state, _ := leader.State(tick)
	s.w.Gap(clock("04:35:55"), clock("04:37:20"))
	s.cw.Status.Failed = 1 // the run of 04:36 came, failed and is gone, and Argo could not write its lastScheduledTime
	s.w.SeeCronWorkflow(s.cw, clock("04:37:20"))
	s.w.Resume(tick, state)
	s.until("04:37:25").want("04:36 Missed likely")
}

func TestARunUnderTheNameOfTheZeroTimeIsRememberedWithItsFiring(t *testing.T) {
	s := newScene(t).until("04:35:40")
	run := argoRun("04:36:00")
	run.Name, run.CreatedAt = auditor.WorkflowName("tick", time.Time{}), clock("04:36:03")
	s.w.SeeRun("default", run, clock("04:36:03"))
	s.until("04:36:30").want("04:36 OnTime ZeroTimeName")
	s.w.LoseRun("default", run, clock("04:36:40"))
	s.run("04:37:00", "04:37:00").until("04:37:30").want("04:37 OnTime")
	now := clock("04:37:40")
	in := auditor.WithState(auditor.Input{CronWorkflow: s.cw, Runs: []auditor.Run{argoRun("04:37:00")}}, s.state(), now, auditor.Options{})
	r, err := auditor.Audit(in, auditor.Window{From: clock("04:35:30"), To: clock("04:36:30")}, now, auditor.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 1 || r.Findings[0].Verdict != auditor.OnTime {
		t.Errorf("%+v", r.Findings)
	}
}
