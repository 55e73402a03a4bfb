package auditor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// What comes late is told in the order in which it was, and each of it says when Argo wrote it.

func forbidding(cw *auditor.CronWorkflow) {
	cw.Epochs[0].Spec.Policy, cw.Status.WrittenAt, cw.Status.ChangedAt = auditor.Forbid, clock("04:35:10"), clock("04:35:10")
}

// active shows what status.active held from a time on, as the watch told of it at another.
func (s *scene) active(told, written string, runs ...string) {
	s.see(told, func(cw *auditor.CronWorkflow) {
		cw.Status.Active, cw.Status.WrittenAt, cw.Status.ChangedAt = runs, clock(written), clock(written)
	})
}

func TestWhatWasTheCaseAtAFiringsTimeIsAskedAgainWhenItsAbsenceIsConfirmed(t *testing.T) {
	s := newScene(t, forbidding)
	s.silent = true
	s.until("04:36:30").want()
	s.active("04:36:31", "04:35:40", "tick-x7k2p")
	s.silent = false
	s.until("04:36:45").want("04:36 Skipped Forbidden")
}

func TestLateNewsOfWhatWasActiveTakesASkipBack(t *testing.T) {
	s := newScene(t, forbidding)
	s.active("04:35:50", "04:35:49", "tick-x7k2p")
	s.until("04:37:30").want("04:36 Skipped Forbidden", "04:37 Skipped Forbidden")
	s.active("04:37:40", "04:36:20")
	s.until("04:37:50").want("04:37 Missed certain")
}

func TestOfTwoWritesInOneSecondTheSecondIsAsLateAsTheFirst(t *testing.T) {
	s := newScene(t, forbidding)
	s.active("04:35:50", "04:35:49", "tick-x7k2p")
	s.silent = true
	s.active("04:37:20", "04:36:20")
	s.active("04:37:25", "04:36:20", "tick-x7k2q")
	s.silent = false
	s.until("04:37:30")
	if !strings.Contains(strings.Join(s.said, "; "), "04:37 Skipped Forbidden") {
		t.Errorf("%q", s.said)
	}
}

// The watch of the process before had been silent since before the firing.
func TestWhatIsActiveAtARestartHasBeenSoSinceArgoWroteIt(t *testing.T) {
	s := newScene(t, forbidding).until("04:35:50")
	s.silent = true
	s.until("04:36:40").want()
	s.cw.Status.Active, s.cw.Status.ChangedAt = []string{"tick-x7k2p"}, clock("04:35:51")
	s.restart("04:36:40", 5*time.Second)
	s.silent = false
	s.until("04:36:50").want("04:36 Skipped Forbidden")
}

// Rollcall writes to status.active too, which is no write of Argo's.
func TestWhatRollcallAppendsHasBeenActiveSinceItWasSeen(t *testing.T) {
	s := newScene(t, forbidding)
	s.see("04:36:40", func(cw *auditor.CronWorkflow) {
		cw.Status.Active, cw.Status.ChangedAt = []string{"tick-x7k2p"}, clock("04:36:39")
	})
	s.until("04:37:30").want("04:36 Missed certain", "04:37 Skipped Forbidden")
	if got := s.state().Record.Active; len(got) == 0 || !got[len(got)-1].At.Equal(clock("04:36:40")) {
		t.Errorf("active as recorded: %v", got)
	}
}

func TestWhatACronWorkflowFirstSaysOfItselfHeldFromItsBirthOn(t *testing.T) {
	s := newScene(t)
	born := s.cw
	born.Name, born.UID, born.CreatedAt = "late", "uid-late", clock("04:36:10")
	born.Status = auditor.Status{ChangedAt: born.CreatedAt}
	born.Epochs = []auditor.Epoch{{From: born.CreatedAt, Spec: s.cw.Epochs[0].Spec}}
	born.Epochs[0].Spec.Policy = auditor.Forbid
	s.w.SeeCronWorkflow(born, clock("04:39:30"))
	born.Status.Active, born.Status.ChangedAt = []string{"late-x7k2p"}, clock("04:37:40")
	s.w.SeeCronWorkflow(born, clock("04:39:30"))
	state, ok := s.w.State(auditor.Key{Namespace: "default", Name: "late"})
	if n := len(state.Record.Active); !ok || n != 2 || !state.Record.Active[1].At.Equal(clock("04:37:41")) {
		t.Errorf("%+v", state.Record.Active)
	}
}

