package e2e

import (
	"fmt"
	"time"
)

// watchedAllTheTime is the plain case: Rollcall is there throughout.
func watchedAllTheTime(s *scenario, o *outage) {
	crons := s.createOfEachPolicy()
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	release := s.hold(o)
	s.before(o)
	for _, at := range o.lost {
		s.sleepUntil(at.Add(10 * time.Second))
		r.await(fmt.Sprintf("allow at %s to be brought back", at.Format(time.TimeOnly)), func() error {
			if _, ok := s.witness.run("allow", at); !ok {
				return fmt.Errorf("it is not")
			}
			return nil
		})
	}
	release()
	s.await(o.back)
	s.expectLive(crons, o.next)
	s.awaitAllRan(o, "allow")

	m, rolls := s.finish(r, crons...)
	for _, cron := range crons {
		s.agreeWith(m, rolls[cron])
		s.expectHealthy(rolls[cron])
		s.expectRoll(rolls[cron], []time.Time{o.first, o.next}, ".")
	}
	s.expectRoll(rolls["allow"], o.lost, "b")
	s.expectForbid(rolls["forbid"], o)
	// Of what waits, Replace keeps the newest.
	s.expectRoll(rolls["replace"], o.lost, "bs", "bs", "bL.")
	s.report(m, o, "allow", "forbid", "replace")
}

// expectForbid: the run that is brought back first does not end while Argo is away, so that status.active forbids the next ones,
// as far as Rollcall was there to see that. Back again, Argo starts the newest of those itself.
func (s *scenario) expectForbid(r roll, o *outage) {
	s.Helper()
	s.expectRoll(r, o.lost, "b", "bs", "bL.")
	s.expectOneAtATime(r.cron)
}

// report says how quick Rollcall was.
func (s *scenario) report(m scrape, o *outage, crons ...string) {
	sum, _ := m.value("rollcall_detection_delay_seconds")
	count, _ := m.value("rollcall_detection_delay_seconds", "count")
	s.Logf("detection delay: %.2f s on average of %.0f verdicts", sum/max(count, 1), count)
	for _, cron := range crons {
		for _, at := range o.lost {
			if run, ok := s.witness.run(cron, at); ok {
				s.Logf("recovery time: %s at %s had its run %s after its time (grace 10 s), made by %q", cron, at.Format(time.TimeOnly), run.created.Sub(at), run.by)
			}
		}
		if missed := s.events(cron, "RunMissed"); missed.times > 0 {
			s.Logf("%s: %d times RunMissed, the first %s after its time: %q", cron, missed.times, missed.first.Sub(o.lost[0]), missed.messages[0])
		}
	}
}

// awaitAllRan waits until every lost firing has had a run that ended.
func (s *scenario) awaitAllRan(o *outage, crons ...string) {
	s.Helper()
	for _, cron := range crons {
		for _, at := range o.lost {
			s.eventually(fmt.Sprintf("%s at %s to run", cron, at.Format(time.TimeOnly)), func() error {
				if run, ok := s.witness.run(cron, at); !ok || run.finished.IsZero() {
					return fmt.Errorf("there is a run: %t, %+v", ok, run)
				}
				return nil
			})
		}
	}
}

// startedDuringIt: nobody watched when the outage began; the evidence left in the cluster suffices while Argo is away.
func startedDuringIt(s *scenario, o *outage) {
	crons := s.createOfEachPolicy()
	s.before(o)
	s.sleepUntil(o.lost[1].Add(15 * time.Second))
	r := s.started("one", "--leader-elect=false")
	s.await(o.back)
	s.expectLive(crons, o.next)
	s.awaitAllRan(o, "allow")

	m, rolls := s.finish(r, crons...)
	for _, cron := range crons {
		s.agreeWith(m, rolls[cron])
		s.expectHealthy(rolls[cron])
	}
	s.expectRoll(rolls["allow"], o.lost, "b")
	s.expectForbid(rolls["forbid"], o)
	s.expectRoll(rolls["replace"], o.lost, "s", "bs", "bL.")
	s.report(m, o, "allow", "forbid", "replace")
}

