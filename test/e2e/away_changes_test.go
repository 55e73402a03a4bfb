package e2e

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/test/cluster"
)

// recreated: the CronWorkflow is deleted in the outage and made again under its name. The new one owes nothing to the old one's
// firings, and the run that the old one had is not taken for its own.
func recreated(s *scenario, o *outage) {
	s.create(cron{name: "tick", deadline: 600})
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	s.before(o)
	s.awaitRun("tick", o.lost[0])
	s.awaitLastScheduled("tick", o.lost[0])
	former := s.cron("tick").GetUID()
	s.must(shared.Dynamic().Resource(cluster.CronWorkflows).Namespace(s.namespace).Delete(s.ctx, "tick", metav1.DeleteOptions{}))
	s.create(cron{name: "tick", deadline: 600})
	if now := s.cron("tick"); now.GetUID() == former || !now.GetCreationTimestamp().After(o.lost[0]) {
		s.Fatalf("it was not made again: %s, %s", former, now.GetUID())
	}
	s.sleepUntil(o.lost[2].Add(25 * time.Second))
	// No controller has looked after the new one yet, so that a run of it might never start.
	for _, at := range o.lost[1:] {
		if run, ok := s.witness.run("tick", at); ok {
			s.Errorf("%s of the new one has run: %+v", at.Format(time.TimeOnly), run)
		}
	}
	s.await(o.back)
	s.expectLive([]string{"tick"}, o.next)

	s.sleepIntoMinute(20, 50)
	r.end()
	roll := s.mustRoll("tick")
	s.Log(roll)
	if uid := string(s.cron("tick").GetUID()); roll.status.ObservedUID != uid {
		s.Errorf("the record is of %s, the CronWorkflow is %s", roll.status.ObservedUID, uid)
	}
	for at := range roll.letters {
		if !at.After(o.lost[0]) {
			s.Errorf("the record has a verdict on %s, which was before the CronWorkflow", at.Format(time.TimeOnly))
		}
	}
	s.expectRoll(roll, o.lost[1:], "Mb")
	s.expectRoll(roll, []time.Time{o.next}, ".")
	run, _ := s.witness.run("tick", o.lost[0])
	if run.deleted {
		s.Errorf("the former one's run is gone: %+v", run)
	}
}

// edited: what was due is judged by the spec of its time, and what the present one does not name is not run.
func edited(s *scenario, o *outage) {
	// The outage is not known yet; all three fire every minute until it is.
	s.create(cron{name: "fewer", deadline: 600})
	s.create(cron{name: "elsewhere", deadline: 600})
	s.create(cron{name: "same", deadline: 600})
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	release := s.hold(o)
	s.before(o)
	for _, cron := range []string{"fewer", "elsewhere", "same"} {
		s.awaitRun(cron, o.lost[0])
		s.awaitLastScheduled(cron, o.lost[0])
	}
	minutes := func(times ...time.Time) (list string) {
		for i, t := range times {
			if i > 0 {
				list += ","
			}
			list += fmt.Sprint(t.Minute())
		}
		return list + " * * * *"
	}
	// Without the second.
	s.patch("fewer", fmt.Sprintf(`{"spec":{"schedules":[%q]}}`, minutes(o.lost[2], o.next, o.next.Add(time.Minute))))
	// Half an hour away: neither second nor third, but the next two.
	s.patch("elsewhere", fmt.Sprintf(`{"spec":{"schedules":[%q],"timezone":"Asia/Kolkata"}}`, minutes(o.next.Add(30*time.Minute), o.next.Add(31*time.Minute))))
	s.awaitRun("fewer", o.lost[2])
	s.awaitRun("same", o.lost[2])
	release()
	s.await(o.back)
	s.expectLive([]string{"fewer", "elsewhere", "same"}, o.next)
	s.expectLive([]string{"fewer", "elsewhere", "same"}, o.next.Add(time.Minute))

	s.sleepIntoMinute(20, 50)
	m := r.mustScrape()
	r.end()
	for cron, want := range map[string]struct {
		ran, not   []time.Time
		backfilled int64
	}{
		"fewer":     {ran: []time.Time{o.lost[0], o.lost[2]}, not: o.lost[1:2], backfilled: 2},
		"elsewhere": {ran: o.lost[:1], not: o.lost[1:], backfilled: 1},
		"same":      {ran: o.lost, backfilled: 3},
	} {
		for _, at := range want.ran {
			if run, ok := s.witness.run(cron, at); !ok {
				s.Errorf("%s at %s was not brought back: %+v", cron, at.Format(time.TimeOnly), run)
			}
		}
		for _, at := range want.not {
			if run, ok := s.witness.run(cron, at); ok {
				s.Errorf("%s has no firing at %s any more, and it ran: %+v", cron, at.Format(time.TimeOnly), run)
			}
		}
		roll := s.mustRoll(cron)
		s.Log(roll)
		// o.first, and the two after the controller's return; on a busy machine one before that. Of a firing just after it was made, the
		// spec is not known.
		got := roll.status.Totals
		if got.Backfilled+got.Late != want.backfilled || got.OnTime < 3 || got.OnTime > 4 || got.Expired+got.GaveUp > 0 || got.Unknown > 1 {
			s.Errorf("want 3 OnTime and %d Backfilled: %s, notable %+v", want.backfilled, roll, roll.status.Notable)
		}
		if counted := m.verdicts(cron, "OnTime"); counted != got.OnTime {
			s.Errorf("rollcall_firings_total says %d OnTime: %s", counted, roll)
		}
		s.expectHealthy(roll)
	}
}

// suspended in the outage and resumed in it: what was suspended is not run, the rest is.
func suspended(s *scenario, o *outage) {
	s.create(cron{name: "tick", deadline: 600})
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	release := s.hold(o)
	s.before(o)
	s.patch("tick", `{"spec":{"suspend":true}}`)
	s.sleepUntil(o.lost[1].Add(20 * time.Second))
	s.patch("tick", `{"spec":{"suspend":false}}`)
	s.awaitRun("tick", o.lost[2])
	release()
	s.await(o.back)
	s.expectLive([]string{"tick"}, o.next)

	m, rolls := s.finish(r, "tick")
	s.agreeWith(m, rolls["tick"])
	s.expectHealthy(rolls["tick"])
	s.expectRoll(rolls["tick"], o.lost, "s", "s", "b")
	s.expectRoll(rolls["tick"], []time.Time{o.first, o.next}, ".")
}
