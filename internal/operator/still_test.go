package operator

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// frozen is a world whose process can be stopped where it next asks for the time.
type frozen struct {
	*world
	until time.Time
}

func (f *frozen) Now() time.Time {
	if d := time.Until(f.until); d > 0 {
		time.Sleep(d)
	}
	return time.Now().UTC()
}

func TestWhoStoodStillHearsFirstOfWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick"))
		f := &frozen{world: w}
		p := w.starts(t, func(o *Options) { o.Cluster = f })
		p.leads <- true
		until("00:00:40")
		f.until = midnight.Add(5*time.Minute + 30*time.Second)
		until("00:05:30")
		w.did()
		until("00:05:39")
		expect(t, "requests while it catches up", w.did("lastlook", "urgent", "create", "look"))
		until("00:06:00")
		if len(w.did("lastlook")) == 0 {
			t.Error("it does not go on")
		}
	})
}

func TestWhereTheWatchTellsLessThanTheAPIServerNothingIsCertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		p := w.starts(t)
		p.leads <- true
		until("00:00:50")
		w.mu.Lock() // what nobody is told of: a run that came and went
		cw := w.crons[key("tick")]
		cw.Status.Succeeded++
		w.crons[key("tick")] = cw
		w.mu.Unlock()
		w.did()
		until("00:03:00")
		expect(t, "runs made", w.did("create"))
	})
}

// busy is a world in which a CronWorkflow is written to all the time, so that the API server is always a little ahead of the watch.
type busy struct{ *world }

func (b busy) Present(ctx context.Context, namespace string, names []string) ([]auditor.CronWorkflow, error) {
	change := func(cw *auditor.CronWorkflow) { cw.Status.Failed++ }
	b.mu.Lock()
	cw := b.crons[key("tick")]
	change(&cw)
	b.crons[key("tick")] = cw
	b.mu.Unlock()
	time.AfterFunc(5*time.Millisecond, func() { b.change("tick", func(*auditor.CronWorkflow) {}) })
	return b.world.Present(ctx, namespace, names)
}

func TestWhereTheWatchTellsALittleLaterThanTheAPIServerItIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules = []string{"1 * * * *"} })))
		w.put(everyMinute("tock", spec(func(s *auditor.Spec) { s.Schedules = []string{"1,2 * * * *"} })))
		fail := func(cw *auditor.CronWorkflow) { cw.Status.Failed++ }
		w.change("tock", fail)
		p := w.starts(t, func(o *Options) { o.Cluster = busy{w} })
		p.leads <- true
		until("00:01:00")
		w.run("tock", at(1))
		until("00:02:05")
		w.change("tock", fail) // one that could not even be created
		until("00:03:00")
		expect(t, "runs made", w.did("create"), fmt.Sprintf("create tick-%d", at(1).Unix()), fmt.Sprintf("create tock-%d", at(2).Unix()))
	})
}

func TestAScheduleThatArgoLeftOutIsTouchedThoughAFiringIsOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules, s.Policy = []string{"*/2 * * * *"}, auditor.Forbid })))
		p := w.starts(t)
		p.leads <- true
		until("00:02:00")
		w.run("tick", at(2)) // and never ends, so that there is no room
		for range 4 {
			time.Sleep(30 * time.Second)
			w.lives()
		}
		w.change("tick", func(cw *auditor.CronWorkflow) { cw.Status.Active = nil })
		for range 6 {
			time.Sleep(30 * time.Second)
			w.lives()
		}
		synctest.Wait()
		// Once for each firing that Argo has left out.
		if did := w.did("change"); len(did) != 2 || did[0] != "change tick touched" {
			t.Errorf("writes: %q", did)
		}
	})
}

func TestAScheduleThatMovedAgainIsTouchedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put(everyMinute("tick", spec(func(s *auditor.Spec) { s.Schedules, s.Policy = []string{"*/2 * * * *"}, auditor.Forbid })))
		p := w.starts(t)
		p.leads <- true
		until("00:02:00")
		w.run("tick", at(2)) // and never ends, so that there is no room
		time.Sleep(5 * time.Second)
		w.change("tick", func(cw *auditor.CronWorkflow) { cw.Status.Active = nil })
		lives := func(d time.Duration) {
			for range d / (30 * time.Second) {
				time.Sleep(30 * time.Second)
				w.lives()
			}
		}
		lives(3 * time.Minute)
		until("00:06:00")
		w.run("tick", at(6))
		time.Sleep(5 * time.Second)
		w.change("tick", func(cw *auditor.CronWorkflow) { cw.Status.Active = nil })
		lives(3 * time.Minute)
		synctest.Wait()
		if did := w.did("change"); len(did) != 2 || did[1] != "change tick touched" {
			t.Errorf("writes: %q", did)
		}
	})
}

func TestWhatAWatchHeardAfterAStandstillTellsNothingOfIt(t *testing.T) {
	r := &roll{stood: auditor.Stretch{From: at(5), To: at(20)}}
	for silent, want := range map[time.Time]time.Time{
		at(4):                   at(4),
		at(10):                  at(5),
		at(20).Add(time.Second): at(5),
		at(22):                  at(22),
	} {
		if got := r.reallySince(silent); !got.Equal(want) {
			t.Errorf("a watch that was silent since %s: a gap from %s, want %s", stamp(silent), stamp(got), stamp(want))
		}
	}
}
