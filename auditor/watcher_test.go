package auditor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall.dev/rollcall/auditor"
)

var tick = auditor.Key{Namespace: "default", Name: "tick"}

// scene is a Watcher that watches tick, which fires every minute, from 04:35:30 on. Whatever is asked of the API server is not there.
type scene struct {
	t     *testing.T
	w     *auditor.Watcher
	cw    auditor.CronWorkflow
	said  []string // "04:40 Missed certain", as it was said
	asked []string
	// silent is true while the API server does not answer.
	silent bool
	last   auditor.Judgement
}

func newScene(t *testing.T, given ...func(*auditor.CronWorkflow)) *scene {
	s := &scene{t: t, w: auditor.NewWatcher(auditor.Options{}), cw: minuteWorld().in.CronWorkflow}
	s.cw.Status = auditor.Status{LastScheduledTime: clock("04:35:00")}
	for _, g := range given {
		g(&s.cw)
	}
	s.w.SeeCronWorkflow(s.cw, clock("04:35:30"))
	s.w.Begin(clock("04:35:30"))
	return s
}

// until judges what becomes due up to that time, the time included.
func (s *scene) until(hms string) *scene {
	s.t.Helper()
	for range 10_000 {
		at, ok := s.w.Wake()
		if !ok || at.After(clock(hms)) {
			return s
		}
		for _, j := range s.w.Judge(at) {
			s.last = j
			s.note(&s.said, j.Decided)
			s.note(&s.asked, j.Confirm)
			if !s.silent {
				s.w.Confirm(j.Key, times(j.Confirm), at)
			}
		}
	}
	s.t.Fatal("it wakes again and again")
	return s
}

func (s *scene) note(list *[]string, findings []auditor.Finding) {
	for _, f := range findings {
		words := []string{f.ScheduledTime.Format("15:04"), string(f.Verdict), string(f.Reason), string(f.Certainty)}
		*list = append(*list, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " "))
	}
}

func times(findings []auditor.Finding) (all []time.Time) {
	for _, f := range findings {
		all = append(all, f.ScheduledTime)
	}
	return all
}

// see shows the CronWorkflow after a change.
func (s *scene) see(hms string, change func(*auditor.CronWorkflow)) *scene {
	s.until(hms)
	s.cw.Epochs = slices.Clone(s.cw.Epochs)
	change(&s.cw)
	s.w.SeeCronWorkflow(s.cw, clock(hms))
	return s
}

// run shows that Argo ran a firing, for two seconds, and wrote it to the status.
func (s *scene) run(at, created string) *scene {
	s.until(created)
	run := argoRun(at)
	run.CreatedAt, run.StartedAt, run.FinishedAt = clock(created), clock(created), clock(created).Add(2*time.Second)
	s.w.SeeRun("default", run, clock(created))
	return s.see(created, func(cw *auditor.CronWorkflow) { cw.Status.LastScheduledTime = clock(at) })
}

func (s *scene) restart(hms string, downFor time.Duration) *scene {
	s.until(hms)
	state, ok := s.w.State(tick)
	if !ok {
		s.t.Fatal("no state")
	}
	s.w = auditor.NewWatcher(auditor.Options{})
	s.w.Resume(tick, state)
	s.w.SeeCronWorkflow(s.cw, clock(hms).Add(downFor))
	s.w.Begin(clock(hms).Add(downFor))
	return s
}

func (s *scene) want(said ...string) *scene {
	s.t.Helper()
	if diff := cmp.Diff(said, s.said, cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("(-want +said):\n%s", diff)
	}
	s.said = nil
	return s
}

func (s *scene) state() auditor.State {
	state, ok := s.w.State(tick)
	if !ok {
		s.t.Fatal("no state")
	}
	return state
}

func TestTenThousandCronWorkflowsThatAreNotDueCostNothing(t *testing.T) {
	w := auditor.NewWatcher(auditor.Options{})
	cw := minuteWorld().in.CronWorkflow
	for i := range 10_000 {
		cw.Name, cw.UID = fmt.Sprintf("cron-%d", i), fmt.Sprintf("uid-%d", i)
		cw.Epochs = []auditor.Epoch{{From: cw.CreatedAt, Spec: auditor.Spec{Schedules: []string{"0 12 * * *"}, Timezone: "UTC", StartingDeadline: time.Minute}}}
		cw.Status.LastScheduledTime = clock("12:00:00").Add(-24 * time.Hour)
		w.SeeCronWorkflow(cw, clock("05:00:00"))
	}
	w.Begin(clock("05:00:00"))
	w.Judge(clock("05:00:00")) // the first look, for the record
	for at := clock("05:00:00"); at.Before(clock("06:00:00")); at = at.Add(time.Second) {
		if wake, ok := w.Wake(); !ok || !wake.Equal(clock("12:00:30")) {
			t.Fatalf("at %s it wants to be woken at %s", at, wake)
		}
		if judged := w.Judge(at); len(judged) > 0 {
			t.Fatalf("at %s it judged %v", at, judged)
		}
		w.SeeController("", auditor.Controller{Lease: &auditor.Lease{RenewedAt: at}}, at)
	}
}

func TestAFiringIsJudgedWhenItsGraceIsOver(t *testing.T) {
	newScene(t).run("04:36:00", "04:36:01").until("04:36:29").want().until("04:36:30").want("04:36 OnTime")
}

