package operator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall.dev/rollcall/auditor"
)

// midnight is when every world begins: later than a bubble's time does, since firings begin in 2015.
var midnight = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// until waits until a time of the world's first day, and then for what happens at that time.
func until(clock string) {
	var hour, minute, second time.Duration
	if _, err := fmt.Sscanf(clock, "%d:%d:%d", &hour, &minute, &second); err != nil {
		panic(err)
	}
	time.Sleep(time.Until(midnight.Add(hour*time.Hour + minute*time.Minute + second*time.Second)))
	synctest.Wait()
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// at is a minute after midnight, tickOf the name of tick's run of it.
func at(minute int) time.Time { return midnight.Add(time.Duration(minute) * time.Minute) }

func tickOf(minute int) string { return auditor.WorkflowName("tick", at(minute)) }

func TestAMissIsOnRecordBeforeItIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick"))
		p := w.starts(t)
		p.leads <- true
		until("00:01:00")
		w.run("tick", at(1))
		until("00:01:59")
		w.did()
		until("00:02:11")
		// What is saved for later, and what is saved of the run, comes when the watch tells of it.
		did := w.did("urgent", "create", "change")
		expect(t, "writes", did[:min(len(did), 4)],
			"urgent tick 00:02",
			"urgent tick 00:02 tried 00:02 1",
			"create "+tickOf(2),
			"change tick last=00:02 active",
		)
		expect(t, "events", w.events(), "RunMissed tick true", "RunBackfilled tick false")
		if state := w.records[key("tick")]; state.Totals[auditor.Backfilled] != 1 || len(state.Open) > 0 {
			t.Errorf("the record is %+v", state)
		}
	})
}

func TestAFiringThatRanNeedsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick"))
		p := w.starts(t)
		p.leads <- true
		until("00:01:00")
		w.did()
		w.run("tick", at(1))
		until("00:01:59")
		expect(t, "requests", w.did("save", "urgent", "create", "change", "look", "find", "lastlook", "present"), "save tick")
		expect(t, "events", w.events())
	})
}

func TestTenThousandCronWorkflowsThatAreNotDueCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 10_000 {
			w.put(everyMinute("tick-"+string(rune('a'+i%26))+strings.Repeat("x", i/26%20)+"-"+time.Duration(i).String(), spec(func(s *auditor.Spec) { s.Schedules = []string{"0 12 * * *"} })))
		}
		p := w.starts(t)
		p.leads <- true
		until("00:01:00")
		w.did()
		until("01:01:00")
		if did := w.did("save", "urgent", "create", "change", "look", "find", "lastlook", "present", "load"); len(did) > 0 {
			t.Errorf("requests in an hour in which nothing was due: %q", did)
		}
	})
}

func TestNothingIsRecoveredThatIsNotOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		p.leads <- true
		synctest.Wait()
		w.fails("urgent", errors.New("etcdserver: no leader"))
		until("00:03:00")
		if did := w.did("create", "change"); len(did) > 0 {
			t.Errorf("done without a record: %q", did)
		}
		w.fails("urgent", nil)
		until("00:04:00")
		expect(t, "runs made", w.did("create"), "create "+tickOf(1))
	})
}

func TestWhileTheRecordCannotBeReadNothingIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		w.fails("load", errors.New("connection refused"))
		p := w.starts(t)
		p.leads <- true
		until("00:02:00")
		if did := w.did("save", "urgent", "create", "lastlook"); len(did) > 0 {
			t.Errorf("judged without knowing what was: %q", did)
		}
		w.fails("load", nil)
		until("00:03:30")
		expect(t, "runs made", w.did("create"), "create "+tickOf(1))
	})
}

func TestOnlyTheLeaderActsAndTheNextGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1,2 * * * *"} })))
		first, second := w.starts(t), w.starts(t)
		first.leads <- true
		until("00:01:30")
		expect(t, "made by the first", w.did("create"), "create "+tickOf(1))
		first.leads <- false
		second.leads <- true
		until("00:02:30")
		expect(t, "made by the second", w.did("create"), "create "+tickOf(2))
		if totals := w.records[key("tick")].Totals; totals[auditor.Backfilled] != 2 {
			t.Errorf("on record are %v", totals)
		}
	})
}