func TestALateEditWasWhenTheObjectSays(t *testing.T) {
	s := newScene(t)
	s.see("04:38:20", func(cw *auditor.CronWorkflow) { cw.Status.Succeeded++ })
	s.said = nil
	s.see("04:38:21", func(cw *auditor.CronWorkflow) {
		cw.Epochs[0] = auditor.Epoch{From: clock("04:36:40"), Spec: cw.Epochs[0].Spec}
		cw.Epochs[0].Spec.Suspend = true
	})
	if epochs := s.state().Epochs; len(epochs) != 2 || !epochs[1].From.Equal(clock("04:36:40")) {
		t.Errorf("%+v", epochs)
	}
}

func TestWhatBecameDueByALateEditIsJudged(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"*/5 * * * *"} })
	s.until("04:40:30").want("04:40 Missed certain")
	s.see("04:40:40", func(cw *auditor.CronWorkflow) {
		cw.Epochs = []auditor.Epoch{{From: clock("04:36:50"), Spec: cw.Epochs[0].Spec}}
		cw.Epochs[0].Spec.Schedules = []string{"*/2 * * * *"}
	})
	s.until("04:42:30").want("04:38 Missed certain", "04:42 Missed certain")
}

func TestARunIsNotLateBecauseTheNewsOfItIs(t *testing.T) {
	s := newScene(t).until("04:36:30").want("04:36 Missed certain")
	s.see("04:39:50", func(cw *auditor.CronWorkflow) {
		cw.Status.LastScheduledTime, cw.Status.WrittenAt = clock("04:36:00"), clock("04:36:01")
	})
	s.said = nil
	s.until("04:39:51").want("04:36 OnTime StatusOnly")
}

func TestAScheduleThatSkipsNowAndThenCanBeStuckToo(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) {
		cw.Epochs[0].Spec.When = "{{= … }}"
		cw.When = condition(func(m auditor.Moment) (bool, error) { return m.At.Minute()%2 == 0, nil })
	})
	for _, at := range []string{"04:36:01", "04:37:01", "04:38:01"} {
		s.until(at)
		s.w.SeeController("", auditor.Controller{Writes: []time.Time{clock(at)}}, clock(at))
	}
	if s.until("04:38:30"); !strings.Contains(s.last.Stuck, "ScheduleStuck") {
		t.Errorf("%+v", s.last)
	}
}

func TestWhatIsBegunAnewFromARecordWasNotWatchedSinceItsBirth(t *testing.T) {
	s := newScene(t)
	young := s.cw
	young.Name, young.UID, young.CreatedAt, young.Status = "young", "uid-young", clock("04:36:10"), auditor.Status{}
	young.Epochs = []auditor.Epoch{{From: young.CreatedAt, Spec: s.cw.Epochs[0].Spec}}
	key := auditor.Key{Namespace: "default", Name: "young"}
	s.w.SeeCronWorkflow(young, clock("04:36:10"))
	s.until("04:37:00")
	state, _ := s.w.State(key)
	s.until("04:39:00")
	s.w.LoseCronWorkflow(key, clock("04:39:00")) // another process has written to its record
	s.w.Resume(key, state)
	s.w.SeeCronWorkflow(young, clock("04:39:00"))
	state, _ = s.w.State(key)
	if n := len(state.Coverage); n != 2 || !state.Coverage[1].From.Equal(clock("04:39:00")) {
		t.Errorf("%+v", state.Coverage)
	}
}

func TestWhatTheAPIServerDidNotConfirmIsNoAbsenceToTheNextProcess(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Retention.TTL = 0 })
	s.silent = true
	state := s.until("04:36:35").state()
	state.Coverage[0].To = clock("04:36:10") // the watch broke off then
	s.w = auditor.NewWatcher(auditor.Options{})
	s.w.Resume(tick, state)
	s.cw.Status.LastScheduledTime = clock("04:40:00")
	s.w.SeeCronWorkflow(s.cw, clock("04:40:40"))
	s.w.Begin(clock("04:40:40"))
	s.silent = false
	s.until("04:40:41")
	if !slices.Contains(s.said, "04:36 Unknown EvidenceGone") {
		t.Errorf("%q", s.said)
	}
}

func TestACoverageThatTheAPIServerDidNotConfirmIsNone(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Retention.TTL = 0 })
	s.silent = true
	s.run("04:37:00", "04:37:00").until("04:37:40").want("04:37 OnTime")
	s.restart("04:37:40", 10*time.Second).silent = false
	s.until("04:37:51").want("04:36 Unknown EvidenceGone")
}

func TestANewerFiringSupersedesOnceItsRunIsSeen(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Policy = auditor.Replace }).until("04:36:30").want("04:36 Missed certain")
	s.see("04:37:00", func(cw *auditor.CronWorkflow) { cw.Status.LastScheduledTime = clock("04:37:00") }).until("04:37:01").want()
	s.w.SeeRun("default", argoRun("04:37:00"), clock("04:37:02"))
	s.until("04:37:03").want("04:36 Skipped Superseded")
}