func TestARunThatIsDeletedBeforeItsGraceIsOverHasRun(t *testing.T) {
	s := newScene(t).run("04:36:00", "04:36:00")
	s.w.LoseRun("default", argoRun("04:36:00"), clock("04:36:05"))
	s.until("04:36:30").want("04:36 OnTime")
	zero := argoRun("04:37:00")
	zero.Name = "tick--62135596800"
	s.w.SeeRun("default", zero, clock("04:37:00"))
	s.w.LoseRun("default", zero, clock("04:37:05"))
	s.until("04:37:30").want("04:37 OnTime ZeroTimeName")
}

func TestAMissIsSaidOnlyAfterTheAPIServerWasAsked(t *testing.T) {
	s := newScene(t)
	s.silent = true
	s.until("04:36:49").want()
	if diff := cmp.Diff([]string{"04:36 Missed certain", "04:36 Missed certain"}, s.asked); diff != "" {
		t.Errorf("asked every 10 s (-want +got):\n%s", diff)
	}
	if state := s.state(); len(state.Open) != 0 || len(state.Unsettled) != 1 || state.Unsettled[0].Verdict != auditor.Pending {
		t.Errorf("it is on record as not confirmed yet: %+v", state)
	}
	s.w.Confirm(tick, []time.Time{clock("04:36:00")}, clock("04:36:49"))
	s.until("04:36:49").want("04:36 Missed certain")
	if !s.last.Urgent || !s.last.Changed {
		t.Errorf("a miss is urgent: %+v", s.last)
	}
}

func TestARunThatTheLastLookFindsIsNoMiss(t *testing.T) {
	s := newScene(t)
	s.silent = true
	s.until("04:36:30").want()
	s.w.SeeRun("default", created(argoRun("04:36:00"), "04:36:00"), clock("04:36:31"))
	s.until("04:36:31").want("04:36 OnTime")
	if diff := cmp.Diff(map[auditor.Verdict]int64{auditor.OnTime: 1}, s.state().Totals); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAQuestionThatWasNotAnsweredIsAskedByTheNextProcess(t *testing.T) {
	s := newScene(t)
	s.silent = true
	s.restart("04:36:35", time.Second)
	s.silent = false
	s.until("04:36:36").want("04:36 Missed certain")
}

func TestAMissExpiresAtItsDeadline(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"36 4 * * *"} })
	s.until("04:36:30").want("04:36 Missed certain").until("04:45:59").want().until("04:46:00").want("04:36 Expired certain")
	if diff := cmp.Diff(map[auditor.Verdict]int64{auditor.Expired: 1}, s.state().Totals); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNothingBeatsARun(t *testing.T) {
	hourly := func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"36 * * * *"} }
	late := map[auditor.Verdict]int64{auditor.Late: 1}
	for name, c := range map[string]struct {
		given   func(*auditor.CronWorkflow)
		created string
		said    []string
	}{
		"a miss":                         {func(*auditor.CronWorkflow) {}, "04:40:00", []string{"04:36 Missed certain", "04:36 Late"}},
		"a loss":                         {func(*auditor.CronWorkflow) {}, "05:00:00", []string{"04:36 Missed certain", "04:36 Expired certain", "04:36 Late"}},
		"a skip":                         {func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Suspend = true }, "04:40:00", []string{"04:36 Skipped Suspended", "04:36 Late"}},
		"a skip that was taken as final": {func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Suspend = true }, "05:00:00", []string{"04:36 Skipped Suspended", "04:36 Late"}},
		"that nothing can be told":       {func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.When = "{{= … }}" }, "05:00:00", []string{"04:36 Unknown WhenUnknown", "04:36 Late"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, hourly, c.given).run("04:36:00", c.created).until(c.created).want(c.said...)
			if diff := cmp.Diff(late, s.state().Totals); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			s.w.LoseRun("default", created(argoRun("04:36:00"), c.created), clock(c.created))
			s.until("05:30:00").want()
		})
	}
}

func TestALossThatIsTakenBackIsUrgent(t *testing.T) {
	hourly := func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"36 * * * *"} }
	for name, ran := range map[string]string{"a miss": "04:40:00", "a loss": "05:00:00"} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, hourly)
			s.restart("04:36:40", time.Second) // who takes it back may be another process
			s.until(ran)
			s.said = nil
			s.run("04:36:00", ran).until(ran).want("04:36 Late")
			if !s.last.Urgent {
				t.Errorf("whoever dies now leaves it accused: %+v", s.last)
			}
		})
	}
	if s := newScene(t, hourly).run("04:36:00", "04:36:01").until("04:36:30").want("04:36 OnTime"); s.last.Urgent {
		t.Errorf("a run that was awaited is not: %+v", s.last)
	}
}

func TestWhatOnlyTheStatusToldIsRemembered(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Settings.Grace = 3 * time.Minute })
	for _, at := range []string{"04:36:00", "04:37:00", "04:38:00"} {
		s.see(at, func(cw *auditor.CronWorkflow) { cw.Status.LastScheduledTime = clock(at) })
	}
	s.until("04:41:00").want("04:36 OnTime StatusOnly", "04:37 OnTime StatusOnly", "04:38 OnTime StatusOnly")
	s.w.SeeRun("default", created(argoRun("04:38:00"), "04:39:30"), clock("04:41:01"))
	s.until("04:41:02").want("04:38 Late")
}

func TestAVerdictThatOnlyRestsOnSomethingElseIsNotCountedAgain(t *testing.T) {
	s := newScene(t).see("04:36:10", func(cw *auditor.CronWorkflow) { cw.Status.LastScheduledTime = clock("04:36:00") })
	s.until("04:36:30").want("04:36 OnTime StatusOnly")
	s.w.SeeRun("default", argoRun("04:36:00"), clock("04:36:40"))
	s.until("04:36:50").want("04:36 OnTime")
	if len(s.last.Decided) != 1 || len(s.last.Tally) != 0 {
		t.Errorf("it is decided %d times, and counted %v", len(s.last.Decided), s.last.Tally)
	}
}

