package operator

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/auditor"
)

func count(requests []string, kind string) (n int) {
	for _, request := range requests {
		if strings.HasPrefix(request, kind+" ") {
			n++
		}
	}
	return n
}

func TestARunOfThreeHoursUnderForbidIsNotAskedAboutAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) {
			s.Schedules, s.Policy, s.StartingDeadline = []string{"1,3 0 1 1 *"}, auditor.Forbid, 4*time.Hour
		})))
		p := w.starts(t)
		p.leads <- true
		until("00:01:00")
		w.run("tick", at(1))
		w.finish()
		until("00:03:05")
		w.mu.Lock()
		w.putRun(auditor.Run{Name: "tick-by-hand", UID: "by-hand", Owner: "uid-tick", Controlled: true, CronLabel: "tick", CreatedAt: time.Now().UTC(), StartedAt: time.Now().UTC()})
		w.mu.Unlock()
		until("00:03:20")
		w.did()
		for range 3 * 3600 { // each step of a long Workflow changes it
			time.Sleep(time.Second)
			w.mu.Lock()
			w.putRun(w.runs["default"]["tick-by-hand"])
			w.mu.Unlock()
		}
		w.mu.Lock()
		done := w.done
		w.done = nil
		w.mu.Unlock()
		t.Logf("looks %d finds %d urgent %d saves %d", count(done, "look"), count(done, "find"), count(done, "urgent"), count(done, "save"))
		if n := count(done, "look"); n > 3*60*2 {
			t.Errorf("%d looks in three hours", n)
		}
		w.finish()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := count(w.did("create"), "create"); n != 1 {
			t.Errorf("%d runs made when there was room", n)
		}
	})
}

// lines counts what is logged.
type lines struct{ n atomic.Int64 }

func (l *lines) Write(p []byte) (int, error) { l.n.Add(1); return len(p), nil }

func TestAQuotaThatIsBrokenForADayIsNotMadeWorse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.StartingDeadline = time.Hour })))
		logged := &lines{}
		p := w.starts(t, func(o *Options) { o.Log = slog.New(slog.NewJSONHandler(logged, nil)) })
		p.leads <- true
		synctest.Wait()
		w.mu.Lock()
		w.refuse["create"] = func() error {
			request := w.done[len(w.done)-1]
			return forbidden("workflows", strings.TrimPrefix(request, "create "), fmt.Sprintf("exceeded quota: q, used: pods=%d", time.Now().Minute()))
		}
		w.mu.Unlock()
		until("02:05:00")
		w.did()
		w.events()
		before := logged.n.Load()
		until("02:15:00")
		w.mu.Lock()
		done := w.done
		w.done = nil
		w.mu.Unlock()
		var blocked int
		var told []string
		for _, e := range w.events() {
			if strings.HasPrefix(e, "BackfillBlocked") {
				blocked++
				told = append(told, e)
			}
		}
		t.Logf("ten minutes: looks %d finds %d creates %d urgent %d saves %d lines %d blocked events %d", count(done, "look"), count(done, "find"),
			count(done, "create"), count(done, "urgent"), count(done, "save"), logged.n.Load()-before, blocked)
		if n := count(done, "create"); n > 25 {
			t.Errorf("%d creates in ten minutes", n)
		}
		if blocked > 1 {
			t.Errorf("said %d times in ten minutes: %q", blocked, told)
		}
		w.fails("create", nil)
		until("02:20:00")
		created := map[string]bool{}
		for _, c := range w.did("create") {
			created[c] = true
		}
		t.Logf("%d made", len(created))
	})
}

func TestADryRunAsksOnceAboutEachFiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.StartingDeadline = 2 * time.Hour })))
		p := w.starts(t, func(o *Options) { o.Backfill = auditor.BackfillDryRun })
		p.leads <- true
		until("03:00:00")
		w.did()
		until("04:00:00")
		w.mu.Lock()
		done := w.done
		w.done = nil
		w.mu.Unlock()
		t.Logf("an hour: looks %d finds %d", count(done, "look"), count(done, "find"))
		if n := count(done, "look"); n > 70 {
			t.Errorf("%d looks in an hour in which sixty firings were missed", n)
		}
	})
}

func TestWhileTheAPIServerIsAwayLittleIsAskedAndNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 100 {
			w.put(everyMinute(fmt.Sprintf("tick-%d", i), spec(onceAtOne)))
		}
		p := w.starts(t)
		p.leads <- true
		until("00:01:11")
		for _, kind := range []string{"save", "urgent", "look", "find", "create", "change", "lastlook", "present", "load", "reload"} {
			w.fails(kind, errors.New("connection refused"))
		}
		w.did("create")
		until("00:05:00")
		w.mu.Lock()
		done := len(w.done)
		w.done = nil
		clear(w.refuse)
		w.mu.Unlock()
		t.Logf("%d requests of 100 CronWorkflows in four minutes", done)
		until("00:10:50")
		if n := len(w.runs["default"]); n != 100 {
			t.Errorf("%d runs of 100", n)
		}
	})
}
