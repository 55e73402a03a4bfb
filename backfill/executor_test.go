package backfill_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// scenario is one carrying out of a plan to recover what was missed.

// An answer is lost before the create was carried out. Where a run could have ended and been deleted meanwhile it is not

// created again; where it would still be there it is.

// endedLately makes the run one that ended as the scenarios begin.

func TestDryRunChangesNothing(t *testing.T) {
	dry := func(o *backfill.Options) { o.DryRun = true }
	runScenarios(t, map[string]scenario{
		"and says what would be created": {
			option: dry, missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 WouldCreate", "04:41 WouldCreate"}, last: "04:39",
		},
		"and what it would wait for": {
			option: dry, now: "04:44:56", missed: []string{"04:40:00"}, outcomes: []string{"04:40 WouldCreate"}, last: "04:39",
			check: func(t *testing.T, _ *bench, r backfill.Report) {
				want := []string{"It would wait first, at least until 2026-11-23 04:45:00Z: The live firing of 2026-11-23 04:45:00Z is about to start."}
				if diff := cmp.Diff(want, r.Results[0].Why); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"and what is there already, even with a status that owes": {
			option: dry, runs: []auditor.Run{run("04:40:00", recovered)}, missed: []string{"04:40:00"}, outcomes: []string{"04:40 AlreadyThere"}, last: "04:39",
		},
		"and whose name is taken": {
			option: dry, runs: []auditor.Run{run("04:40:00", ofSomebodyElse)}, missed: []string{"04:40:00"}, outcomes: []string{"04:40 GaveUp/NameTaken"}, incomplete: true,
		},
		"and that the ones after the first would wait under Forbid": {
			option: dry, now: "04:44:30", cw: concurrency(auditor.Forbid), missed: []string{"04:40:00", "04:41:00"}, outcomes: []string{"04:40 WouldCreate", "04:41 WouldCreate"},
			check: func(t *testing.T, _ *bench, r backfill.Report) {
				if diff := cmp.Diff([]string{"It would wait for the runs before it to end."}, r.Results[1].Why); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			},
		},
		"and that it could not look": {
			option: dry, set: func(c *cluster) { c.fault = always("look", apierrors.NewUnauthorized("no")) }, missed: []string{"04:40:00"},
			outcomes: []string{"04:40 Blocked/NotAllowed"}, incomplete: true,
		},
		"and that the CronWorkflow is gone": {
			option: dry, set: func(c *cluster) { c.gone = true }, missed: []string{"04:40:00"}, outcomes: []string{"04:40 Left/Gone"}, incomplete: true,
		},
		"and retries what is transient": {
			option: dry, set: func(c *cluster) { c.fault = answers("look", fails(answer(500, 0, "boom"))) }, missed: []string{"04:40:00"}, outcomes: []string{"04:40 WouldCreate"},
		},
	})
}

func TestRunWithNothingToRecoverAsksNothing(t *testing.T) {
	scenario{check: func(t *testing.T, b *bench, _ backfill.Report) {
		if len(b.requests) != 0 {
			t.Errorf("%d requests", len(b.requests))
		}
	}}.run(t)
}

func TestReportSaysEverythingOfARecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:35", minutely())
		b := newBench(t, c, byHand())
		got := b.executor.Run(t.Context(), b.plan(finding("04:40:00", auditor.Missed), finding("04:41:00", auditor.OnTime), finding("04:42:00", auditor.Skipped)))
		name := auditor.WorkflowName(key.Name, at("04:40:00"))
		want := backfill.Report{
			CronWorkflow: key,
			Results: []backfill.Result{
				{
					Finding: finding("04:40:00", auditor.Missed), Planned: true, Outcome: backfill.Created, Attempts: 1, Creates: 1,
					Workflow: name, UID: "uid-" + name + "-1", MadeBy: backfill.ByCLI, CreatedAt: at("04:44:35"),
				},
				{
					Finding: finding("04:41:00", auditor.OnTime), Outcome: backfill.AlreadyThere, Why: []string{"It ran (OnTime)."},
					Workflow: auditor.WorkflowName(key.Name, at("04:41:00")),
				},
				{
					Finding: finding("04:42:00", auditor.Skipped), Outcome: backfill.Left, Reason: backfill.NotTaken,
					Why:      []string{"A firing that is Skipped is recovered only when asked for (--include Skipped)."},
					Workflow: auditor.WorkflowName(key.Name, at("04:42:00")),
				},
			},
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[backfill.Outcome]int{backfill.Created: 1}, got.Totals()); diff != "" {
			t.Errorf("totals (-want +got):\n%s", diff)
		}
		var kinds []backfill.EventKind
		for _, e := range b.events {
			kinds = append(kinds, e.Kind)
		}
		if diff := cmp.Diff([]backfill.EventKind{backfill.Trying, backfill.Finished, backfill.Settling}, kinds); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestLogFollowsOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:35", minutely())
		c.fault = answers("create", fails(apierrors.NewTooManyRequests("busy", 2)))
		b := newBench(t, c, byHand())
		b.recover(t.Context(), "04:40:00")
		want := `level=INFO msg="attempt begins" cronworkflow=default/tick firing=2026-11-23T04:40:00Z attempt=1
level=WARN msg="request failed, to be tried again" cronworkflow=default/tick firing=2026-11-23T04:40:00Z attempt=1 request=create class=transient retry_after=2s delay=2s error=busy
level=INFO msg="status written" cronworkflow=default/tick last_scheduled_time=2026-11-23T04:40:00Z appended=tick-1795408800
level=INFO msg="firing finished" cronworkflow=default/tick firing=2026-11-23T04:40:00Z outcome=Created attempt=1 creates=2 workflow=tick-1795408800 uid=uid-tick-1795408800-1 made_by=cli
`
		if diff := cmp.Diff(want, b.log.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestCountersExistBeforeAnythingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCluster("04:44:35", minutely()), byHand())
		b.executor.Run(t.Context(), b.plan())
		families, err := b.counters.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, f := range families {
			got[f.GetName()] = len(f.GetMetric())
		}
		want := map[string]int{"rollcall_backfill_attempts_total": 8, "rollcall_backfill_retries_total": 3, "rollcall_backfill_failures_total": 3}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTheCountersOfACronWorkflowComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:35", minutely())
		b := newBench(t, c, byHand())
		one, other := backfill.Key{Namespace: "default", Name: "tick", UID: "1"}, backfill.Key{Namespace: "default", Name: "tock"}
		series := func() map[string]int {
			families, err := b.counters.Gather()
			if err != nil {
				t.Fatal(err)
			}
			all := map[string]int{}
			for _, f := range families {
				for _, m := range f.GetMetric() {
					for _, l := range m.GetLabel() {
						if l.GetName() == "cronworkflow" {
							all[l.GetValue()]++
						}
					}
				}
			}
			return all
		}
		b.executor.Expect(one)
		b.executor.Expect(other)
		if diff := cmp.Diff(map[string]int{"tick": 14, "tock": 14}, series()); diff != "" {
			t.Errorf("expected (-want +got):\n%s", diff)
		}
		b.executor.Forget(one)
		if diff := cmp.Diff(map[string]int{"tock": 14}, series()); diff != "" {
			t.Errorf("forgotten (-want +got):\n%s", diff)
		}
		c.fault = func(request) fault { b.executor.Forget(one); return fault{} }
		b.recover(t.Context(), "04:40:00")
		if diff := cmp.Diff(map[string]int{"tock": 14}, series()); diff != "" {
			t.Errorf("what is under way brought them back (-want +got):\n%s", diff)
		}
	})
}