func TestWhatRollcallWroteToTheStatusIsNoRun(t *testing.T) {
	s := newScene(t).until("04:36:30").want("04:36 Missed certain")
	s.w.NoteMoved(tick, clock("04:36:00"), clock("04:36:40"))
	s.see("04:36:40", func(cw *auditor.CronWorkflow) { cw.Status.LastScheduledTime = clock("04:36:00") }).until("04:36:41").want()
	s.see("04:37:05", func(cw *auditor.CronWorkflow) {
		cw.Status.LastScheduledTime, cw.Status.Intended = clock("04:37:00"), clock("04:37:00")
	})
	s.see("04:37:10", func(cw *auditor.CronWorkflow) { cw.Status.Intended = time.Time{} })
	s.until("04:37:30").want("04:37 Missed certain")
}

func TestARecoveryIsFollowed(t *testing.T) {
	hourly := func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"36 * * * *"} }
	recovery := auditor.Recovery{ScheduledTime: clock("04:36:00"), Attempts: 1, LastError: "quota"}
	t.Run("until its run is there", func(t *testing.T) {
		s := newScene(t, hourly).until("04:36:30")
		s.w.NoteRecovery(tick, recovery, clock("04:36:31"))
		run := created(argoRun("04:36:00"), "04:36:32")
		run.BackfilledBy = "controller"
		s.w.SeeRun("default", run, clock("04:36:32"))
		s.until("04:59:00").want("04:36 Missed certain", "04:36 Backfilled")
	})
	t.Run("until its deadline", func(t *testing.T) {
		s := newScene(t, hourly).until("04:36:30")
		s.w.NoteRecovery(tick, recovery, clock("04:36:31"))
		s.until("04:59:00").want("04:36 Missed certain", "04:36 GaveUp DeadlinePassed certain")
	})
	t.Run("until it is given up", func(t *testing.T) {
		s := newScene(t, hourly).until("04:36:30")
		recovery := recovery
		recovery.Ended = auditor.Permanent
		s.w.NoteRecovery(tick, recovery, clock("04:36:31"))
		s.until("04:36:31").want("04:36 Missed certain", "04:36 GaveUp Permanent certain")
		if state := s.state(); len(state.Open) != 0 || len(state.Unsettled) != 1 || len(state.Totals) != 0 {
			t.Errorf("Argo may still start it until the deadline: %+v", state)
		}
		if s.until("04:46:00").want(); s.state().Totals[auditor.GaveUp] != 1 {
			t.Errorf("then it is final: %+v", s.state())
		}
	})
}

func TestANameThatIsFreeAgainLeavesAMiss(t *testing.T) {
	s := newScene(t)
	foreign := argoRun("04:36:00")
	foreign.Owner, foreign.UID = "somebody", "foreign"
	s.w.SeeRun("default", foreign, clock("04:36:00"))
	s.until("04:36:40").want("04:36 Unknown NameTaken")
	s.w.LoseRun("default", foreign, clock("04:36:41"))
	s.until("04:36:41").want("04:36 Missed certain")
}

func TestFiringsBeforeAnEditAreJudgedByTheSpecOfTheirTime(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Settings.Grace = 2 * time.Minute })
	s.see("04:37:30", func(cw *auditor.CronWorkflow) {
		cw.Epochs[0] = auditor.Epoch{From: clock("04:37:29"), Spec: cw.Epochs[0].Spec}
		cw.Epochs[0].Spec.Suspend = true
	})
	s.until("04:42:00").want("04:36 Missed certain", "04:37 Missed certain", "04:38 Unknown SpecUnknown", "04:39 Unknown SpecUnknown", "04:40 Skipped Suspended")
	if diff := cmp.Diff(clock("04:37:29"), s.state().Epochs[1].From); diff != "" {
		t.Errorf("the object says when it was edited (-want +got):\n%s", diff)
	}
}

func TestAnEditThatTheObjectGivesNoTimeForWasWhenItWasSeen(t *testing.T) {
	s := newScene(t).see("04:37:20", func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Suspend = true })
	if diff := cmp.Diff(clock("04:37:20"), s.state().Epochs[1].From); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatWasEditedWhileNobodyWatchedIsNotKnown(t *testing.T) {
	touched := func(cw *auditor.CronWorkflow) { cw.Epochs[0].From = clock("04:38:40") } // suspended and resumed, say
	want := []string{"04:37 Unknown SpecUnknown", "04:38 Unknown SpecUnknown", "04:39 Unknown SpecUnknown", "04:40 Missed certain"}
	t.Run("over a restart", func(t *testing.T) {
		s := newScene(t).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
		touched(&s.cw)
		s.restart("04:36:40", 150*time.Second).until("04:40:30").want(want...)
	})
	for name, gapFirst := range map[string]bool{"over a gap that is told before what there is now": true, "over a gap that is told after it": false} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
			touched(&s.cw)
			if gapFirst {
				s.w.Gap(clock("04:36:40"), clock("04:39:10"))
			}
			s.w.SeeCronWorkflow(s.cw, clock("04:39:10"))
			if !gapFirst {
				s.w.Gap(clock("04:36:40"), clock("04:39:10"))
			}
			s.until("04:40:30").want(want...)
		})
	}
}

