package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/proxy"
)

// dryRun: nothing is written but records and Events, except for what an annotation allows.
func dryRun(s *scenario, o *outage) {
	p, err := shared.Proxy(cluster.Admin)
	s.must(err)
	s.kubeconfig = p.Kubeconfig()
	s.create(cron{name: "plain", deadline: 600})
	s.create(cron{name: "replace", deadline: 600, spec: "concurrencyPolicy: Replace"})
	s.create(cron{name: "on", deadline: 600, notes: `rollcall.dev/backfill: "on"`})
	r := s.started("one", "--leader-elect=false", "--backfill", "dry-run")
	r.awaitReady()
	s.before(o)
	s.awaitRun("on", o.lost[0])
	s.awaitEvent(r, "plain", "RunMissed")
	s.await(o.back)
	s.expectLive([]string{"plain", "replace", "on"}, o.next)

	m, rolls := s.finish(r, "plain", "replace", "on")
	s.agreeWith(m, rolls["on"])
	s.expectRoll(rolls["on"], o.lost, "b", "b", "bL.")
	for _, cron := range []string{"plain", "replace"} {
		s.expectUntouched(cron)
		// Argo brings back the newest by itself.
		s.expectRoll(rolls[cron], o.lost, "Ms", "Ms", ".L")
	}
	s.expectWrites(p, `/cronaudits(/[a-z]+(/status)?)?$|/events(/[^/]+)?$|/cronworkflows/on$`, `"name":"on-`)
}

// expectWrites expects that all that was written through the proxy was to paths that match, but for creates of Workflows, which
// have to contain a text; none where that is empty.
func (s *scenario) expectWrites(p *proxy.Proxy, paths, workflows string) {
	s.Helper()
	allowed := regexp.MustCompile(paths)
	for _, w := range p.Requests(proxy.Writes) {
		switch {
		case allowed.MatchString(w.Path), strings.HasSuffix(w.Path, "/selfsubjectaccessreviews"):
		case workflows != "" && w.Method == http.MethodPost && strings.HasSuffix(w.Path, "/workflows") && strings.Contains(string(w.Body), workflows):
		default:
			s.Errorf("%s %s: %s", w.Method, w.Path, w.Body)
		}
	}
}

// annotations of the CronWorkflow go before the flag, and count as soon as they are changed.
func annotations(s *scenario, o *outage) {
	s.create(cron{name: "plain", deadline: 600})
	s.create(cron{name: "off", deadline: 600, notes: `rollcall.dev/backfill: "off"`})
	s.create(cron{name: "dry", deadline: 600, notes: `rollcall.dev/backfill: dry-run`})
	s.create(cron{name: "later", deadline: 600, notes: `rollcall.dev/backfill: "off"`})
	s.create(cron{name: "unaudited", deadline: 600, notes: `rollcall.dev/audit: "off"`})
	s.create(cron{name: "wrong", deadline: 600, notes: `rollcall.dev/backfill: perhaps`})
	s.create(cron{name: "lent", notes: `rollcall.dev/deadline: 10m`})
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	s.awaitEvent(r, "wrong", "InvalidAnnotation")
	s.before(o)
	for _, cron := range []string{"plain", "wrong", "lent"} {
		s.awaitRun(cron, o.lost[0])
	}
	for _, cron := range []string{"off", "dry", "later"} {
		s.awaitEvent(r, cron, "RunMissed")
	}
	s.sleepUntil(o.lost[1].Add(15 * time.Second))
	s.expectUntouched("later")
	s.patch("later", `{"metadata":{"annotations":{"rollcall.dev/backfill":null}}}`)
	s.awaitRun("later", o.lost[0])
	s.awaitRun("later", o.lost[1])
	s.await(o.back)
	s.expectLive([]string{"plain", "off", "dry", "later", "unaudited", "wrong", "lent"}, o.next)

	m, rolls := s.finish(r, "plain", "off", "dry", "later", "wrong", "lent")
	for _, cron := range []string{"plain", "later", "wrong", "lent"} {
		s.agreeWith(m, rolls[cron])
		s.expectRoll(rolls[cron], o.lost, "b", "b", "bL.")
		s.expectHealthy(rolls[cron])
	}
	for _, cron := range []string{"off", "dry"} {
		s.expectUntouched(cron)
		s.expectRoll(rolls[cron], o.lost, "M", "M", ".L")
	}
	s.expectUntouched("unaudited")
	if got := m.verdicts("unaudited", "OnTime"); got > 0 {
		s.Errorf("unaudited was audited: %d firings", got)
	}
}

// quotaExceeded: no run can be made until somebody acts.
func quotaExceeded(s *scenario, o *outage) {
	s.create(cron{name: "patient", deadline: 600})
	s.create(cron{name: "short", deadline: 50})
	r := s.started("one", "--leader-elect=false")
	r.awaitReady()
	s.before(o)
	s.must(shared.Quota(s.ctx, s.namespace, "none", "count/workflows.argoproj.io", 0, 0))
	s.awaitQuota()
	for _, cron := range []string{"patient", "short"} {
		s.awaitEvent(r, cron, "BackfillBlocked")
	}
	r.awaitMetric(1, "rollcall_backfill_blocked", "cronworkflow=patient")
	s.awaitEvent(r, "short", "BackfillGaveUp")
	s.sleepUntil(o.lost[1].Add(30 * time.Second))
	if attempts, _ := r.mustScrape().value("rollcall_backfill_attempts_total", "cronworkflow=patient"); attempts > 6 {
		s.Errorf("%v attempts in a minute and a half", attempts)
	}
	s.must(shared.Quota(s.ctx, s.namespace, "none", "count/workflows.argoproj.io", 100, 0))
	s.awaitRun("patient", o.lost[0])
	s.awaitRun("patient", o.lost[1])
	r.awaitMetric(0, "rollcall_backfill_blocked", "cronworkflow=patient")
	s.await(o.back)
	s.expectLive([]string{"patient", "short"}, o.next)
	s.awaitAllRan(o, "patient")

	m, rolls := s.finish(r, "patient", "short")
	s.agreeWith(m, rolls["patient"])
	s.expectHealthy(rolls["patient"])
	s.expectRoll(rolls["patient"], o.lost, "b", "b", "bL.")
	s.expectRoll(rolls["short"], o.lost, "G", "Gb", "bLEG.")
	s.expectNotable(rolls["short"], o.lost[0], "GaveUp", "DeadlinePassed")
}

// expectNotable expects what a record says in full of a firing.
func (s *scenario) expectNotable(r roll, at time.Time, verdict, reason string) {
	s.Helper()
	for _, f := range r.status.Notable {
		if f.ScheduledTime.Time.Equal(at) {
			if string(f.Verdict) != verdict || string(f.Reason) != reason {
				s.Errorf("%s at %s: want %s/%s, got %+v", r.cron, at.Format(time.TimeOnly), verdict, reason, f)
			}
			return
		}
	}
	s.Error(fmt.Errorf("%s at %s is not among the notable firings: %+v", r.cron, at.Format(time.TimeOnly), r.status.Notable))
}
