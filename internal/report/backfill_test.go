package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

var byHand = backfill.Policy{Verdicts: []auditor.Verdict{auditor.Missed, auditor.Expired, auditor.GaveUp}}

func outage() (auditor.Window, backfill.Plan) {
	named := func(f auditor.Finding) auditor.Finding {
		f.Workflow = auditor.WorkflowName("tick", f.ScheduledTime)
		return f
	}
	missed := named(lost("04:40:00", auditor.Missed, auditor.ControllerDown, "04:50:00"))
	second := named(lost("04:41:00", auditor.Missed, auditor.ControllerDown, "04:51:00"))
	expired := named(lost("04:20:00", auditor.Expired, auditor.ControllerDown, "04:30:00"))
	again := named(lost("04:21:00", auditor.Expired, auditor.ControllerDown, "04:31:00"))
	ran := named(auditor.Finding{ScheduledTime: at("04:39:00"), Verdict: auditor.OnTime, CreatedAt: at("04:39:00")})
	return auditor.Window{From: at("04:00:00"), To: at("04:45:00")}, backfill.Plan{
		CronWorkflow: backfill.Key{Namespace: "default", Name: "tick", UID: "1b2c"},
		Warnings:     []string{"For 1 of the 2 firings it is likely but not certain that they did not run."},
		Steps: []backfill.Step{
			{Finding: expired, Reason: auditor.DeadlinePassed, Why: "Its starting deadline passed at 04:30."},
			{Finding: again, Reason: auditor.DeadlinePassed, Why: "Its starting deadline passed at 04:31."},
			{Finding: ran, Why: "It ran (OnTime)."},
			{Finding: missed, Recover: true},
			{Finding: second, Recover: true},
		},
	}
}

func done(plan backfill.Plan) backfill.Report {
	s := plan.Steps
	return backfill.Report{CronWorkflow: plan.CronWorkflow, Results: []backfill.Result{
		{Finding: s[0].Finding, Outcome: backfill.Left, Reason: s[0].Reason, Why: []string{s[0].Why}},
		{Finding: s[1].Finding, Outcome: backfill.Left, Reason: s[1].Reason, Why: []string{s[1].Why}},
		{Finding: s[2].Finding, Outcome: backfill.Left, Why: []string{s[2].Why}},
		{Finding: s[3].Finding, Planned: true, Outcome: backfill.Created, Attempts: 1, CreatedAt: at("04:45:01"), MadeBy: "cli"},
		{
			Finding: s[4].Finding, Planned: true, Outcome: backfill.Blocked, Reason: backfill.NotAllowed, Attempts: 1,
			Why: []string{"The API server refuses it until somebody acts."}, LastError: errors.New("exceeded quota: none"),
		},
	}}
}

func TestATableOfABackfill(t *testing.T) {
	window, plan := outage()
	interrupted := done(plan)
	interrupted.Interrupted = true
	for name, c := range map[string]struct {
		report *BackfillReport
		want   string
	}{
		"before: what is to be created, and why the rest is left": {NewPlanReport(at("04:45:00"), window, byHand, plan), `default/tick: 2 runs to create, 2 left, 1 ran
  2026-11-23T04:40:00Z  Missed, certain  5m left  tick-1795408800  create
  2026-11-23T04:41:00Z  Missed, certain  6m left  tick-1795408860  create
  Left
    2026-11-23T04:20:00Z – 2026-11-23T04:21:00Z: 2 Expired. Its starting deadline passed at 04:30.
  ! For 1 of the 2 firings it is likely but not certain that they did not run.
`},
		"after: what became of each": {NewBackfillReport(at("04:45:05"), window, byHand, plan, done(plan)), `default/tick: 1 of 2 recovered, 2 left, 1 ran
  2026-11-23T04:40:00Z  Missed, certain  tick-1795408800  Created
  2026-11-23T04:41:00Z  Missed, certain  tick-1795408860  Blocked (NotAllowed)
  The API server refuses it until somebody acts.
  Left
    2026-11-23T04:20:00Z – 2026-11-23T04:21:00Z: 2 Expired. Its starting deadline passed at 04:30.
`},
		"nothing to do": {NewPlanReport(at("04:45:00"), window, byHand, backfill.Plan{CronWorkflow: plan.CronWorkflow, Steps: plan.Steps[2:3]}), `default/tick: nothing to recover, 1 ran
`},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := BackfillTable(&b, c.report, Style{UTF8: true}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, b.String()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestABackfillReportIsADocumentForScripts(t *testing.T) {
	window, plan := outage()
	r := NewBackfillReport(at("04:45:05"), window, byHand, plan, done(plan))
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	expired := `"verdict":"Expired","certainty":"certain","cause":"ControllerDown"`
	missed := `"verdict":"Missed","certainty":"certain","cause":"ControllerDown"`
	want := `{"apiVersion":"rollcall.dev/v1alpha1","kind":"BackfillReport","generatedAt":"2026-11-23T04:45:05Z","namespace":"default","name":"tick","uid":"1b2c",` +
		`"from":"2026-11-23T04:00:00Z","to":"2026-11-23T04:45:00Z","totals":{"Blocked":1,"Created":1,"Left":2,"Ran":1},` +
		`"warnings":["For 1 of the 2 firings it is likely but not certain that they did not run."],"firings":[` +
		`{"scheduledTime":"2026-11-23T04:20:00Z","workflow":"tick-1795407600",` + expired + `,"deadline":"2026-11-23T04:30:00Z","outcome":"Left","reason":"DeadlinePassed","why":"Its starting deadline passed at 04:30."},` +
		`{"scheduledTime":"2026-11-23T04:21:00Z","workflow":"tick-1795407660",` + expired + `,"deadline":"2026-11-23T04:31:00Z","outcome":"Left","reason":"DeadlinePassed","why":"Its starting deadline passed at 04:31."},` +
		`{"scheduledTime":"2026-11-23T04:39:00Z","workflow":"tick-1795408740","verdict":"OnTime","outcome":"Ran","createdAt":"2026-11-23T04:39:00Z"},` +
		`{"scheduledTime":"2026-11-23T04:40:00Z","workflow":"tick-1795408800",` + missed + `,"deadline":"2026-11-23T04:50:00Z","outcome":"Created","createdAt":"2026-11-23T04:45:01Z","madeBy":"cli","attempts":1},` +
		`{"scheduledTime":"2026-11-23T04:41:00Z","workflow":"tick-1795408860",` + missed + `,"deadline":"2026-11-23T04:51:00Z","outcome":"Blocked","reason":"NotAllowed",` +
		`"why":"The API server refuses it until somebody acts.","attempts":1,"error":"exceeded quota: none"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if r.Lost() != 3 {
		t.Errorf("%d are lost, want the two that it is too late for and the blocked one", r.Lost())
	}
}

func TestASuspendedCronWorkflowIsRefusedWithTheWayOut(t *testing.T) {
	window, plan := outage()
	plan.Steps[3] = backfill.Step{Finding: plan.Steps[3].Finding, Reason: auditor.Suspended, Why: "The CronWorkflow is suspended: resume it first."}
	if got, want := NewPlanReport(at("04:45:00"), window, byHand, plan).Refused(), "CronWorkflow default/tick: The CronWorkflow is suspended: resume it first."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := NewPlanReport(at("04:45:00"), window, backfill.Policy{Verdicts: []auditor.Verdict{auditor.GaveUp}}, plan).Refused(); got != "" {
		t.Errorf("what was not asked for refuses: %q", got)
	}
}