func TestWhatWasDueBeforeAnEditThatNobodyWatchedIsNotKeptSilent(t *testing.T) {
	s := newScene(t).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
	s.cw.Epochs = []auditor.Epoch{{From: clock("04:38:40"), Spec: s.cw.Epochs[0].Spec}}
	s.cw.Epochs[0].Spec.Schedules = []string{"*/2 * * * *"}
	s.restart("04:36:40", 150*time.Second).until("04:41:30").want("04:37 Unknown SpecUnknown", "04:38 Unknown SpecUnknown", "04:40 Missed certain")
}

func TestWhatASilentWatchDidNotTellOfAnEditIsNotKeptSilent(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"*/5 * * * *"} })
	s.see("04:38:30", func(cw *auditor.CronWorkflow) { cw.Status.Succeeded++ })
	s.cw.Epochs = []auditor.Epoch{{From: clock("04:35:50"), Spec: minuteWorld().in.CronWorkflow.Epochs[0].Spec}}
	s.restart("04:38:40", 10*time.Second)
	s.until("04:39:30").want("04:36 Unknown SpecUnknown", "04:37 Unknown SpecUnknown", "04:38 Unknown SpecUnknown", "04:39 Unknown SpecUnknown")
}

func TestWhatMayHaveBeenRemovedFromASpecBeforeItWasWatchedIsNotCertain(t *testing.T) {
	want := []string{"04:37 Unknown SpecUnknown", "04:38 Missed likely", "04:39 Missed certain"}
	edited := func(cw *auditor.CronWorkflow) { // suspended, and resumed by removing the field, at any time
		cw.Epochs = []auditor.Epoch{{From: clock("04:37:10"), Spec: cw.Epochs[0].Spec, Traceless: true}}
	}
	s := newScene(t).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime")
	edited(&s.cw)
	s.restart("04:36:40", 100*time.Second).until("04:39:30").want(want...)
	t.Run("to the next process either", func(t *testing.T) {
		s.restart("04:39:40", time.Second).until("04:39:50").want()
		open := s.state().Open
		if len(open) != 2 || open[0].Certainty != auditor.Likely || open[1].Certainty != auditor.Certain {
			t.Errorf("%+v", open)
		}
	})
}

func TestAStopThatIsLiftedIsOver(t *testing.T) {
	newScene(t).
		see("04:35:40", func(cw *auditor.CronWorkflow) { cw.Status.Stopped = true }).
		see("04:37:40", func(cw *auditor.CronWorkflow) { cw.Status.Stopped = false }).
		until("04:38:30").want("04:36 Skipped Stopped", "04:37 Skipped Stopped", "04:38 Missed certain")
}

func TestForbidIsJudgedByWhatWasActiveThen(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Policy = auditor.Forbid })
	s.see("04:35:50", func(cw *auditor.CronWorkflow) { cw.Status.Active = []string{"tick-x7k2p"} })
	s.see("04:36:10", func(cw *auditor.CronWorkflow) { cw.Status.Active = nil })
	s.see("04:37:05", func(cw *auditor.CronWorkflow) { cw.Status.Active = []string{"tick-x7k2q"} })
	s.see("04:38:05", func(cw *auditor.CronWorkflow) { cw.Status.SubmissionError = "etcdserver: leader changed" })
	s.until("04:38:40").want("04:36 Skipped Forbidden", "04:37 Missed certain", "04:38 Missed certain")
}

func TestACronWorkflowThatIsMadeAnewHasNoPast(t *testing.T) {
	for name, lost := range map[string]bool{"its end was seen": true, "its end was not seen": false} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t).run("04:36:00", "04:36:00").until("04:37:40").want("04:36 OnTime", "04:37 Missed certain")
			old := s.state()
			if lost {
				s.w.LoseCronWorkflow(tick, clock("04:37:45"))
				if _, ok := s.w.State(tick); ok || len(s.w.Keys()) > 0 {
					t.Error("it is still there")
				}
			}
			s.see("04:37:50", func(cw *auditor.CronWorkflow) {
				cw.UID, cw.CreatedAt, cw.Status = "cron-2", clock("04:37:50"), auditor.Status{}
				cw.Epochs[0].From = cw.CreatedAt
			})
			s.w.Resume(tick, old)
			s.until("04:39:30").want("04:38 Unknown SpecUnknown", "04:39 Missed certain")
			if state := s.state(); state.UID != "cron-2" || len(state.Record.Runs) != 0 {
				t.Errorf("%+v", state)
			}
		})
	}
}

