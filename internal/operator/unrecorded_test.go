package operator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record"
)

func TestARecordThatCannotBeWrittenBlocksRecoveriesIfSomebodyHasToAct(t *testing.T) {
	once := spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })
	off := func(cw *auditor.CronWorkflow) { cw.Settings.Backfill = auditor.BackfillOff }
	for name, tc := range map[string]struct {
		err    error
		refuse string // which saves
		cron   []func(*auditor.CronWorkflow)
		blocks bool
	}{
		"the kind is not installed":                   {record.ErrNotInstalled, "", nil, true},
		"it is not permitted":                         {record.ErrForbidden, "", nil, true},
		"the schema is of another release":            {record.ErrSchema, "", nil, true},
		"the attempt cannot be recorded":              {record.ErrForbidden, "tried", nil, true},
		"the API server is away":                      {record.ErrUnreachable, "", nil, false},
		"the API server is away for the attempt":      {record.ErrUnreachable, "tried", nil, false},
		"where nothing is recovered, it is no matter": {record.ErrForbidden, "", []func(*auditor.CronWorkflow){off}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.put(everyMinute("tick", append(slices.Clone(tc.cron), once)...))
				p := w.starts(t)
				p.leads <- true
				synctest.Wait()
				w.mu.Lock()
				w.refuse["urgent"] = func() error {
					if request := w.done[len(w.done)-1]; !strings.Contains(request, tc.refuse) {
						return nil
					}
					return fmt.Errorf("write the record of CronWorkflow default/tick: %w: no", tc.err)
				}
				w.mu.Unlock()
				until("00:05:00")
				if did := w.did("create", "change"); len(did) > 0 {
					t.Errorf("done without a record: %q", did)
				}
				events, alerts, gauge := []string{"RunMissed tick true"}, []string(nil), 0.0
				if tc.blocks {
					events, alerts, gauge = append(events, "BackfillBlocked tick true"), []string{"RollcallBackfillBlocked"}, 1
				}
				expect(t, "events", w.events(), events...)
				expect(t, "alerts", w.ringing[key("tick")], alerts...)
				if got := p.gauge(t, "rollcall_backfill_blocked"); got != gauge {
					t.Errorf("rollcall_backfill_blocked is %v, want %v", got, gauge)
				}

				w.fails("urgent", nil)
				until("00:09:00")
				if tc.cron == nil {
					expect(t, "runs made", w.did("create"), "create "+tickOf(1))
				}
				expect(t, "alerts", w.ringing[key("tick")])
				if got := p.gauge(t, "rollcall_backfill_blocked"); got != 0 {
					t.Errorf("rollcall_backfill_blocked is %v when the record can be written", got)
				}
			})
		})
	}
}

func TestARecoveryThatMayGoOnAndWaitsForRoomIsNotBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules, s.Policy = []string{"1,2 0 1 * *"}, auditor.Forbid })))
		p := w.starts(t)
		p.leads <- true
		until("00:01:00")
		w.run("tick", at(1))
		until("00:01:05")
		w.change("tick", func(cw *auditor.CronWorkflow) { cw.Status.Active = nil }) // Argo does not count it
		w.fails("urgent", record.ErrForbidden)
		until("00:04:00")
		expect(t, "events", w.events(), "RunMissed tick true", "BackfillBlocked tick true")
		w.fails("urgent", nil)
		until("00:06:00")
		expect(t, "runs made beside another", w.did("create"))
		expect(t, "alerts", w.ringing[key("tick")])
		if got := p.gauge(t, "rollcall_backfill_blocked"); got != 0 {
			t.Errorf("rollcall_backfill_blocked is %v", got)
		}
	})
}

func TestWhatIsLostWithoutARecordIsBlockedNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1,31 0 1 * *"} })))
		p := w.starts(t)
		p.leads <- true
		synctest.Wait()
		w.fails("urgent", record.ErrForbidden)
		until("00:12:00")
		expect(t, "events", w.events(), "RunMissed tick true", "BackfillBlocked tick true", "RunExpired tick true")
		if got := p.gauge(t, "rollcall_backfill_blocked"); got != 0 {
			t.Errorf("rollcall_backfill_blocked is %v when nothing can be recovered any more", got)
		}
		until("00:35:00")
		expect(t, "events of the next", w.events(), "RunMissed tick true", "BackfillBlocked tick true")
	})
}

func TestWhatIsOnlyLikelyMissedIsBlockedByNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		// Of the firing of 00:01 a run may have come and gone while no Rollcall ran; of that of 00:07 it sees that there is none.
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1,7 0 1 * *"} }),
			func(cw *auditor.CronWorkflow) { cw.Retention.TTL = 10 * time.Second }))
		before := w.starts(t)
		before.leads <- true
		until("00:00:30")
		before.stop()
		until("00:05:00")
		w.fails("urgent", record.ErrForbidden)
		p := w.starts(t)
		p.leads <- true
		until("00:07:00")
		expect(t, "events", w.events(), "RunMissed tick false")
		if got := p.gauge(t, "rollcall_backfill_blocked"); got != 0 {
			t.Errorf("rollcall_backfill_blocked is %v where nothing is recovered", got)
		}
		until("00:09:00")
		expect(t, "events when one is certain", w.events(), "RunMissed tick true", "BackfillBlocked tick true")
		if last := w.messages[len(w.messages)-1]; !strings.Contains(last, "The firing of "+stamp(at(7))) {
			t.Errorf("the Event says: %s", last)
		}
		w.run("tick", at(7))
		until("00:10:00")
		if got := p.gauge(t, "rollcall_backfill_blocked"); got != 0 {
			t.Errorf("rollcall_backfill_blocked is %v when the one that was certain has run", got)
		}
	})
}

// What was missed meanwhile is recovered when that has been done.
func TestTheRollIsCalledWithoutARecordThatSomebodyHasToMakePossible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		for _, kind := range []string{"load", "save", "urgent"} {
			w.fails(kind, fmt.Errorf("read the records in all namespaces: %w", record.ErrNotInstalled))
		}
		p := w.starts(t)
		p.leads <- true
		until("00:05:00")
		if loads := len(w.did("load")); loads < 5 || loads > 12 {
			t.Errorf("the record was asked for %d times in five minutes, want at least once a minute and few more", loads)
		}
		expect(t, "events", w.events(), "RunMissed tick true", "BackfillBlocked tick true")
		for _, kind := range []string{"load", "save", "urgent"} {
			w.fails(kind, nil)
		}
		until("00:06:05")
		expect(t, "runs made", w.did("create"), "create "+tickOf(1))
		if _, ok := w.records[key("tick")]; !ok {
			t.Error("there is no record")
		}
	})
}