func TestARunWhoseStatusWasNotWrittenGetsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		first := w.starts(t)
		first.leads <- true
		synctest.Wait()
		w.fails("change", errors.New("connection refused"))
		until("00:01:15")
		first.leads <- false
		first.stop()
		w.fails("change", nil)
		w.did()
		second := w.starts(t)
		second.leads <- true
		until("00:02:00")
		expect(t, "writes", w.did("create", "change"), "change tick last=00:01 active")
	})
}

func TestTheTimeOfARunThatIsGoneIsStillMovedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		p.leads <- true
		synctest.Wait()
		w.fails("change", errors.New("connection refused"))
		until("00:01:15")
		w.delete(tickOf(1))
		w.fails("change", nil)
		w.did()
		until("00:03:00")
		expect(t, "writes", w.did("create", "change"), "change tick last=00:01")
	})
}

func TestARecordThatAnotherWroteIsReadAgainBeforeAnythingIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		p.leads <- true
		until("00:01:05")
		w.mu.Lock()
		w.revised[key("tick")]++
		w.mu.Unlock()
		until("00:01:30")
		did := w.did("reload", "create")
		expect(t, "requests", did, "reload tick", "create "+tickOf(1))
	})
}

func TestWhatWasSeenHereIsKnownStillWhenTheRecordIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1,3,4 0 1 * *"} }),
			func(cw *auditor.CronWorkflow) { cw.Retention.TTL = 10 * time.Second }))
		p := w.starts(t)
		p.leads <- true
		until("00:01:01")
		w.run("tick", at(1))
		until("00:02:50")
		w.fails("reload", errors.New("no answer"))
		w.mu.Lock()
		w.revised[key("tick")]++
		w.mu.Unlock()
		until("00:03:01")
		w.run("tick", at(3))
		w.finish()
		w.delete(tickOf(3))
		until("00:04:01")
		w.run("tick", at(4))
		until("00:04:05")
		w.fails("reload", nil)
		until("00:08:00")
		w.mu.Lock()
		defer w.mu.Unlock()
		if got := w.records[key("tick")].Totals; got[auditor.OnTime] != 3 || got[auditor.Unknown]+got[auditor.Missed] > 0 {
			t.Errorf("on record are %v", got)
		}
	})
}

func TestABlockedRecoveryIsSaidOnceAndTriedEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		p.leads <- true
		synctest.Wait()
		w.fails("create", forbidden("workflows", "tick", "exceeded quota"))
		until("00:05:00")
		if n := len(w.did("create")); n < 3 || n > 5 {
			t.Errorf("%d attempts in four minutes", n)
		}
		expect(t, "events", w.events(), "RunMissed tick true", "BackfillBlocked tick true")
		expect(t, "alerts", w.ringing[key("tick")], "RollcallBackfillBlocked")
		w.fails("create", nil)
		until("00:06:10")
		expect(t, "runs made", w.did("create"), "create "+tickOf(1))
		expect(t, "events", w.events(), "RunBackfilled tick false")
		expect(t, "alerts", w.ringing[key("tick")])
	})
}

func TestWhatIsBlockedUntilItsDeadlineIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 0 1 * *"} })))
		p := w.starts(t)
		p.leads <- true
		synctest.Wait()
		w.fails("create", forbidden("workflows", "tick", "exceeded quota"))
		until("00:12:00")
		expect(t, "events", w.events(), "RunMissed tick true", "BackfillBlocked tick true", "BackfillGaveUp tick true")
		expect(t, "alerts", w.ringing[key("tick")], "RollcallRunLost")
		if totals := w.records[key("tick")].Totals; totals[auditor.GaveUp] != 1 {
			t.Errorf("on record are %v", totals)
		}
		until("24:10:50")
		expect(t, "alerts for a day", w.ringing[key("tick")], "RollcallRunLost")
		until("24:11:20")
		expect(t, "alerts after a day", w.ringing[key("tick")])
	})
}

func TestADryRunSaysWhatItWouldDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t, func(o *Options) { o.Backfill = auditor.BackfillDryRun })
		p.leads <- true
		until("00:05:00")
		expect(t, "writes", w.did("create", "change"))
		expect(t, "events", w.events(), "RunMissed tick true", "RunMissed tick true")
		recoveries := w.records[key("tick")].Record.Recoveries
		if len(recoveries) != 1 || recoveries[0].Attempts != 0 || !strings.Contains(recoveries[0].LastError, "would create") {
			t.Errorf("on record are %+v", recoveries)
		}
		until("00:12:00")
		if totals := w.records[key("tick")].Totals; totals[auditor.Expired] != 1 {
			t.Errorf("on record are %v", totals)
		}
	})
}

func TestTheAnnotationGoesBeforeTheFlagAndHoldsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} }), func(cw *auditor.CronWorkflow) { cw.Settings.Backfill = auditor.BackfillOff }))
		p := w.starts(t)
		p.leads <- true
		until("00:03:00")
		expect(t, "requests", w.did("create", "change", "look"))
		w.change("tick", func(cw *auditor.CronWorkflow) { cw.Settings.Backfill = "" })
		until("00:03:01")
		expect(t, "runs made", w.did("create"), "create "+tickOf(1))
	})
}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		p.leads <- true
		synctest.Wait()
		w.fails("create", forbidden("workflows", "tick", "exceeded quota"))
		until("00:02:00")
		w.remove("tick")
		synctest.Wait()
		w.did()
		families, err := p.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, m := range family.Metric {
				for _, label := range m.Label {
					if label.GetValue() == "tick" {
						t.Errorf("%s is still there", family.GetName())
					}
				}
			}
		}
		if _, ok := w.ringing[key("tick")]; ok {
			t.Error("its alerts are still there")
		}
		until("00:20:00")
		expect(t, "requests", w.did("create", "change", "look", "urgent", "save"))
	})
}

func TestAThousandMissesAreMadeUpForInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var names []string
		for i := range 1000 {
			names = append(names, "tick-"+time.Duration(i).String())
			w.put(everyMinute(names[i], spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		}
		p := w.starts(t)
		p.leads <- true
		until("00:11:00")
		created := w.did("create")
		slices.Sort(created)
		if n := len(slices.Compact(created)); n != 1000 || len(created) != 1000 {
			t.Errorf("%d creates of %d runs", len(created), n)
		}
	})
}

func TestWhileNewsMayBeLateNothingIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		p.leads <- true
		until("00:00:50")
		w.did()
		w.blind("")
		until("00:02:00")
		expect(t, "requests", w.did("lastlook", "create", "save", "urgent"))
		w.blind()
		until("00:02:10")
		expect(t, "runs made", w.did("create"), "create "+tickOf(1))
	})
}

func TestWhatIsMissedMayHaveRunWhereNewsIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		w.fails("create", forbidden("workflows", "tick", "exceeded quota")) // to be tried again in a minute
		p.leads <- true
		until("00:01:30")
		w.blind("")
		w.fails("create", nil)
		w.did()
		until("00:04:00")
		expect(t, "requests", w.did("look", "create"))
		w.blind()
		until("00:05:10")
		expect(t, "runs made", w.did("create"), "create "+tickOf(1))
	})
}

func TestARunIsMadeOnceThoughTheWatchNeverTellsOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1,2 * * * *"} })))
		p := w.starts(t)
		w.fails("create", forbidden("workflows", "tick", "exceeded quota"))
		p.leads <- true
		until("00:02:30")
		w.did()
		w.mu.Lock()
		w.silent = true
		w.mu.Unlock()
		w.fails("create", nil)
		until("00:03:40")
		w.finish()
		w.delete(tickOf(1))
		w.delete(tickOf(2))
		until("00:08:00")
		expect(t, "runs made", w.did("create"), "create "+tickOf(2), "create "+tickOf(1))
	})
}

