package backfill_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// planned writes a plan's steps short: what is recovered in the order of creation, then what is left with its reason.
func planned(plan backfill.Plan) (recover []string, left map[string]auditor.Reason) {
	for _, s := range plan.ToRecover() {
		recover = append(recover, s.Finding.ScheduledTime.Format("15:04"))
	}
	for _, s := range plan.Steps {
		if !s.Recover {
			if left == nil {
				left = map[string]auditor.Reason{}
			}
			left[s.Finding.ScheduledTime.Format("15:04")] = s.Reason
		}
	}
	return recover, left
}

func missed(clocks ...string) (findings []auditor.Finding) {
	for _, c := range clocks {
		findings = append(findings, finding(c, auditor.Missed))
	}
	return findings
}

func TestPlan(t *testing.T) {
	likely := finding("04:40:00", auditor.Missed)
	likely.Certainty = auditor.Likely
	three := missed("04:40:00", "04:41:00", "04:42:00")

	for name, tc := range map[string]struct {
		cw       auditor.CronWorkflow
		findings []auditor.Finding
		policy   backfill.Policy
		now      string
		recover  []string
		left     map[string]auditor.Reason
	}{
		"missed firings are recovered, the oldest first": {
			cw: minutely(), findings: three, policy: byHand(), recover: []string{"04:40", "04:41", "04:42"},
		},
		"the order of the findings does not matter": {
			cw: minutely(), findings: missed("04:42:00", "04:40:00", "04:41:00"), policy: byHand(), recover: []string{"04:40", "04:41", "04:42"},
		},
		"the newest go first when asked": {
			cw: minutely(), findings: three, policy: byHand(func(p *backfill.Policy) { p.Order = backfill.NewestFirst }),
			recover: []string{"04:42", "04:41", "04:40"},
		},
		"Forbid takes the oldest first whatever is asked": {
			cw: minutely(concurrency(auditor.Forbid)), findings: three, policy: byHand(func(p *backfill.Policy) { p.Order = backfill.NewestFirst }),
			recover: []string{"04:40", "04:41", "04:42"},
		},
		"a stopStrategy takes the oldest first whatever is asked": {
			cw:       minutely(spec(func(s *auditor.Spec) { s.StopStrategy = true })),
			findings: three, policy: byHand(func(p *backfill.Policy) { p.Order = backfill.NewestFirst }),
			recover: []string{"04:40", "04:41", "04:42"},
		},
		"detached runs of Forbid go in the order that is asked": {
			cw: minutely(concurrency(auditor.Forbid)), findings: three, policy: byHand(detached, func(p *backfill.Policy) { p.Order = backfill.NewestFirst }),
			recover: []string{"04:42", "04:41", "04:40"},
		},
		"by hand Missed, Expired and GaveUp are taken, nothing else": {
			cw: minutely(), policy: byHand(ignoreDeadline), now: "05:00:00",
			findings: []auditor.Finding{
				finding("04:40:00", auditor.OnTime), finding("04:41:00", auditor.Late), finding("04:42:00", auditor.Backfilled),
				finding("04:43:00", auditor.Pending), finding("04:44:00", auditor.Skipped), finding("04:45:00", auditor.Missed),
				finding("04:46:00", auditor.Expired), finding("04:47:00", auditor.GaveUp), finding("04:48:00", auditor.Unknown),
			},
			recover: []string{"04:45", "04:46", "04:47"},
			left: map[string]auditor.Reason{
				"04:40": "", "04:41": "", "04:42": "", "04:43": backfill.NotTaken, "04:44": backfill.NotTaken, "04:48": backfill.NotTaken,
			},
		},
		"Skipped and Unknown are taken when included": {
			cw: minutely(), policy: byHand(func(p *backfill.Policy) { p.Include = []auditor.Verdict{auditor.Skipped, auditor.Unknown} }),
			findings: []auditor.Finding{finding("04:40:00", auditor.Skipped), finding("04:41:00", auditor.Unknown)},
			recover:  []string{"04:40", "04:41"},
		},
		"automatically only Missed is taken": {
			cw: minutely(), policy: automatic(),
			findings: []auditor.Finding{finding("04:40:00", auditor.Missed), finding("04:41:00", auditor.Expired), finding("04:42:00", auditor.GaveUp)},
			recover:  []string{"04:40"},
			left:     map[string]auditor.Reason{"04:41": auditor.DeadlinePassed, "04:42": backfill.NotTaken},
		},
		"automatically a likely miss is left": {
			cw: minutely(), policy: automatic(), findings: []auditor.Finding{likely}, left: map[string]auditor.Reason{"04:40": backfill.NotCertain},
		},
		"by hand a likely miss is taken": {
			cw: minutely(), policy: byHand(), findings: []auditor.Finding{likely}, recover: []string{"04:40"},
		},
		"automatically nothing is recovered without a starting deadline": {
			cw: minutely(deadline(0)), policy: automatic(), findings: missed("04:40:00"), left: map[string]auditor.Reason{"04:40": backfill.NoDeadline},
		},
		"the annotation sets a deadline where the spec has none": {
			cw:     minutely(deadline(0), func(cw *auditor.CronWorkflow) { cw.Settings.Deadline = time.Hour }),
			policy: automatic(), findings: missed("04:40:00"), recover: []string{"04:40"},
		},
		"the flag sets a deadline where neither does": {
			cw: minutely(deadline(0)), policy: automatic(func(p *backfill.Policy) { p.DefaultDeadline = time.Hour }),
			findings: missed("04:40:00"), recover: []string{"04:40"},
		},
		"the spec's deadline goes before the annotation's and the flag's": {
			cw:       minutely(func(cw *auditor.CronWorkflow) { cw.Settings.Deadline = 24 * time.Hour }),
			policy:   automatic(func(p *backfill.Policy) { p.DefaultDeadline = 24 * time.Hour }),
			findings: missed("04:40:00"), now: "04:50:00", left: map[string]auditor.Reason{"04:40": auditor.DeadlinePassed},
		},
		"automatically a deadline of just under 20 s is too short": {
			cw: minutely(deadline(19 * time.Second)), policy: automatic(), findings: missed("04:40:00"), now: "04:40:15",
			left: map[string]auditor.Reason{"04:40": backfill.DeadlineTooShort},
		},
		"automatically a deadline of 20 s will do": {
			cw: minutely(deadline(20 * time.Second)), policy: automatic(), findings: missed("04:40:00"), now: "04:40:15", recover: []string{"04:40"},
		},
		"by hand a deadline of under 20 s will do": {
			cw: minutely(deadline(19 * time.Second)), policy: byHand(), findings: missed("04:40:00"), now: "04:40:15", recover: []string{"04:40"},
		},
		"by hand no starting deadline is needed": {
			cw: minutely(deadline(0)), policy: byHand(), findings: []auditor.Finding{finding("04:40:00", auditor.Expired)}, recover: []string{"04:40"},
		},
		"just before the deadline a firing is recovered": {
			cw: minutely(), policy: byHand(), findings: missed("04:40:00"), now: "04:49:59.999", recover: []string{"04:40"},
		},
		"at the deadline a firing is left": {
			cw: minutely(), policy: byHand(), findings: missed("04:40:00"), now: "04:50:00", left: map[string]auditor.Reason{"04:40": auditor.DeadlinePassed},
		},
		"past the deadline a firing is recovered when the deadline is ignored": {
			cw: minutely(), policy: byHand(ignoreDeadline), findings: missed("04:40:00"), now: "04:50:00", recover: []string{"04:40"},
		},
		"suspended: everything is left": {
			cw: minutely(spec(func(s *auditor.Spec) { s.Suspend = true })), policy: byHand(includeSkipped),
			findings: []auditor.Finding{finding("04:40:00", auditor.Missed), finding("04:41:00", auditor.Skipped)},
			left:     map[string]auditor.Reason{"04:40": auditor.Suspended, "04:41": auditor.Suspended},
		},
		"suspended once and resumed since: recovered": {
			cw: minutely(func(cw *auditor.CronWorkflow) {
				resumed := cw.Epochs[0]
				resumed.From = at("04:39:30")
				cw.Epochs[0].Spec.Suspend = true
				cw.Epochs = []auditor.Epoch{resumed, cw.Epochs[0]}
			}),
			policy: byHand(), findings: missed("04:40:00"), recover: []string{"04:40"},
		},
		"stopped: everything is left": {
			cw:     minutely(func(cw *auditor.CronWorkflow) { cw.Status.Stopped = true }),
			policy: byHand(), findings: three,
			left: map[string]auditor.Reason{"04:40": auditor.Stopped, "04:41": auditor.Stopped, "04:42": auditor.Stopped},
		},
		"automatically an unserved CronWorkflow is left": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Served = false }), policy: automatic(), findings: missed("04:40:00"),
			left: map[string]auditor.Reason{"04:40": backfill.NotServed},
		},
		"by hand an unserved CronWorkflow is recovered": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Served = false }), policy: byHand(), findings: missed("04:40:00"), recover: []string{"04:40"},
		},
		"automatically a CronWorkflow whose audit is off is left": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Settings.Off = true }), policy: automatic(), findings: missed("04:40:00"),
			left: map[string]auditor.Reason{"04:40": backfill.SwitchedOff},
		},
		"automatically a CronWorkflow whose backfill is off is left": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Settings.Backfill = auditor.BackfillOff }), policy: automatic(), findings: missed("04:40:00"),
			left: map[string]auditor.Reason{"04:40": backfill.SwitchedOff},
		},
		"by hand the annotation does not count": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Settings.Backfill = auditor.BackfillOff }), policy: byHand(), findings: missed("04:40:00"),
			recover: []string{"04:40"},
		},
		"a name that Argo never schedules is left": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Name = strings.Repeat("x", 53) }), policy: byHand(), findings: missed("04:40:00"),
			left: map[string]auditor.Reason{"04:40": backfill.NameTooLong},
		},
		"a name of 52 characters is recovered": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Name = strings.Repeat("x", 52) }), policy: byHand(), findings: missed("04:40:00"),
			recover: []string{"04:40"},
		},
		"an unknown spec is left": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Epochs = nil }), policy: byHand(), findings: missed("04:40:00"),
			left: map[string]auditor.Reason{"04:40": auditor.SpecUnknown},
		},
		"a when expression cannot be judged, so the firing is left": {
			cw: minutely(spec(func(s *auditor.Spec) { s.When = "{{= false}}" })), policy: byHand(), findings: missed("04:40:00"),
			left: map[string]auditor.Reason{"04:40": auditor.WhenUnknown},
		},
		"a when expression that is false now stands against it": {
			cw:     minutely(spec(func(s *auditor.Spec) { s.When = "{{= false}}" }), judged(func(time.Time) bool { return false })),
			policy: byHand(), findings: missed("04:40:00"), left: map[string]auditor.Reason{"04:40": auditor.When},
		},
		"with a when expression that is true now the firing is recovered": {
			cw:     minutely(spec(func(s *auditor.Spec) { s.When = "{{= true}}" }), judged(func(time.Time) bool { return true })),
			policy: automatic(), findings: missed("04:40:00"), recover: []string{"04:40"},
		},
		"a when expression is the user's business when he includes Unknown": {
			cw: minutely(spec(func(s *auditor.Spec) { s.When = "{{= false}}" })), policy: byHand(includeUnknown), findings: missed("04:40:00"),
			recover: []string{"04:40"},
		},
		"automatically a when expression stands against it whatever is included": {
			cw: minutely(spec(func(s *auditor.Spec) { s.When = "{{= false}}" })), policy: automatic(includeUnknown), findings: missed("04:40:00"),
			left: map[string]auditor.Reason{"04:40": auditor.WhenUnknown},
		},
		"only the newest of too many are recovered": {
			cw: minutely(), findings: three, policy: byHand(func(p *backfill.Policy) { p.MaxCatchUp = 2 }),
			recover: []string{"04:41", "04:42"}, left: map[string]auditor.Reason{"04:40": auditor.TooManyMissed},
		},
		"as many as catch-up allows are recovered": {
			cw: minutely(), findings: three, policy: byHand(func(p *backfill.Policy) { p.MaxCatchUp = 3 }),
			recover: []string{"04:40", "04:41", "04:42"},
		},
		"what is left anyway does not count towards too many": {
			cw: minutely(), findings: append(missed("04:40:00", "04:41:00"), finding("04:42:00", auditor.OnTime)),
			policy:  byHand(func(p *backfill.Policy) { p.MaxCatchUp = 2 }),
			recover: []string{"04:40", "04:41"}, left: map[string]auditor.Reason{"04:42": ""},
		},
		"catch-up latest recovers only the newest": {
			cw: minutely(), findings: three, policy: byHand(func(p *backfill.Policy) { p.CatchUp = auditor.CatchUpLatest }),
			recover: []string{"04:42"}, left: map[string]auditor.Reason{"04:40": auditor.Superseded, "04:41": auditor.Superseded},
		},
		"catch-up none recovers nothing": {
			cw: minutely(), findings: missed("04:40:00"), policy: automatic(func(p *backfill.Policy) { p.CatchUp = auditor.CatchUpNone }),
			left: map[string]auditor.Reason{"04:40": backfill.SwitchedOff},
		},
		"automatically the annotation's catch-up goes before the flag's": {
			cw:       minutely(func(cw *auditor.CronWorkflow) { cw.Settings.CatchUp = auditor.CatchUpAll }),
			findings: three, policy: automatic(func(p *backfill.Policy) { p.CatchUp = auditor.CatchUpNone }),
			recover: []string{"04:40", "04:41", "04:42"},
		},
		"by hand the annotation's catch-up does not count": {
			cw:       minutely(func(cw *auditor.CronWorkflow) { cw.Settings.CatchUp = auditor.CatchUpNone }),
			findings: three, policy: byHand(), recover: []string{"04:40", "04:41", "04:42"},
		},
		"Replace recovers only the newest": {
			cw: minutely(concurrency(auditor.Replace)), findings: three, policy: byHand(),
			recover: []string{"04:42"}, left: map[string]auditor.Reason{"04:40": auditor.Superseded, "04:41": auditor.Superseded},
		},
		"Replace recovers none when a newer firing ran": {
			cw: minutely(concurrency(auditor.Replace)), findings: append(missed("04:40:00"), finding("04:41:00", auditor.OnTime)), policy: byHand(),
			left: map[string]auditor.Reason{"04:40": auditor.Superseded, "04:41": ""},
		},
		"Replace recovers none when the status says that a newer firing ran": {
			cw: minutely(concurrency(auditor.Replace), lastScheduled("04:43:00")), findings: three, policy: byHand(),
			left: map[string]auditor.Reason{"04:40": auditor.Superseded, "04:41": auditor.Superseded, "04:42": auditor.Superseded},
		},
		"Replace recovers the firing whose time Rollcall had written before an interruption": {
			cw:       minutely(concurrency(auditor.Replace), lastScheduled("04:42:00"), func(cw *auditor.CronWorkflow) { cw.Status.Intended = at("04:42:00") }),
			findings: three, policy: byHand(),
			recover: []string{"04:42"}, left: map[string]auditor.Reason{"04:40": auditor.Superseded, "04:41": auditor.Superseded},
		},
		"detached runs of Replace are all recovered": {
			cw: minutely(concurrency(auditor.Replace)), findings: three, policy: byHand(detached), recover: []string{"04:40", "04:41", "04:42"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := at("04:45:00")
			if tc.now != "" {
				now = at(tc.now)
			}
			plan := backfill.NewPlan(tc.cw, tc.findings, tc.policy, now)
			recover, left := planned(plan)
			if diff := cmp.Diff(tc.recover, recover); diff != "" {
				t.Errorf("recovered (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.left, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			for _, s := range plan.Steps {
				if s.Recover != (s.Why == "") {
					t.Errorf("%s: recover %v, but the sentence is %q", s.Finding.Workflow, s.Recover, s.Why)
				}
			}
		})
	}
}

