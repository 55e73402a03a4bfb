package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/cluster/proxy"
)

// TestSteady are scenarios through which Argo's controller fires all the time.
func TestSteady(t *testing.T) {
	live(t, 0, map[string]part{
		"NothingHappens":           nothingHappens,
		"APIServerAwayForRollcall": apiServerAwayForRollcall,
		"WatchCut":                 func(s *scenario, o *outage) { watchCut(s, o, false) },
		"WatchCutAndForgotten":     func(s *scenario, o *outage) { watchCut(s, o, true) },
		"SuspendedAndResumed":      suspendedAndResumed,
	})
}

// mostPerFiring is how many requests one firing may cost, but for those of the election.
const mostPerFiring = 3

// nothingHappens: five CronWorkflows fire every minute as they should.
func nothingHappens(s *scenario, o *outage) {
	p := s.way()
	s.kubeconfig = p.Kubeconfig()
	var crons []string
	for i := range 5 {
		crons = append(crons, fmt.Sprintf("tick%d", i))
		s.create(cron{name: crons[i], deadline: 600})
	}
	r := s.started("one")
	r.awaitReady()
	s.before(o)
	from, minutes := o.first.Add(35*time.Second), 3
	to := from.Add(time.Duration(minutes) * time.Minute)
	s.sleepUntil(to)
	meanwhile := func(r proxy.Request) bool { return r.Time.After(from) && !r.Time.After(to) }
	byKind := map[string]int{}
	total, election := 0, 0
	for _, r := range p.Requests(meanwhile) {
		if strings.HasPrefix(r.Path, "/apis/coordination.k8s.io/v1/namespaces/"+s.namespace+"/") {
			election++
			continue
		}
		total++
		path := strings.Split(r.Path, "/")
		byKind[fmt.Sprintf("%s %s watch=%t", r.Method, path[min(len(path)-1, 6)], proxy.Watches(r))]++
	}
	firings := len(crons) * minutes
	s.Logf("%.2f requests per firing (%d firings in %d minutes), and %d of the election: %v", float64(total)/float64(firings), firings, minutes, election, byKind)
	if total > mostPerFiring*firings {
		s.Errorf("%d requests for %d firings: %v", total, firings, byKind)
	}
	s.expectWrites(p, `/cronaudits(/[a-z0-9]+(/status)?)?$|/namespaces/`+s.namespace+`/leases(/rollcall[^/]*)?$`, "")

	m, rolls := s.finish(r, crons...)
	for _, cron := range crons {
		s.agreeWith(m, rolls[cron])
		s.expectHealthy(rolls[cron])
		s.expectRoll(rolls[cron], []time.Time{o.first, o.next, o.next.Add(time.Minute)}, ".")
	}
	if missed, _ := m.value("rollcall_firings_total", "verdict=Missed"); missed > 0 {
		s.Errorf("%v firings were called missed", missed)
	}
}

// watchCut: no watch can be had for longer than a run exists, as Argo keeps only one. Where the API server has forgotten what
// happened meanwhile, nobody can tell what did not run; that is not called missed.
func watchCut(s *scenario, o *outage, forgotten bool) {
	p := s.way()
	s.kubeconfig = p.Kubeconfig()
	s.create(cron{name: "tick", deadline: 600, spec: "successfulJobsHistoryLimit: 1"})
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	s.before(o)
	s.sleepUntil(o.first.Add(40 * time.Second))
	cut := p.Add(proxy.Rule{When: proxy.Watches, Do: proxy.Reset()})
	p.Cut()
	gone, still := o.next, o.next.Add(time.Minute)
	s.awaitFinished("tick", still)
	s.eventually("Argo to delete the run of the one before", func() error {
		if run, ok := s.witness.run("tick", gone); !ok || !run.deleted {
			return fmt.Errorf("there was one: %t, %+v", ok, run)
		}
		return nil
	})
	if forgotten {
		for _, watches := range []proxy.Match{workflowWatches, cronWorkflowWatches} {
			p.Add(proxy.Rule{When: watches, Times: 1, Do: proxy.Answer(http.StatusGone, "too old resource version")})
		}
	}
	cut.Remove()
	after := minute().Add(time.Minute)
	s.awaitRun("tick", after)

	m, rolls := s.finish(r, "tick")
	s.expectUntouched("tick")
	s.expectRoll(rolls["tick"], []time.Time{gone}, map[bool]string{true: "?", false: s.asFarAsRemembered(r)}[forgotten])
	s.expectRoll(rolls["tick"], []time.Time{still, after}, ".")
	for _, verdict := range []string{"Missed", "Expired", "GaveUp"} {
		if n := m.verdicts("tick", verdict); n > 0 {
			s.Errorf("%d firings were called %s", n, verdict)
		}
	}
	if e := s.events("tick", "RunMissed"); e.times > 0 {
		s.Errorf("Events say that runs were missed: %q", e.messages)
	}
}

func cronWorkflowWatches(r proxy.Request) bool {
	return proxy.Watches(r) && strings.HasSuffix(r.Path, "/cronworkflows")
}

// suspendedAndResumed while Argo is there. With a starting deadline Argo may itself run late what it had skipped.
func suspendedAndResumed(s *scenario, o *outage) {
	s.create(cron{name: "strict"})
	s.create(cron{name: "lenient", deadline: 600})
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	s.before(o)
	s.sleepUntil(o.first.Add(20 * time.Second))
	suspend := func(yes bool) {
		for _, cron := range []string{"strict", "lenient"} {
			s.patch(cron, fmt.Sprintf(`{"spec":{"suspend":%t}}`, yes))
		}
	}
	suspend(true)
	s.sleepUntil(o.next.Add(time.Minute + 20*time.Second))
	suspend(false)
	after := o.next.Add(2 * time.Minute)
	s.expectLive([]string{"strict", "lenient"}, after)

	m, rolls := s.finish(r, "strict", "lenient")
	for _, cron := range []string{"strict", "lenient"} {
		s.agreeWith(m, rolls[cron])
		s.expectUntouched(cron)
		s.expectHealthy(rolls[cron])
		s.expectRoll(rolls[cron], []time.Time{o.first, after}, ".")
	}
	skipped := []time.Time{o.next, o.next.Add(time.Minute)}
	s.expectRoll(rolls["strict"], skipped, "s")
	s.expectRoll(rolls["lenient"], skipped, "s", "s.L")
}