func TestAMissStaysOneOverARestart(t *testing.T) {
	t.Run("certain, where a run since then would still be there", func(t *testing.T) {
		s := newScene(t).until("04:36:30").run("04:37:00", "04:37:00").until("04:37:30").want("04:36 Missed certain", "04:37 OnTime")
		s.restart("04:37:40", 10*time.Second).until("04:37:59").want()
		if open := s.state().Open; len(open) != 1 || open[0].Certainty != auditor.Certain {
			t.Errorf("%+v", open)
		}
	})
	t.Run("likely, where it could be deleted again", func(t *testing.T) {
		s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Retention.Successful = 0 })
		s.until("04:36:30").run("04:37:00", "04:37:00").until("04:37:30").want("04:36 Missed certain", "04:37 OnTime")
		s.restart("04:37:40", 10*time.Second).until("04:37:59").want("04:36 Missed likely")
	})
	t.Run("unknown, where Argo may have run it late and deleted it", func(t *testing.T) {
		s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Retention.Successful = 0 })
		s.until("04:36:30").want("04:36 Missed certain")
		s.cw.Status.LastScheduledTime = clock("04:37:00") // when nobody watches
		s.restart("04:36:40", time.Minute).until("04:37:59").want("04:36 Unknown EvidenceGone", "04:37 OnTime StatusOnly")
	})
	t.Run("likely, where Argo counts runs that nobody saw, and had counted none", func(t *testing.T) {
		s := newScene(t).until("04:36:30").want("04:36 Missed certain")
		s.cw.Status.Failed, s.cw.Status.LastScheduledTime = 2, clock("04:37:00") // of which a person retried one, with success, since
		retried := argoRun("04:37:00")
		s.w.SeeRun("default", retried, clock("04:36:40"))
		s.restart("04:36:40", time.Minute)
		s.w.SeeRun("default", retried, clock("04:37:40"))
		s.until("04:37:59").want("04:36 Missed likely", "04:37 OnTime")
	})
	t.Run("unknown, where Argo counts a run that nobody saw, of those that something deletes", func(t *testing.T) {
		s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Status.Succeeded = 7 })
		s.until("04:36:30").run("04:37:00", "04:37:00").until("04:37:30").want("04:36 Missed certain", "04:37 OnTime")
		s.cw.Status.Succeeded = 9
		s.restart("04:37:40", 10*time.Second).until("04:37:59").want("04:36 Unknown EvidenceGone")
	})
}

func TestAStandbyTakesOverWarm(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Retention.Successful = 0 })
	standby := auditor.NewWatcher(auditor.Options{})
	standby.SeeCronWorkflow(s.cw, clock("04:36:10"))
	standby.Begin(clock("04:36:10"))
	s.run("04:37:00", "04:37:00").until("04:37:30").want("04:36 Missed certain", "04:37 OnTime")
	standby.SeeRun("default", argoRun("04:37:00"), clock("04:37:00"))
	standby.SeeCronWorkflow(s.cw, clock("04:37:00"))
	state := s.state()

	s.w = standby
	s.w.SeeRun("default", argoRun("04:38:00"), clock("04:38:00"))
	s.w.LoseRun("default", argoRun("04:38:00"), clock("04:38:05"))
	s.w.Resume(tick, state)
	s.until("04:39:30").want("04:38 OnTime", "04:39 Missed certain")
	want := []auditor.Stretch{{From: clock("04:35:30"), To: clock("04:39:30")}}
	if diff := cmp.Diff(want, s.state().Coverage); diff != "" {
		t.Errorf("the two watched without a gap (-want +got):\n%s", diff)
	}
}

func TestAStateThatIsGivenTwiceIsAsOneGivenOnce(t *testing.T) {
	s := newScene(t).run("04:36:00", "04:36:00").until("04:36:30")
	s.see("04:36:40", func(cw *auditor.CronWorkflow) {
		cw.Epochs = []auditor.Epoch{{From: clock("04:36:40"), Spec: cw.Epochs[0].Spec}}
		cw.Epochs[0].Spec.Schedules = []string{"*/2 * * * *"}
	})
	s.run("04:38:00", "04:38:00").until("04:38:30")
	state := s.state()
	s.restart("04:38:40", 20*time.Second)
	s.w.Resume(tick, state)
	s.run("04:40:00", "04:40:00").until("04:42:30").want("04:36 OnTime", "04:38 OnTime", "04:40 OnTime", "04:42 Missed certain")
	if got := len(s.state().Epochs); got != 2 {
		t.Errorf("%d epochs: %+v", got, s.state().Epochs)
	}
}

func TestAnEditThatWasSeenSinceTheFirstStateIsKnownStillAfterTheSecond(t *testing.T) {
	suspended := func(from string) func(*auditor.CronWorkflow) {
		return func(cw *auditor.CronWorkflow) {
			cw.Epochs = []auditor.Epoch{{From: clock(from), Spec: cw.Epochs[0].Spec}}
			cw.Epochs[0].Spec.Suspend = true
		}
	}
	t.Run("after more gaps than are kept", func(t *testing.T) {
		s := newScene(t).run("04:36:00", "04:36:00").until("04:36:30").restart("04:36:32", time.Second)
		s.see("04:36:40", suspended("04:36:40"))
		for i := range 21 {
			at := clock("04:36:41").Add(time.Duration(i) * 500 * time.Millisecond)
			s.w.Gap(at, at.Add(100*time.Millisecond))
			s.w.SeeCronWorkflow(s.cw, at.Add(100*time.Millisecond))
		}
		s.until("04:37:40")
		s.w.Resume(tick, s.state())
		s.until("04:39:40").want("04:36 OnTime", "04:37 Unknown SpecUnknown", "04:38 Skipped Suspended", "04:39 Skipped Suspended")
	})
	t.Run("in the second in which it began", func(t *testing.T) {
		s := newScene(t).run("04:36:00", "04:36:00").until("04:36:30").restart("04:36:32", 1500*time.Millisecond)
		s.see("04:36:34", suspended("04:36:33")).until("04:37:40")
		s.w.Resume(tick, s.state())
		s.until("04:39:40").want("04:36 OnTime", "04:37 Unknown SpecUnknown", "04:38 Skipped Suspended", "04:39 Skipped Suspended")
	})
}