func TestPlanNamesTheWayOutOfASuspension(t *testing.T) {
	cw := minutely(spec(func(s *auditor.Spec) { s.Suspend = true }))
	got := backfill.NewPlan(cw, missed("04:40:00"), byHand(), at("04:45:00"))
	want := backfill.Plan{
		CronWorkflow: key, Order: backfill.OldestFirst, MadeAt: at("04:45:00"), LastScheduledTime: at("04:39:00"),
		Steps: []backfill.Step{{
			Finding: finding("04:40:00", auditor.Missed), Reason: auditor.Suspended, Deadline: at("04:50:00"),
			Why: `The CronWorkflow is suspended: resume it first (argo cron resume tick -n default, or kubectl patch cronworkflow tick -n default --type merge -p '{"spec":{"suspend":false}}').`,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPlanWarnsOfWhatTheUserShouldKnowBeforeHeAgrees(t *testing.T) {
	likely := finding("04:40:00", auditor.Missed)
	likely.Certainty = auditor.Likely
	for name, tc := range map[string]struct {
		cw       auditor.CronWorkflow
		findings []auditor.Finding
		policy   backfill.Policy
		want     []string
	}{
		"nothing to warn of": {cw: minutely(), findings: missed("04:40:00"), policy: byHand()},
		"nothing is recovered, so there is nothing to warn of": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Served = false }), findings: []auditor.Finding{finding("04:40:00", auditor.OnTime)}, policy: byHand(),
		},
		"no controller looks after it": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Served = false }), findings: missed("04:40:00"), policy: byHand(),
			want: []string{"No Argo controller has ever looked after this CronWorkflow: the runs may never start (is its instance ID the right one?)."},
		},
		"Argo finds it invalid": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Status.SpecError = "no templates" }), findings: missed("04:40:00"), policy: byHand(),
			want: []string{"Argo finds this CronWorkflow invalid, so the runs may fail at once: no templates"},
		},
		"its annotation asks for less": {
			cw: minutely(func(cw *auditor.CronWorkflow) { cw.Settings.CatchUp = auditor.CatchUpLatest }), findings: missed("04:40:00"), policy: byHand(),
			want: []string{"Its annotation rollcall.dev/catch-up: latest holds for automatic recovery only; here all that were named count."},
		},
		"some may run twice": {
			cw: minutely(), findings: []auditor.Finding{likely, finding("04:41:00", auditor.Unknown)}, policy: byHand(includeUnknown),
			want: []string{
				"For 1 of the 2 firings it is likely but not certain that they did not run.",
				"For 1 of the 2 firings it is unknown whether they ran: they may run a second time.",
			},
		},
		"detached runs and Forbid": {
			cw: minutely(concurrency(auditor.Forbid)), findings: missed("04:40:00"), policy: byHand(detached),
			want: []string{"Detached runs are invisible to concurrencyPolicy Forbid: live runs start beside them."},
		},
		"a when expression": {
			cw: minutely(spec(func(s *auditor.Spec) { s.When = "{{= true}}" })), findings: missed("04:40:00"), policy: byHand(includeUnknown),
			want: []string{"Its when expression is not judged: the runs start whatever it says."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, backfill.NewPlan(tc.cw, tc.findings, tc.policy, at("04:45:00")).Warnings); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever the findings and the policy: every finding has one step, no more than MaxCatchUp are recovered, only verdicts that
// are taken, and under Replace at most one, which no newer run makes pointless.
func TestPlanKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cw := minutely(concurrency(rapid.SampledFrom([]auditor.Policy{"", auditor.Allow, auditor.Forbid, auditor.Replace}).Draw(t, "concurrency")))
		policy := rapid.SampledFrom([]func(...func(*backfill.Policy)) backfill.Policy{byHand, automatic}).Draw(t, "by")()
		policy.MaxCatchUp = rapid.IntRange(1, 5).Draw(t, "max catch-up")
		policy.Order = rapid.SampledFrom([]backfill.Order{backfill.OldestFirst, backfill.NewestFirst}).Draw(t, "order")
		var findings []auditor.Finding
		for i, verdict := range rapid.SliceOfN(rapid.SampledFrom(auditor.Verdicts()), 0, 15).Draw(t, "verdicts") {
			findings = append(findings, finding(fmt.Sprintf("04:%02d:00", 40+i), verdict))
		}
		plan := backfill.NewPlan(cw, findings, policy, at("04:45:00"))

		if len(plan.Steps) != len(findings) {
			t.Fatalf("%d steps for %d findings", len(plan.Steps), len(findings))
		}
		recovered := plan.ToRecover()
		if len(recovered) > policy.MaxCatchUp {
			t.Fatalf("%d are recovered, %d is the most", len(recovered), policy.MaxCatchUp)
		}
		for _, s := range recovered {
			if !s.Finding.Verdict.Lost() {
				t.Fatalf("%s is recovered", s.Finding.Verdict)
			}
		}
		if cw.Epochs[0].Spec.Policy != auditor.Replace || len(recovered) == 0 {
			return
		}
		if len(recovered) > 1 {
			t.Fatalf("Replace: %d are recovered", len(recovered))
		}
		for _, f := range findings {
			if f.Verdict.Ran() && f.ScheduledTime.After(recovered[0].Finding.ScheduledTime) {
				t.Fatalf("Replace: %s is recovered although the newer %s ran", recovered[0].Finding.Workflow, f.Workflow)
			}
		}
	})
}