func TestRunAllSpreadsTheCreatesOfOneNamespaceAtHalfTheGlobalRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("04:44:35", minutely())
		b := newBench(t, c, byHand(), func(o *backfill.Options) { o.CreatesPerSecond, o.Observer = 2, nil })
		var plans []backfill.Plan
		for _, clock := range []string{"04:40:00", "04:41:00", "04:42:00"} {
			plans = append(plans, b.plan(finding(clock, auditor.Missed)))
		}
		reports := b.executor.RunAll(t.Context(), plans)
		var got []string
		for _, r := range reports {
			got = append(got, outcomes(r)...)
		}
		if diff := cmp.Diff([]string{"04:40 Created", "04:41 Created", "04:42 Created"}, got); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"04:44:35", "04:44:36", "04:44:37"}, clocks(c.sent("create"))); diff != "" {
			t.Errorf("creates (-want +got):\n%s", diff)
		}
	})
}

func TestNewExecutorNamesWhatIsWrongWithItsOptions(t *testing.T) {
	good := backfill.Options{Submitter: &cluster{}, Policy: byHand(), Log: slog.New(slog.DiscardHandler), Now: time.Now}
	for want, change := range map[string]func(*backfill.Options){
		"backfill: Options.Submitter is missing":                    func(o *backfill.Options) { o.Submitter = nil },
		"backfill: Options.Log is missing":                          func(o *backfill.Options) { o.Log = nil },
		"backfill: Options.Now is missing":                          func(o *backfill.Options) { o.Now = nil },
		`backfill: Policy.By is "": use "cli" or "controller"`:      func(o *backfill.Options) { o.Policy.By = "" },
		"backfill: Policy.MaxParallel is 0: use 1 or more":          func(o *backfill.Options) { o.Policy.MaxParallel = 0 },
		"backfill: Policy.MaxCatchUp is 0: use 1 or more":           func(o *backfill.Options) { o.Policy.MaxCatchUp = 0 },
		"backfill: Options.Patience is -1s: use 0 or more":          func(o *backfill.Options) { o.Patience = -time.Second },
		"backfill: Options.Parallel is -1: use 1 or more":           func(o *backfill.Options) { o.Parallel = -1 },
		"backfill: Options.CreatesPerSecond is -1: use more than 0": func(o *backfill.Options) { o.CreatesPerSecond = -1 },
		"backfill: register metrics: duplicate metrics collector registration attempted": func(o *backfill.Options) {
			r := prometheus.NewRegistry()
			if _, err := backfill.NewExecutor(backfill.Options{Submitter: o.Submitter, Policy: o.Policy, Log: o.Log, Now: o.Now, Metrics: r}); err != nil {
				t.Fatal(err)
			}
			o.Metrics = r
		},
	} {
		o := good
		change(&o)
		if _, err := backfill.NewExecutor(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := backfill.NewExecutor(good); err != nil {
		t.Error(err)
	}
}