func TestWhatAnotherSawInAGapIsTakenInOnce(t *testing.T) {
	t.Run("runs that were active", func(t *testing.T) {
		s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Policy = auditor.Forbid }).run("04:36:00", "04:36:00").until("04:36:30")
		state := s.state()
		s.w.Gap(clock("04:37:05"), clock("04:38:40"))
		s.w.SeeCronWorkflow(s.cw, clock("04:38:40"))
		state.AuditedThrough = clock("04:37:00")
		state.Coverage = []auditor.Stretch{{From: clock("04:35:30"), To: clock("04:38:20")}}
		state.Record.Active = append(state.Record.Active, auditor.ActiveSeen{At: clock("04:38:10"), Runs: 1})
		s.w.Resume(tick, state)
		s.w.Resume(tick, s.state())
		s.until("04:40:40")
		if diff := cmp.Diff([]string{"04:39 Missed certain", "04:40 Missed certain"}, newestOf(s.said, 2)); diff != "" {
			t.Errorf("(-want +said):\n%s", diff)
		}
	})
	t.Run("that it was stopped", func(t *testing.T) {
		s := newScene(t).run("04:36:00", "04:36:00").until("04:36:30")
		state := s.state()
		state.Coverage = []auditor.Stretch{{From: clock("04:35:30"), To: clock("04:38:30")}}
		state.Record.Stopped, state.Record.Resumed = []time.Time{clock("04:36:50")}, []time.Time{clock("04:38:10")}
		s.w.Gap(clock("04:36:35"), clock("04:38:25"))
		s.w.SeeCronWorkflow(s.cw, clock("04:38:25"))
		s.w.Resume(tick, state)
		s.w.Resume(tick, s.state())
		s.until("04:38:28")
		if said := newestOf(s.said, 1); len(said) == 0 || said[0] != "04:37 Skipped Stopped" {
			t.Errorf("said %q", s.said)
		}
	})
}

func newestOf(said []string, n int) []string { return said[max(0, len(said)-n):] }

func TestARunThatAStandbySawAtFirstIsNotForgottenWhenItIsGone(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Retention.Failed = 0 }).until("04:35:40")
	state := s.state()
	s.w = auditor.NewWatcher(auditor.Options{})
	s.cw.Status.LastScheduledTime = clock("04:36:00")
	s.w.SeeCronWorkflow(s.cw, clock("04:36:10"))
	run := argoRun("04:36:00")
	run.BackfilledBy = "controller"
	s.w.SeeRun("default", run, clock("04:36:10"))
	s.w.Begin(clock("04:36:10"))
	s.w.LoseRun("default", run, clock("04:36:20"))
	s.w.Resume(tick, state)
	s.until("04:36:40").want("04:36 Backfilled")
}

func TestAGapMakesAnAbsenceLessSure(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Retention.Policy = true }).until("04:36:30").want("04:36 Missed certain")
	s.w.Gap(clock("04:36:40"), clock("04:36:50"))
	s.until("04:37:40").want("04:36 Missed likely", "04:37 Missed certain")
}

func TestWhileNewsMayBeLateNothingIsJudged(t *testing.T) {
	for name, blind := range map[string]string{"of its namespace": "default", "of all": ""} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.w.Blind([]string{blind}, clock("04:36:20"))
			if at, ok := s.w.Wake(); ok {
				t.Errorf("it wakes at %s", at)
			}
			s.until("04:38:10").want()
			if c := s.state().Coverage; !c[0].To.Equal(clock("04:36:20")) {
				t.Errorf("it is not known to be watched: %v", c)
			}
			s.w.SeeRun("default", argoRun("04:37:00"), clock("04:38:10"))
			s.w.Blind(nil, clock("04:38:10"))
			s.until("04:38:30").want("04:37 OnTime", "04:36 Missed certain", "04:38 Missed certain")
		})
	}
	t.Run("but of another", func(t *testing.T) {
		s := newScene(t)
		s.w.Blind([]string{"elsewhere"}, clock("04:36:20"))
		s.until("04:36:30").want("04:36 Missed certain")
	})
}

func TestWhatWasActiveIsKnownToTheSecondThoughTheNewsIsLate(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) {
		cw.Epochs[0].Spec.Policy = auditor.Forbid
		cw.Status.Active, cw.Status.ChangedAt = []string{"tick-x7k2p"}, clock("04:35:10")
	})
	s.w.Blind([]string{""}, clock("04:35:50"))
	s.see("04:37:20", func(cw *auditor.CronWorkflow) { cw.Status.Active, cw.Status.ChangedAt = nil, clock("04:36:20") })
	s.w.Blind(nil, clock("04:37:20"))
	s.until("04:37:30").want("04:36 Skipped Forbidden", "04:37 Missed certain")
}

func TestWhatWasJudgedInAGapIsJudgedAgain(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Retention.Successful, cw.Epochs[0].Spec.StartingDeadline = 0, 0 })
	s.until("04:37:30").want("04:36 Expired certain", "04:37 Expired certain")
	s.cw.Status.LastScheduledTime = clock("04:37:00")
	s.w.SeeCronWorkflow(s.cw, clock("04:37:40"))
	s.w.Gap(clock("04:36:40"), clock("04:37:40"))
	s.until("04:37:40").want("04:37 Late StatusOnly")
	if diff := cmp.Diff(map[auditor.Verdict]int64{auditor.Expired: 1, auditor.Late: 1}, s.state().Totals); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheFirstLookGoesBackAsFarAsSomethingCanBeSaved(t *testing.T) {
	w := minuteWorld()
	s := &scene{t: t, w: auditor.NewWatcher(auditor.Options{}), cw: w.in.CronWorkflow}
	for _, run := range w.in.Runs {
		s.w.SeeRun("default", run, w.now)
	}
	s.w.SeeCronWorkflow(s.cw, w.now)
	s.w.Begin(w.now)
	s.until("04:44:00").want("04:40 Missed certain", "04:41 Missed certain", "04:42 Missed certain", "04:43 Missed certain")
}

