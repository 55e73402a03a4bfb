package e2e

import (
	"fmt"
	"time"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/proxy"
)

// twoReplicas are started, each with its own way to the API server, and told apart by who leads.
func (s *scenario) twoReplicas(args ...string) (leader, waiting *replica, leadersWay *proxy.Proxy) {
	s.Helper()
	ways := map[*replica]*proxy.Proxy{}
	var both []*replica
	for _, identity := range []string{"one", "two"} {
		p, err := shared.Proxy(cluster.Admin)
		s.must(err)
		s.kubeconfig = p.Kubeconfig()
		r := s.started(identity, args...)
		ways[r] = p
		both = append(both, r)
	}
	leader, waiting = s.leader(both...), both[0]
	if leader == waiting {
		waiting = both[1]
	}
	waiting.awaitReady() // every replica watches, so that a failover takes over warm
	return leader, waiting, ways[leader]
}

// leader waits until exactly one of the replicas leads.
func (s *scenario) leader(of ...*replica) (leader *replica) {
	s.Helper()
	s.eventually("one replica to lead", func() error {
		leaders := 0
		for _, r := range of {
			m, err := r.scrape()
			if err != nil {
				return err
			}
			if leads, _ := m.value("rollcall_leader"); leads == 1 {
				leader = r
				leaders++
			}
		}
		if leaders != 1 {
			return fmt.Errorf("%d do", leaders)
		}
		return nil
	})
	return leader
}

// leaderKilled: one of three has been brought back, the others wait for it to end (--max-parallel 1), when the leader dies.
func leaderKilled(s *scenario, o *outage) {
	crons := s.createOfEachPolicy()
	leader, waiting, _ := s.twoReplicas("--max-parallel", "1")
	s.before(o)
	s.awaitRun("allow", o.lost[0])
	s.sleepUntil(o.lost[1].Add(10 * time.Second))
	s.eventually("allow to be missed twice", func() error {
		roll, err := s.roll("allow")
		if err != nil || len(roll.status.Open) == 0 {
			return fmt.Errorf("%v %w", roll, err)
		}
		return nil
	})
	s.must(leader.Kill())
	killed := time.Now()
	waiting.awaitMetric(1, "rollcall_leader")
	s.Logf("the second replica leads %s after the first was killed", time.Since(killed).Round(time.Second))

	s.await(o.back)
	s.expectLive(crons, o.next)
	s.awaitAllRan(o, "allow")
	_, rolls := s.finish(waiting, crons...)
	for _, cron := range crons {
		s.expectHealthy(rolls[cron])
		s.expectRoll(rolls[cron], []time.Time{o.first, o.next}, ".")
	}
	s.expectRoll(rolls["allow"], o.lost, "b", "b", "bL.")
	s.expectForbid(rolls["forbid"], o)
	s.expectRoll(rolls["replace"], o.lost, "bs", "bs", "bL.")
}

// leaderPaused: the leader is stopped while its creates are on their way. They arrive when the other one has taken over and made
// the runs itself, and then it goes on, for a moment in the belief that it leads.
func leaderPaused(s *scenario, o *outage) {
	crons := s.createOfEachPolicy()
	leader, waiting, way := s.twoReplicas()
	s.before(o)
	late := way.Add(proxy.Rule{When: creates, Do: proxy.Pass().DelayRequest(25 * time.Second)})
	leader.await("its first create", func() error {
		if late.Applied() == 0 {
			return fmt.Errorf("there was none")
		}
		return nil
	})
	s.sleepUntil(time.Now().Add(time.Second)) // for the other policies to be as far
	s.must(leader.Pause())
	paused := time.Now()
	waiting.awaitMetric(1, "rollcall_leader")
	s.awaitRun("allow", o.lost[0])
	s.Logf("the second replica leads, and has made the run, %s after the first was paused", time.Since(paused).Round(time.Second))
	s.sleepUntil(paused.Add(30 * time.Second))
	s.must(leader.Resume())
	late.Remove()

	s.await(o.back)
	s.expectLive(crons, o.next)
	s.awaitAllRan(o, "allow")
	if got := s.leader(leader, waiting); got != waiting {
		s.Errorf("%s leads again", got.Name())
	}
	s.sleepIntoMinute(20, 40)
	leader.end()
	_, rolls := s.finish(waiting, crons...)
	for _, cron := range crons {
		s.expectHealthy(rolls[cron])
		s.expectRoll(rolls[cron], []time.Time{o.first, o.next}, ".")
	}
	s.expectRoll(rolls["allow"], o.lost, "b", "b", "bL.")
	s.expectForbid(rolls["forbid"], o)
	s.expectRoll(rolls["replace"], o.lost, "bs", "bs", "bL.")
}
