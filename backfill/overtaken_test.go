package backfill_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// auditing is a bench whose Executor can have the firings audited anew; asked counts that. says is what such an audit finds of a
// firing whose run is gone, or was never made.
type auditing struct {
	*bench
	asked  int
	fails  []error
	says   func(clock string) auditor.Finding
	clocks []string
}

func newAuditing(t *testing.T, cw auditor.CronWorkflow, clocks []string, changes ...func(*backfill.Options)) *auditing {
	a := &auditing{clocks: clocks}
	a.says = a.record
	a.bench = newBench(t, newCluster("04:44:35", cw), byHand(), append(changes, func(o *backfill.Options) { o.Replan = a.replan })...)
	return a
}

func (a *auditing) replan(context.Context, backfill.Key) (backfill.Plan, error) {
	a.asked++
	if len(a.fails) > 0 {
		err := a.fails[0]
		a.fails = a.fails[1:]
		return backfill.Plan{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var findings []auditor.Finding
	for _, clock := range a.clocks {
		findings = append(findings, a.says(clock))
	}
	return a.plan(findings...), nil
}

// record says of a firing what the add-on has on record.
func (a *auditing) record(clock string) auditor.Finding {
	if a.made[auditor.WorkflowName(key.Name, at(clock))] > 0 {
		return finding(clock, auditor.Backfilled)
	}
	return finding(clock, auditor.Missed)
}

func unknown(clock string) auditor.Finding {
	f := finding(clock, auditor.Unknown)
	f.Reason = auditor.EvidenceGone
	return f
}

// ranAndGone is another Rollcall that makes the run of a firing which Argo's history limit has deleted by now, live runs and all.
func (c *cluster) ranAndGone(clock, by string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := auditor.WorkflowName(key.Name, at(clock))
	c.create(name, by, true)
	delete(c.runs, name)
	for _, clock := range []string{"04:46:00", "04:47:00", "04:48:00"} {
		r := run(clock, took(5*time.Second))
		c.runs[r.Name] = r
	}
	c.cw.Status.LastScheduledTime = at("04:48:00")
}

// threeKept is a CronWorkflow of which Argo, back from its outage, has gone past what was missed.
func threeKept(changes ...func(*auditor.CronWorkflow)) auditor.CronWorkflow {
	return minutely(append(changes, lastScheduled("04:44:00"), func(cw *auditor.CronWorkflow) { cw.Retention.Successful, cw.Retention.Failed = 3, 1 })...)
}

// A plan is shown, and whoever is to agree to it takes five minutes.
func TestAPlanThatWasLeftAtThePromptIsAuditedAnew(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile func(*auditing)
		want      string
		why       string
		made      int
	}{
		"the add-on ran the firing, and its record says so": {
			func(a *auditing) { a.ranAndGone("04:40:00", backfill.ByController) },
			"04:40 AlreadyThere", "It is no longer lost: it was run by Rollcall since.", 1,
		},
		"somebody else ran it, and nothing is on record": {
			func(a *auditing) {
				a.ranAndGone("04:40:00", backfill.ByCLI)
				a.says = unknown
			},
			"04:40 Uncertain/NotSettled", "A new audit cannot tell any more whether it ran; it is not created, since enough runs have ended since for the history limits to have it deleted.", 1,
		},
		"its run is there": {
			func(a *auditing) {
				a.create(auditor.WorkflowName(key.Name, at("04:40:00")), backfill.ByController, true)
			},
			"04:40 AlreadyThere", "It is no longer lost: it was run by Rollcall (controller) since.", 1,
		},
		"Argo ran it": {
			func(a *auditing) {
				a.says = func(clock string) auditor.Finding { return finding(clock, auditor.Late) }
			},
			"04:40 AlreadyThere", "It is no longer lost: it was run by Argo since.", 0,
		},
		"nobody ran it": {func(*auditing) {}, "04:40 Created", "", 1},
		"nobody ran it, and the evidence is no more": {
			func(a *auditing) { a.says = unknown }, "04:40 Created", "", 1, // a run made since would still be there
		},
		"it turned out to be skipped": {
			func(a *auditing) {
				a.says = func(clock string) auditor.Finding {
					f := finding(clock, auditor.Skipped)
					f.Reason = auditor.Suspended
					return f
				}
			},
			"04:40 Left/Suspended", "A firing that is Skipped is recovered only when asked for (--include Skipped).", 0,
		},
		"it is not listed any more": {
			func(a *auditing) { a.clocks = nil }, "04:40 Left/NotOnSchedule", "A new audit does not list it any more.", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuditing(t, threeKept(), []string{"04:40:00"})
				plan := a.plan(missed("04:40:00")...)
				time.Sleep(5 * time.Minute)
				tc.meanwhile(a)
				report := a.executor.Run(t.Context(), plan)
				if diff := cmp.Diff([]string{tc.want}, outcomes(report)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if got := strings.Join(report.Results[0].Why, " "); got != tc.why {
					t.Errorf("said %q, want %q", got, tc.why)
				}
				if n := a.made[auditor.WorkflowName(key.Name, at("04:40:00"))]; n != tc.made {
					t.Errorf("its run was made %d times", n)
				}
			})
		})
	}
}