func TestTheFirstLookGoesBackToWhatAProcessBeforeDidNotComeTo(t *testing.T) {
	w := minuteWorld()
	s := &scene{t: t, w: auditor.NewWatcher(auditor.Options{}), cw: w.in.CronWorkflow}
	s.cw.Status.LastScheduledTime, s.cw.Status.Intended = clock("04:42:00"), clock("04:42:00")
	s.w.SeeCronWorkflow(s.cw, w.now)
	s.w.Begin(w.now)
	s.until("04:44:00").want("04:42 Missed certain", "04:43 Missed certain")
}

func TestALongAbsenceIsSaidOnce(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.CreatedAt, cw.Epochs[0].From = clock("00:00:30"), clock("00:00:30") })
	s.cw.Status.LastScheduledTime = clock("23:00:00") // ran on
	s.restart("04:35:40", 1001*time.Minute+4*time.Minute).until("21:20:40")
	if s.said[0] != "04:40 Unknown EvidenceGone" || len(s.said) != 1001 {
		t.Errorf("%d verdicts, the first is %s", len(s.said), s.said[0])
	}
	if state := s.state(); state.Totals[auditor.Unknown] < 5 || !state.AuditedThrough.Equal(clock("21:20:00")) {
		t.Errorf("%v through %s", state.Totals, state.AuditedThrough)
	}
}

func TestOfTooManyMissesTheOldestAreGivenUp(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.StartingDeadline = 24 * time.Hour })
	s.until("09:37:30")
	state := s.state()
	if len(state.Open) != auditor.MaxOpen || state.Totals[auditor.GaveUp] != 2 {
		t.Errorf("%d are open: %v", len(state.Open), state.Totals)
	}
	if !slices.Contains(s.said, "04:37 GaveUp TooManyMissed certain") || slices.Contains(s.said, "04:38 GaveUp TooManyMissed certain") {
		t.Errorf("the last were: %q", s.said[len(s.said)-4:])
	}
}

func TestRunsOfAnEveryScheduleAreCounted(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"@every 90s"} })
	s.run("04:36:12", "04:36:12").run("04:37:44", "04:37:44").until("04:37:44").want("04:36 OnTime", "04:37 OnTime")
	if state := s.state(); state.Totals[auditor.OnTime] != 2 || !state.AuditedThrough.Equal(clock("04:37:44")) {
		t.Errorf("%+v", state)
	}
	s.until("05:00:44")
	if s.last.Stuck != "" {
		t.Errorf("too early: %s", s.last.Stuck)
	}
	if s.until("05:00:45"); !strings.Contains(s.last.Stuck, "ScheduleStuck") {
		t.Errorf("nothing has run for two periods and 20 minutes: %+v", s.last)
	}
	if at, ok := s.w.Wake(); ok {
		t.Errorf("nothing is due any more, but it wakes at %s", at)
	}
	if s.run("05:10:00", "05:10:00").until("05:10:00"); s.last.Stuck != "" {
		t.Errorf("it runs again: %s", s.last.Stuck)
	}
}

// Where Argo's clock is a little ahead and the grace is short, all that the controller writes comes before the scheduled time or after
// the grace.
func TestAScheduleIsStuckThoughNoWriteFallsIntoTheGrace(t *testing.T) {
	s := newScene(t)
	for _, at := range []string{"04:35:57", "04:36:42", "04:36:57", "04:37:42", "04:37:57"} {
		s.until(at)
		s.w.SeeController("", auditor.Controller{Writes: []time.Time{clock(at)}}, clock(at))
	}
	if s.until("04:38:30"); !strings.Contains(s.last.Stuck, "ScheduleStuck") {
		t.Errorf("%+v", s.last)
	}
}

func TestAScheduleForWhichTheControllerDoesNothingIsStuck(t *testing.T) {
	s := newScene(t)
	for _, at := range []string{"04:36:01", "04:37:01"} {
		s.until(at)
		s.w.SeeController("", auditor.Controller{Writes: []time.Time{clock(at)}}, clock(at))
	}
	if s.until("04:37:30"); !strings.Contains(s.last.Stuck, "ScheduleStuck") {
		t.Errorf("%+v", s.last)
	}
	if s.run("04:38:00", "04:38:00").until("04:38:30"); s.last.Stuck != "" {
		t.Errorf("it runs again: %s", s.last.Stuck)
	}
}

func TestAStuckScheduleStaysStuckFromOneFiringToTheNext(t *testing.T) {
	s := newScene(t)
	stuck := false
	for at := clock("04:35:30"); at.Before(clock("04:42:00")); at = at.Add(5 * time.Second) {
		lease := &auditor.Lease{Holder: "argo", AcquiredAt: clock("04:00:00"), RenewedAt: at.Add(-3 * time.Second), Duration: 15 * time.Second}
		s.w.SeeController("", auditor.Controller{Lease: lease, Writes: []time.Time{clock("04:35:00")}}, at)
		s.until(at.Format("15:04:05"))
		if stuck && s.last.Stuck == "" {
			t.Errorf("at %s it moves though nothing has run", at.Format("15:04:05"))
		}
		stuck = s.last.Stuck != ""
	}
	if !stuck {
		t.Error("it is not stuck")
	}
}