// startedAfterIt: Argo has recovered the newest by itself. That the others did not run is not certain: nobody watched, and
// lastScheduledTime has passed them. The roll begins after them.
func startedAfterIt(s *scenario, o *outage) {
	crons := s.createOfEachPolicy()
	s.before(o)
	s.await(o.back)
	newest := o.lost[len(o.lost)-1]
	for _, cron := range crons {
		s.awaitRun(cron, newest)
	}
	r := s.started("one", "--leader-elect=false")
	s.expectLive(crons, o.next)
	s.expectLive(crons, o.next.Add(time.Minute))

	_, rolls := s.finish(r, crons...)
	for _, cron := range crons {
		s.expectUntouched(cron)
		s.expectHealthy(rolls[cron])
		s.expectRoll(rolls[cron], []time.Time{o.next, o.next.Add(time.Minute)}, ".")
		for _, at := range o.lost {
			if letter, ok := rolls[cron].letters[at]; ok && letter != "." {
				s.Errorf("%s at %s: the record says %q", cron, at.Format(time.TimeOnly), letter)
			}
		}
	}
}

// expectUntouched expects that Rollcall has made no run of a CronWorkflow.
func (s *scenario) expectUntouched(cron string) {
	s.Helper()
	if n := s.witness.made(cron); n > 0 {
		s.Errorf("Rollcall made %d runs of %s", n, cron)
	}
}

// stoppedAndStartedInIt: Rollcall goes down with Argo and is back before it.
func stoppedAndStartedInIt(s *scenario, o *outage) {
	crons := s.createOfEachPolicy()
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	release := s.hold(o)
	s.before(o)
	s.sleepUntil(o.first.Add(15 * time.Second)) // it has been judged
	r.end()
	s.sleepUntil(o.lost[2].Add(12 * time.Second))
	r.start()
	for _, at := range o.lost {
		s.awaitRun("allow", at)
	}
	s.awaitRun("forbid", o.lost[0])
	release()
	s.await(o.back)
	s.expectLive(crons, o.next)
	s.awaitAllRan(o, "allow")

	_, rolls := s.finish(r, crons...)
	for _, cron := range crons {
		s.expectHealthy(rolls[cron])
		s.expectRoll(rolls[cron], []time.Time{o.first, o.next}, ".")
	}
	s.expectRoll(rolls["allow"], o.lost, "b")
	s.expectForbid(rolls["forbid"], o)
	s.expectRoll(rolls["replace"], o.lost, "s", "s", "bL.")
}

// stoppedInItStartedAfter: Rollcall watched until the outage began, and comes back when Argo has.
func stoppedInItStartedAfter(s *scenario, o *outage) {
	crons := s.createOfEachPolicy()
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	s.before(o)
	s.sleepUntil(o.first.Add(15 * time.Second)) // it has been judged
	r.end()
	for _, cron := range crons {
		if got := s.mustRoll(cron); got.letters[o.first] != "." {
			s.Errorf("what it knew at its end is not on record: %s", got)
		}
	}
	s.await(o.back)
	newest := o.lost[len(o.lost)-1]
	for _, cron := range crons {
		s.awaitRun(cron, newest)
	}
	r.start()
	s.expectLive(crons, o.next)
	s.expectLive(crons, o.next.Add(time.Minute))

	_, rolls := s.finish(r, crons...)
	s.expectRoll(rolls["replace"], o.lost[:len(o.lost)-1], "s?M")
	for _, cron := range crons {
		s.expectRoll(rolls[cron], []time.Time{o.first, o.next, o.next.Add(time.Minute)}, ".")
		s.expectRoll(rolls[cron], []time.Time{newest}, ".L")
		s.expectUntouched(cron)
	}
	for _, cron := range []string{"allow", "forbid"} {
		s.expectRoll(rolls[cron], o.lost[:len(o.lost)-1], "M?")
	}
}
