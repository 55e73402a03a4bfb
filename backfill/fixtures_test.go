package backfill_test

import (
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// The CronWorkflow of the tests fires at every full minute from 04:00 on; most tests recover its firing of 04:40.
var (
	day = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	key = backfill.Key{Namespace: "default", Name: "tick", UID: "uid-tick"}
)

// at is a time of that day, such as "04:40:00" or "04:40:00.5".
func at(clock string) time.Time {
	t, err := time.Parse("15:04:05", clock)
	if err != nil {
		panic(err)
	}
	return day.Add(t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)))
}

// minutely is a served CronWorkflow that fires every minute, with a starting deadline of ten minutes.
func minutely(changes ...func(*auditor.CronWorkflow)) auditor.CronWorkflow {
	cw := auditor.CronWorkflow{
		Namespace: key.Namespace, Name: key.Name, UID: key.UID, CreatedAt: day, Served: true,
		Epochs:    []auditor.Epoch{{From: day, Spec: auditor.Spec{Schedules: []string{"* * * * *"}, StartingDeadline: 10 * time.Minute}}},
		Status:    auditor.Status{LastScheduledTime: at("04:39:00")},
		Retention: auditor.Retention{Successful: 10, Failed: 10, TTL: -1}, // more than any test has under way: see deletedSoon
	}
	for _, change := range changes {
		change(&cw)
	}
	return cw
}

func spec(change func(*auditor.Spec)) func(*auditor.CronWorkflow) {
	return func(cw *auditor.CronWorkflow) { change(&cw.Epochs[len(cw.Epochs)-1].Spec) }
}

func schedules(expressions ...string) func(*auditor.CronWorkflow) {
	return spec(func(s *auditor.Spec) { s.Schedules = expressions })
}

func concurrency(policy auditor.Policy) func(*auditor.CronWorkflow) {
	return spec(func(s *auditor.Spec) { s.Policy = policy })
}

func deadline(d time.Duration) func(*auditor.CronWorkflow) {
	return spec(func(s *auditor.Spec) { s.StartingDeadline = d })
}

func lastScheduled(clock string) func(*auditor.CronWorkflow) {
	return func(cw *auditor.CronWorkflow) { cw.Status.LastScheduledTime = at(clock) }
}

// byHand is what rollcall backfill allows by default.
func byHand(changes ...func(*backfill.Policy)) backfill.Policy {
	p := backfill.Policy{
		By: backfill.ByCLI, MaxParallel: 10, MaxCatchUp: 100, Order: backfill.OldestFirst,
		Verdicts: []auditor.Verdict{auditor.Missed, auditor.Expired, auditor.GaveUp},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

// automatic is what the controller allows by default.
func automatic(changes ...func(*backfill.Policy)) backfill.Policy {
	return byHand(append([]func(*backfill.Policy){func(p *backfill.Policy) {
		p.By, p.Verdicts, p.CertainOnly = backfill.ByController, []auditor.Verdict{auditor.Missed}, true
	}}, changes...)...)
}

func ignoreDeadline(p *backfill.Policy) { p.IgnoreDeadline = true }
func detached(p *backfill.Policy)       { p.Detached = true }
func includeUnknown(p *backfill.Policy) { p.Include = []auditor.Verdict{auditor.Unknown} }
func includeSkipped(p *backfill.Policy) { p.Include = []auditor.Verdict{auditor.Skipped} }

// finding is the audit's word on the firing at that time.
func finding(clock string, verdict auditor.Verdict) auditor.Finding {
	f := auditor.Finding{ScheduledTime: at(clock), Workflow: auditor.WorkflowName(key.Name, at(clock)), Verdict: verdict}
	if verdict.Lost() {
		f.Certainty, f.Deadline = auditor.Certain, at(clock).Add(10*time.Minute)
	}
	return f
}

// run is a run of the CronWorkflow's firing that has not ended.
func run(clock string, changes ...func(*auditor.Run)) auditor.Run {
	name := auditor.WorkflowName(key.Name, at(clock))
	r := auditor.Run{
		Name: name, UID: "uid-" + name, Owner: key.UID, Controlled: true, CronLabel: key.Name,
		CreatedAt: at(clock), StartedAt: at(clock),
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func recovered(r *auditor.Run)      { r.BackfilledBy = backfill.ByCLI }
func uncontrolled(r *auditor.Run)   { r.Controlled = false }
func ofSomebodyElse(r *auditor.Run) { r.Owner = "uid-other" }

// took makes the run one that ended after that time.
func took(d time.Duration) func(*auditor.Run) {
	return func(r *auditor.Run) { r.FinishedAt, r.Succeeded = r.StartedAt.Add(d), true }
}