func TestNothingIsStuckThatIsNotToRun(t *testing.T) {
	for name, edit := range map[string]func(*auditor.CronWorkflow){
		"suspended":              func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Suspend = true },
		"stopped":                func(cw *auditor.CronWorkflow) { cw.Status.Stopped = true },
		"left out":               func(cw *auditor.CronWorkflow) { cw.Settings.Off = true },
		"edited to run by night": func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"0 2 * * *"} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"*/5 * * * *"} })
			for _, at := range []string{"04:40:01", "04:45:01"} {
				s.until(at)
				s.w.SeeController("", auditor.Controller{Writes: []time.Time{clock(at)}}, clock(at))
			}
			if s.until("04:46:30"); s.last.Stuck == "" {
				t.Fatal("it is not stuck before that")
			}
			s.see("04:47:40", func(cw *auditor.CronWorkflow) {
				cw.Epochs[0].From = clock("04:47:39")
				edit(cw)
			})
			if s.until("05:30:00"); s.last.Stuck != "" {
				t.Errorf("it is called stuck: %s", s.last.Stuck)
			}
		})
	}
}

func TestWhatIsLeftOutIsNotLostAfterwards(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.StartingDeadline = 10 * time.Minute }).until("04:36:40")
	s.see("04:36:50", func(cw *auditor.CronWorkflow) { cw.Settings.Off = true })
	s.until("04:50:00").want("04:36 Missed certain")
	if open := s.state().Open; len(open) > 0 {
		t.Errorf("open: %v", open)
	}
}

func TestTheCauseOfALossIsFoundOutWhenArgosLeaseTurnsOutToHaveRunOut(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) {
		cw.Settings.Grace = 10 * time.Second
		cw.Epochs[0].Spec.Schedules = []string{"36 4 * * *"}
	})
	reads := func(hms string) {
		s.until(hms)
		lease := &auditor.Lease{Holder: "argo", AcquiredAt: clock("04:00:00"), RenewedAt: clock("04:35:50"), Duration: 15 * time.Second, ReadAt: clock(hms)}
		s.w.SeeController("", auditor.Controller{Lease: lease, Writes: []time.Time{clock("04:35:00")}}, clock(hms))
	}
	cause := func() auditor.Cause { return s.state().Open[0].Cause }
	reads("04:36:04")
	if s.until("04:36:15"); cause() != auditor.Undetermined {
		t.Errorf("before the lease is read again: %s", cause())
	}
	reads("04:36:19")
	if s.until("04:36:40"); cause() != auditor.ControllerDown {
		t.Errorf("when it has been read again: %s", cause())
	}
}

func TestALeaseThatWasNotReadAgainHasNotRunOut(t *testing.T) {
	s := newScene(t, func(cw *auditor.CronWorkflow) { cw.Settings.Grace = 10 * time.Second })
	for at := clock("04:35:58"); at.Before(clock("04:42:00")); at = at.Add(15 * time.Second) {
		lease := &auditor.Lease{Holder: "argo", AcquiredAt: clock("04:00:00"), RenewedAt: at.Add(-4 * time.Second), Duration: 15 * time.Second, ReadAt: at}
		s.w.SeeController("", auditor.Controller{Lease: lease, Writes: []time.Time{clock("04:35:00")}}, at)
		s.until(at.Add(14 * time.Second).Format("15:04:05"))
		for _, finding := range s.state().Open {
			if finding.Cause == auditor.ControllerDown {
				t.Errorf("at %s: %+v", at.Format("15:04:05"), finding)
			}
		}
	}
	if s.last.Stuck == "" {
		t.Error("it is not stuck")
	}
}

func TestWhatCannotBeJudgedIsSaidOnceAndHasNoFirings(t *testing.T) {
	for name, c := range map[string]struct {
		given func(*auditor.CronWorkflow)
		says  string
	}{
		"a name that Argo never schedules": {func(cw *auditor.CronWorkflow) { cw.Name = strings.Repeat("x", 53) }, "53 characters"},
		"a schedule that does not parse":   {func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"61 * * * *"} }, "61 * * * *"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.given).until("04:40:00").want()
			if s.last.Err == nil || !strings.Contains(s.last.Err.Error(), c.says) {
				t.Errorf("%v", s.last.Err)
			}
		})
	}
	t.Run("until it is put right", func(t *testing.T) {
		s := newScene(t).run("04:36:00", "04:36:00")
		s.see("04:36:40", func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"61 * * * *"} })
		s.see("04:38:20", func(cw *auditor.CronWorkflow) { cw.Epochs[0].Spec.Schedules = []string{"* * * * *"} })
		s.until("04:39:30").want("04:36 OnTime", "04:37 Unknown SpecUnknown", "04:38 Unknown SpecUnknown", "04:39 Missed certain")
		if s.last.Err != nil {
			t.Error(s.last.Err)
		}
	})
}

func TestAnAuditThatIsSwitchedOffBeginsAnewWhenItIsSwitchedOn(t *testing.T) {
	newScene(t).run("04:36:00", "04:36:00").until("04:36:30").want("04:36 OnTime").
		see("04:36:40", func(cw *auditor.CronWorkflow) { cw.Settings.Off = true }).until("04:40:40").want().
		see("04:40:40", func(cw *auditor.CronWorkflow) { cw.Settings.Off = false }).until("04:41:30").want("04:41 Missed certain")
}

func TestTheInputOfAWatcherGivesItsVerdicts(t *testing.T) {
	s := newScene(t).run("04:36:00", "04:36:00").until("04:37:30").want("04:36 OnTime", "04:37 Missed certain")
	in, ok := s.w.Input(tick)
	if !ok {
		t.Fatal("no input")
	}
	report, err := auditor.Audit(in, auditor.Window{From: clock("04:35:30"), To: clock("04:37:30")}, clock("04:37:30"), auditor.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]auditor.Verdict{"04:36": auditor.OnTime, "04:37": auditor.Missed}, verdicts(report)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
