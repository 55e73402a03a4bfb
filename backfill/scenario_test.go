package backfill_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

type scenario struct {
	cw     func(*auditor.CronWorkflow)
	runs   []auditor.Run
	policy func(*backfill.Policy)
	// now is when it begins, 04:44:35 if not said: 25 s before a live firing and 5 s after the grace of the one before.
	now    string
	missed []string
	set    func(*cluster)
	option func(*backfill.Options)

	outcomes []string
	// writes are the creates and changes; those of a scenario with anyWrites are not compared.
	writes    []string
	anyWrites bool
	// last is status.lastScheduledTime at the end.
	last string
	// incomplete says that the report is not to be complete.
	incomplete bool
	// check looks at the rest.
	check func(*testing.T, *bench, backfill.Report)
}

func (s scenario) run(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := s.now
		if now == "" {
			now = "04:44:35"
		}
		cw := minutely()
		if s.cw != nil {
			s.cw(&cw)
		}
		policy := byHand()
		if s.policy != nil {
			s.policy(&policy)
		}
		c := newCluster(now, cw, s.runs...)
		if s.set != nil {
			s.set(c)
		}
		b := newBench(t, c, policy, func(o *backfill.Options) {
			if s.option != nil {
				s.option(o)
			}
		})
		report := b.recover(t.Context(), s.missed...)

		if diff := cmp.Diff(s.outcomes, outcomes(report)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(s.writes, c.writes()); diff != "" && !s.anyWrites {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		if got := c.lastScheduledTime().Format("15:04"); s.last != "" && got != s.last {
			t.Errorf("lastScheduledTime is %s, want %s", got, s.last)
		}
		if report.Complete() == s.incomplete {
			t.Errorf("complete: %v, status error: %v", report.Complete(), report.StatusError)
		}
		for name, n := range c.made {
			if n > 1 {
				t.Errorf("%s was created %d times", name, n)
			}
		}
		if s.check != nil {
			s.check(t, b, report)
		}
		if t.Failed() {
			t.Logf("log:\n%s", b.log)
		}
	})
}

func runScenarios(t *testing.T, scenarios map[string]scenario) {
	t.Helper()
	for name, s := range scenarios {
		t.Run(name, s.run)
	}
}

func clocks(requests []request) (all []string) {
	for _, r := range requests {
		all = append(all, r.at.Format("15:04:05"))
	}
	return all
}