// More plans than places: by the time the second has its turn, the add-on has run what it is to recover.
func TestAPlanThatWaitedForAPlaceIsAuditedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clocks := []string{"04:40:00", "04:41:00"}
		a := newAuditing(t, threeKept(), clocks, func(o *backfill.Options) { o.Parallel = 1 })
		plans := []backfill.Plan{a.plan(missed(clocks[0])...), a.plan(missed(clocks[1])...)}
		time.AfterFunc(10*time.Second, func() {
			for _, clock := range clocks {
				a.mu.Lock()
				waits := a.made[auditor.WorkflowName(key.Name, at(clock))] == 0
				a.mu.Unlock()
				if waits {
					a.ranAndGone(clock, backfill.ByController)
				}
			}
		})
		var got []string
		for _, report := range a.executor.RunAll(t.Context(), plans) {
			got = append(got, strings.Fields(outcomes(report)[0])[1])
		}
		slices.Sort(got) // which comes first is chance
		if diff := cmp.Diff([]string{"AlreadyThere", "Created"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, clock := range clocks {
			if n := a.made[auditor.WorkflowName(key.Name, at(clock))]; n != 1 {
				t.Errorf("the run of %s was made %d times", clock, n)
			}
		}
	})
}

func TestHowOftenAPlanIsAuditedAnew(t *testing.T) {
	unavailable := apierrors.NewServiceUnavailable("starting")
	forbidden := apierrors.NewForbidden(workflows, "", errors.New("cannot list resource"))
	for name, tc := range map[string]struct {
		old   time.Duration
		fails []error
		cw    auditor.CronWorkflow
		runs  []auditor.Run
		want  int
		ends  string
	}{
		"not while it is new":                      {3 * time.Second, nil, minutely(), nil, 0, "Created"},
		"once, whatever this plan itself has made": {time.Minute, nil, minutely(), nil, 1, "Created"},
		"until the API server answers":             {time.Minute, []error{unavailable, unavailable}, minutely(), nil, 3, "Created"},
		"nothing is made where it is not permitted": {
			time.Minute, []error{forbidden, forbidden}, minutely(), nil, 1, "Blocked/NotAllowed",
		},
		"again when there is room after a wait, and not while there is none": {
			time.Minute, nil, minutely(schedules("40 * * * *"), concurrency(auditor.Forbid), deadline(time.Hour)),
			[]auditor.Run{run("03:40:00", func(r *auditor.Run) { r.StartedAt = at("04:36:00") })}, 2, "Created",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clocks := []string{"04:40:00", "04:41:00"}
				a := newAuditing(t, tc.cw, clocks)
				a.lasts, a.reconciles, a.fails = 12*time.Minute, true, tc.fails
				if tc.runs == nil {
					a.lasts = time.Second
				}
				for _, r := range tc.runs {
					a.runs[r.Name] = r
					a.cw.Status.Active = append(a.cw.Status.Active, r.Name)
				}
				plan := a.plan(missed(clocks[0])...)
				if tc.runs == nil {
					plan = a.plan(missed(clocks...)...)
				}
				time.Sleep(tc.old)
				report := a.executor.Run(t.Context(), plan)
				for _, got := range outcomes(report) {
					if !strings.HasSuffix(got, tc.ends) {
						t.Errorf("%s, want %s", got, tc.ends)
					}
				}
				if a.asked != tc.want {
					t.Errorf("audited %d times, want %d", a.asked, tc.want)
				}
			})
		})
	}
}

func TestNothingIsRecoveredThatTheUserHasNotAgreedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuditing(t, minutely(), []string{"04:40:00", "04:41:00"})
		plan := a.plan(finding("04:40:00", auditor.Missed), finding("04:41:00", auditor.Skipped))
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"04:40 Created", "04:41 Left/NotTaken"}, outcomes(a.executor.Run(t.Context(), plan))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestAnInterruptionEndsANewAuditToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		a := newAuditing(t, minutely(), []string{"04:40:00"})
		a.says = func(clock string) auditor.Finding {
			cancel()
			return finding(clock, auditor.Missed)
		}
		plan := a.plan(missed("04:40:00")...)
		time.Sleep(time.Minute)
		report := a.executor.Run(ctx, plan)
		if diff := cmp.Diff([]string{"04:40 Interrupted/Interrupted"}, outcomes(report)); diff != "" || report.Results[0].LastError != nil {
			t.Errorf("%v (-want +got):\n%s", report.Results[0].LastError, diff)
		}
	})
}

// What the look shows of another Rollcall counts also where Argo had gone past everything before the plan was made.
func TestWhereAnotherRollcallIsAtWorkAFiringWhoseRunMayBeGoneIsNotMade(t *testing.T) {
	for name, tc := range map[string]struct {
		by   string
		kept int
		want []string
	}{
		"the add-on":                       {backfill.ByController, 0, []string{"04:40 AlreadyThere", "04:41 Uncertain/NotSettled"}},
		"a second person":                  {backfill.ByCLI, 0, []string{"04:40 AlreadyThere", "04:41 Uncertain/NotSettled"}},
		"no run of its can be deleted yet": {backfill.ByController, 10, []string{"04:40 AlreadyThere", "04:41 Created"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cw := minutely(lastScheduled("04:44:00"), func(cw *auditor.CronWorkflow) { cw.Retention.Successful = tc.kept })
				b := newBench(t, newCluster("04:44:35", cw), byHand())
				plan := b.plan(missed("04:40:00", "04:41:00")...)
				time.Sleep(2 * time.Second)
				b.create(auditor.WorkflowName(key.Name, at("04:40:00")), tc.by, true)
				if diff := cmp.Diff(tc.want, outcomes(b.executor.Run(t.Context(), plan))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
	t.Run("its own runs are no sign", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cw := minutely(lastScheduled("04:44:00"), func(cw *auditor.CronWorkflow) { cw.Retention.Successful = 0 })
			b := newBench(t, newCluster("04:44:35", cw, run("04:39:00", recovered)), byHand())
			report := b.executor.Run(t.Context(), b.plan(append(missed("04:40:00", "04:41:00"), finding("04:39:00", auditor.Backfilled))...))
			if diff := cmp.Diff([]string{"04:39 AlreadyThere", "04:40 Created", "04:41 Created"}, outcomes(report)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	})
}