func TestARecordClaimsNothingOfTheTimeInWhichAWatchWasFoundSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		tick := everyMinute("tick")
		wrote := func(silent bool) { // Argo's status of a run that has come and gone
			w.mu.Lock()
			w.silent = silent
			tick.Status.LastScheduledTime = time.Now().UTC().Truncate(time.Minute)
			tick.Status.WrittenAt = time.Now().UTC()
			w.putLocked(tick)
			w.mu.Unlock()
		}
		w.put(tick)
		p := w.starts(t)
		p.leads <- true
		until("00:01:01")
		wrote(true)
		coverage := func() (last auditor.Stretch) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, last = range w.records[key("tick")].Coverage {
			}
			return last
		}
		until("00:06:10")
		if got := coverage(); got.To.After(midnight.Add(time.Minute)) {
			t.Errorf("it claims to have watched until %s", stamp(got.To))
		}
		wrote(false)
		until("00:08:10")
		if got := coverage(); got.From.Before(midnight.Add(6*time.Minute)) || got.To.Before(midnight.Add(8*time.Minute)) {
			t.Errorf("it claims to have watched from %s to %s", stamp(got.From), stamp(got.To))
		}
	})
}

func TestUnderForbidNothingWaitsForArgoThatCouldCostALiveFiring(t *testing.T) {
	for name, c := range map[string]struct {
		spec     func(*auditor.Spec)
		deadline time.Duration
		want     []string // before Argo is back
	}{
		"without a starting deadline of its own":    {func(s *auditor.Spec) { s.Policy, s.StartingDeadline = auditor.Forbid, 0 }, 10 * time.Minute, nil},
		"with one, Argo makes up for what it skips": {func(s *auditor.Spec) { s.Policy = auditor.Forbid }, 0, []string{"create " + tickOf(1)}},
		"under Allow nothing is skipped":            {func(s *auditor.Spec) { s.StartingDeadline = 0 }, 10 * time.Minute, []string{"create " + tickOf(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.put(everyMinute("tick", spec(c.spec), spec(func(s *auditor.Spec) { s.Schedules = []string{"1,9 * * * *"} }),
					func(cw *auditor.CronWorkflow) { cw.Settings.Deadline = c.deadline }))
				p := w.starts(t)
				p.leads <- true
				until("00:00:30")
				w.lives()
				until("00:04:00")
				expect(t, "runs made while Argo was away", w.did("create"), c.want...)
				w.lives()
				until("00:04:10")
				expect(t, "runs made since", append(c.want, w.did("create")...), "create "+tickOf(1))
			})
		})
	}
}

func TestALastLookThatFailsIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		p.leads <- true
		synctest.Wait()
		w.fails("lastlook", errors.New("connection refused"))
		until("00:02:00")
		if n := len(w.did("lastlook")); n < 3 || n > 6 {
			t.Errorf("%d looks in 50 s", n)
		}
		expect(t, "events", w.events())
		w.fails("lastlook", nil)
		until("00:02:15")
		expect(t, "runs made", w.did("create"), "create "+tickOf(1))
	})
}

func TestAGracefulStopEndsWhatIsUnderWayAndRecordsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		p.leads <- true
		synctest.Wait()
		w.fails("create", errors.New("connection refused"))
		until("00:01:30")
		w.did()
		began := time.Now()
		p.stop()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
		did := w.did("create", "save", "urgent")
		if n := len(did); n == 0 || !strings.HasPrefix(did[n-1], "save tick 00:01 tried 00:01 ") {
			t.Errorf("at the end: %q", did)
		}
	})
}

func TestAScheduleThatIsStuckIsSaidAndTouchedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"@every 1m"} })))
		p := w.starts(t)
		p.leads <- true
		until("00:01:00")
		w.run("tick", at(1))
		w.finish()
		until("00:20:00")
		w.did()
		for range 60 { // Argo lives
			time.Sleep(time.Minute)
			w.lives()
		}
		expect(t, "events", w.events(), "ScheduleStuck tick true")
		if did := w.did("create", "change"); len(did) == 0 || len(did) > 10 || did[0] != "change tick touched" {
			t.Errorf("writes in an hour: %q", did)
		}
	})
}
