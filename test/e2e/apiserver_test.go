package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/proxy"
)

// away is how long the API server cannot be reached: from the first half of a minute over two ticks, and not so long that what
// comes then could not be over before the third.
const away = 115 * time.Second

// mostAsked is how many requests Rollcall may make of an API server that does not answer, in that time.
const mostAsked = 130

// unreachable breaks every connection through the proxies, each again at its first request, until mend is called.
func unreachable(ways ...*proxy.Proxy) (mend func()) {
	for _, p := range ways {
		p.Add(proxy.Rule{Do: proxy.Reset()})
		p.Cut()
	}
	return func() {
		for _, p := range ways {
			p.ClearRules()
		}
	}
}

func (s *scenario) way() *proxy.Proxy {
	s.Helper()
	p, err := shared.Proxy(cluster.Admin)
	s.must(err)
	return p
}

// unready waits until /readyz says no.
func (r *replica) awaitUnready() {
	r.s.Helper()
	r.await("/readyz to say no", func() error {
		if status, _, err := r.get("http", "/readyz"); err != nil || status == http.StatusOK {
			return fmt.Errorf("it says %d, %w", status, err)
		}
		return nil
	})
}

// apiServerAwayForRollcall: what ran meanwhile is not called missed, and the server is not hammered.
func apiServerAwayForRollcall(s *scenario, o *outage) {
	p := s.way()
	s.kubeconfig = p.Kubeconfig()
	s.create(cron{name: "tick", deadline: 600})
	s.create(cron{name: "brief", deadline: 600, spec: "successfulJobsHistoryLimit: 1"})
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	s.before(o)
	s.sleepUntil(o.first.Add(40 * time.Second))
	mend := unreachable(p)
	broken := time.Now()
	r.awaitUnready()
	s.sleepUntil(broken.Add(away))
	asked := len(p.Requests(func(r proxy.Request) bool { return r.Time.After(broken) }))
	mend()
	s.Logf("%d requests in %s without an answer", asked, away)
	if asked > mostAsked {
		s.Errorf("%d requests in %s", asked, away)
	}
	r.awaitReady()
	after := o.next.Add(2 * time.Minute)
	s.expectLive([]string{"tick", "brief"}, after) // by when all before has been judged

	m, rolls := s.finish(r, "tick", "brief")
	known := map[string]string{"tick": ".", "brief": s.asFarAsRemembered(r)}
	for _, cron := range []string{"tick", "brief"} {
		s.agreeWith(m, rolls[cron])
		s.expectUntouched(cron)
		s.expectRoll(rolls[cron], []time.Time{o.first, o.next, o.next.Add(time.Minute), after}, ".", known[cron], ".", ".")
		if n := m.verdicts(cron, "Missed") + m.verdicts(cron, "Expired"); n > 0 {
			s.Errorf("%d firings of %s were called lost", n, cron)
		}
	}
}

// TestAPIServerAway: for Argo too. Its controller ends when it cannot renew its lease, and is started again, as a kubelet does.
func TestAPIServerAway(t *testing.T) {
	s := begin(t, 10*time.Minute)
	s.installRecords()
	s.observe()
	argoWay, p := s.way(), s.way()
	argo, err := shared.StartArgo(s.ctx, cluster.ArgoOptions{Namespace: s.argoNamespace(), ManagedNamespace: s.namespace, Kubeconfig: argoWay.Kubeconfig()})
	s.must(err)
	s.Cleanup(func() { s.must(argo.Stop()) })
	s.kubeconfig = p.Kubeconfig()
	s.sleepIntoMinute(0, 40)
	crons := s.createOfEachPolicy()
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	first := minute().Add(time.Minute)
	for _, cron := range crons {
		s.awaitRun(cron, first)
	}
	s.sleepUntil(first.Add(15 * time.Second))
	mend := unreachable(argoWay, p)
	broken := time.Now()
	r.awaitUnready()
	s.eventually("Argo's controller to end", func() error {
		if argo.Running() {
			return errors.New("it runs")
		}
		return nil
	})
	s.sleepUntil(broken.Add(away)) // over two ticks
	asked := len(p.Requests(func(r proxy.Request) bool { return r.Time.After(broken) }))
	s.Logf("%d requests in %s without an answer", asked, away)
	if asked > mostAsked {
		s.Errorf("%d requests in %s", asked, away)
	}
	mend()
	r.awaitReady()
	lost := []time.Time{first.Add(time.Minute), first.Add(2 * time.Minute)}
	// Where Argo is first, it brings back the newest, and of the one before it is not certain that it did not run.
	for _, cron := range []string{"allow", "forbid"} {
		s.awaitRun(cron, lost[0])
	}
	s.must(argo.Start(s.ctx))
	next := first.Add(3 * time.Minute)
	s.expectLive(crons, next)
	o := &outage{lost: lost}
	s.awaitAllRan(o, "allow", "forbid")

	m, rolls := s.finish(r, crons...)
	for _, cron := range crons {
		s.agreeWith(m, rolls[cron])
		s.expectHealthy(rolls[cron])
		s.expectRoll(rolls[cron], []time.Time{first, next}, ".")
	}
	s.expectRoll(rolls["allow"], lost, "bL.")
	s.expectRoll(rolls["forbid"], lost, "bL.")
	s.expectOneAtATime("forbid")
	s.expectRoll(rolls["replace"], lost, "s", "bL.")
	s.report(m, o, crons...)
}
