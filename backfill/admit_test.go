package backfill_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

func goAhead() backfill.Admission { return backfill.Admission{Decision: backfill.Go} }

func waitUntil(clock string) backfill.Admission {
	return backfill.Admission{Decision: backfill.Wait, Until: at(clock)}
}

func refusal(reason auditor.Reason) backfill.Admission {
	return backfill.Admission{Decision: backfill.Refuse, Reason: reason}
}

func active(names ...string) func(*auditor.CronWorkflow) {
	return func(cw *auditor.CronWorkflow) { cw.Status.Active = names }
}

// judged gives what a when expression says of a time.
func judged(of func(time.Time) bool) func(*auditor.CronWorkflow) {
	return func(cw *auditor.CronWorkflow) { cw.When = condition(of) }
}

type condition func(time.Time) bool

func (c condition) Holds(_ string, m auditor.Moment) (bool, error) { return c(m.At), nil }

// live is a look at a CronWorkflow and its runs.
func live(cw auditor.CronWorkflow, runs ...auditor.Run) backfill.Look {
	return backfill.Look{CronWorkflow: cw, Runs: runs, ResourceVersion: "1"}
}

type admission struct {
	look   backfill.Look
	policy backfill.Policy
	// at is the firing, 04:40:00 if not said.
	at   string
	now  string
	want backfill.Admission
}

func checkAdmissions(t *testing.T, table map[string]admission) {
	t.Helper()
	for name, tc := range table {
		t.Run(name, func(t *testing.T) {
			firing := at("04:40:00")
			if tc.at != "" {
				firing = at(tc.at)
			}
			got := backfill.Admit(tc.look, key, firing, tc.policy, at(tc.now))
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(backfill.Admission{}, "Why")); diff != "" {
				t.Errorf("(-want +got):\n%s%s", diff, got.Why)
			}
			if (got.Decision == backfill.Go) != (got.Why == "") {
				t.Errorf("%s, but the sentence is %q", got.Decision, got.Why)
			}
		})
	}
}

func TestAdmitAsksWhetherTheFiringMayStillRun(t *testing.T) {
	suspend := spec(func(s *auditor.Spec) { s.Suspend = true })
	when := spec(func(s *auditor.Spec) { s.When = "{{= true}}" })
	checkAdmissions(t, map[string]admission{
		"a missed firing may run":                           {look: live(minutely()), policy: byHand(), now: "04:44:40", want: goAhead()},
		"automatically too":                                 {look: live(minutely()), policy: automatic(), now: "04:44:40", want: goAhead()},
		"not on a CronWorkflow made anew":                   {look: live(minutely(func(cw *auditor.CronWorkflow) { cw.UID = "uid-new" })), policy: byHand(), now: "04:44:40", want: refusal(backfill.Gone)},
		"not while suspended":                               {look: live(minutely(suspend)), policy: byHand(), now: "04:44:40", want: refusal(auditor.Suspended)},
		"not when stopped":                                  {look: live(minutely(func(cw *auditor.CronWorkflow) { cw.Status.Stopped = true })), policy: byHand(), now: "04:44:40", want: refusal(auditor.Stopped)},
		"not when the schedule no longer names the time":    {look: live(minutely(schedules("*/7 * * * *"))), policy: byHand(), now: "04:44:40", want: refusal(backfill.NotOnSchedule)},
		"not when the schedule cannot be read":              {look: live(minutely(schedules("61 * * * *"))), policy: byHand(), now: "04:44:40", want: refusal(auditor.SpecUnknown)},
		"not when the spec is not known":                    {look: live(minutely(func(cw *auditor.CronWorkflow) { cw.Epochs = nil })), policy: byHand(), now: "04:44:40", want: refusal(auditor.SpecUnknown)},
		"not before it is due":                              {look: live(minutely()), policy: byHand(), at: "04:46:00", now: "04:44:40", want: refusal(backfill.NotDue)},
		"just before the deadline":                          {look: live(minutely()), policy: byHand(), now: "04:49:54.999", want: goAhead()},
		"not at the deadline":                               {look: live(minutely(deadline(4*time.Minute + 40*time.Second))), policy: byHand(), now: "04:44:40", want: refusal(auditor.DeadlinePassed)},
		"one millisecond before the deadline":               {look: live(minutely(deadline(4*time.Minute + 40*time.Second))), policy: byHand(), now: "04:44:39.999", want: goAhead()},
		"past the deadline when that is ignored":            {look: live(minutely(deadline(time.Minute))), policy: byHand(ignoreDeadline), now: "04:44:40", want: goAhead()},
		"automatically not when the deadline was taken out": {look: live(minutely(deadline(0))), policy: automatic(), now: "04:44:40", want: refusal(backfill.NoDeadline)},
		"not when a when expression cannot be judged":       {look: live(minutely(when)), policy: byHand(), now: "04:44:40", want: refusal(auditor.WhenUnknown)},
		"with a when expression that held and holds":        {look: live(minutely(when, judged(func(time.Time) bool { return true }))), policy: automatic(), now: "04:44:40", want: goAhead()},
		"not when it did not hold for the firing's time":    {look: live(minutely(when, judged(at("04:41:00").Before))), policy: automatic(), now: "04:44:40", want: refusal(auditor.When)},
		"not when it does not hold now":                     {look: live(minutely(when, judged(at("04:41:00").After))), policy: byHand(), now: "04:44:40", want: refusal(auditor.When)},
		"with a when expression that the user answers for":  {look: live(minutely(when)), policy: byHand(includeUnknown), now: "04:44:40", want: goAhead()},
		"not when the status says that it ran":              {look: live(minutely(lastScheduled("04:40:00"))), policy: byHand(), now: "04:44:40", want: refusal(auditor.StatusOnly)},
		"when Rollcall itself wrote that time ahead of the create": {
			look:   live(minutely(lastScheduled("04:40:00"), func(cw *auditor.CronWorkflow) { cw.Status.Intended = at("04:40:00") })),
			policy: byHand(), now: "04:44:40", want: goAhead(),
		},
		"automatically not once the annotation says none": {
			look:   live(minutely(func(cw *auditor.CronWorkflow) { cw.Settings.CatchUp = auditor.CatchUpNone })),
			policy: automatic(), now: "04:44:40", want: refusal(backfill.SwitchedOff),
		},
		"with catch-up latest not when a newer firing ran": {
			look: live(minutely(), run("04:42:00", took(time.Second))), policy: byHand(func(p *backfill.Policy) { p.CatchUp = auditor.CatchUpLatest }),
			now: "04:44:40", want: refusal(auditor.Superseded),
		},
		"with catch-up all when a newer firing ran": {
			look: live(minutely(), run("04:42:00", took(time.Second))), policy: byHand(), now: "04:44:40", want: goAhead(),
		},
		"under a policy that Argo does not know it does not": {
			look: live(minutely(concurrency("Queue"))), policy: byHand(), now: "04:44:40", want: refusal(backfill.NoRoom),
		},
	})
}

func TestAdmitKeepsQuietAroundALiveFiring(t *testing.T) {
	short := deadline(30 * time.Second) // grace is at most half of it
	checkAdmissions(t, map[string]admission{
		"just over 5 s before a firing it goes":                  {look: live(minutely()), policy: byHand(), now: "04:44:54.999", want: goAhead()},
		"5 s before a firing it waits for it":                    {look: live(minutely()), policy: byHand(), now: "04:44:55", want: waitUntil("04:45:00")},
		"at the firing it looks for its run":                     {look: live(minutely()), policy: byHand(), now: "04:45:00", want: waitUntil("04:45:02")},
		"while its run is not seen it looks again":               {look: live(minutely()), policy: byHand(), now: "04:45:10", want: waitUntil("04:45:12")},
		"close to the end of grace it waits for just that":       {look: live(minutely()), policy: byHand(), now: "04:45:29.5", want: waitUntil("04:45:30")},
		"just before the end of grace it waits":                  {look: live(minutely()), policy: byHand(), now: "04:45:29.999", want: waitUntil("04:45:30")},
		"when grace is over it goes":                             {look: live(minutely()), policy: byHand(), now: "04:45:30", want: goAhead()},
		"when its run is there it goes":                          {look: live(minutely(), run("04:45:00")), policy: byHand(), now: "04:45:01", want: goAhead()},
		"somebody else's Workflow of that name does not count":   {look: live(minutely(), run("04:45:00", ofSomebodyElse)), policy: byHand(), now: "04:45:01", want: waitUntil("04:45:03")},
		"the run of the firing before does not count":            {look: live(minutely(), run("04:44:00")), policy: byHand(), now: "04:45:01", want: waitUntil("04:45:03")},
		"when the status says that it ran it goes":               {look: live(minutely(lastScheduled("04:45:00"))), policy: byHand(), now: "04:45:01", want: goAhead()},
		"a detached run keeps quiet too":                         {look: live(minutely()), policy: byHand(detached), now: "04:45:10", want: waitUntil("04:45:12")},
		"grace is at most half the deadline":                     {look: live(minutely(short)), policy: byHand(), at: "04:45:00", now: "04:45:14.999", want: waitUntil("04:45:15")},
		"so half the deadline after the firing it goes":          {look: live(minutely(short)), policy: byHand(), at: "04:45:00", now: "04:45:15", want: goAhead()},
		"grace is at least 10 s":                                 {look: live(minutely()), policy: byHand(func(p *backfill.Policy) { p.Grace = time.Second }), now: "04:45:09", want: waitUntil("04:45:10")},
		"so 10 s after the firing it goes":                       {look: live(minutely()), policy: byHand(func(p *backfill.Policy) { p.Grace = time.Second }), now: "04:45:10", want: goAhead()},
		"the annotation's grace goes before the flag's":          {look: live(minutely(func(cw *auditor.CronWorkflow) { cw.Settings.Grace = 20 * time.Second })), policy: byHand(), now: "04:45:20", want: goAhead()},
		"a grace as long as the interval ends half way":          {look: live(minutely(func(cw *auditor.CronWorkflow) { cw.Settings.Grace = 2 * time.Minute })), policy: byHand(), now: "04:45:30", want: goAhead()},
		"and not before":                                         {look: live(minutely(func(cw *auditor.CronWorkflow) { cw.Settings.Grace = 2 * time.Minute })), policy: byHand(), now: "04:45:29", want: waitUntil("04:45:30")},
		"within its own grace a firing is Argo's to run":         {look: live(minutely()), policy: byHand(), at: "04:45:00", now: "04:45:29", want: waitUntil("04:45:30")},
		"a time that Rollcall wrote in advance is no sign of it": {look: live(minutely(lastScheduled("04:45:00"), func(cw *auditor.CronWorkflow) { cw.Status.Intended = at("04:45:00") })), policy: byHand(), now: "04:45:10", want: waitUntil("04:45:12")},
		"each of several expressions counts": {
			look: live(minutely(schedules("40 * * * *", "45 * * * *", "46 * * * *")), run("04:45:00")), policy: byHand(), now: "04:45:56", want: waitUntil("04:46:00"),
		},
	})
}

func TestAdmitKeepsRoomForLiveRuns(t *testing.T) {
	// Every ten minutes: 04:40, 04:50, 05:00. The firing of 04:30 is recovered; its starting deadline is an hour.
	cron := func(policy auditor.Policy, changes ...func(*auditor.CronWorkflow)) auditor.CronWorkflow {
		return minutely(append([]func(*auditor.CronWorkflow){schedules("*/10 * * * *"), deadline(time.Hour), concurrency(policy), lastScheduled("04:20:00")}, changes...)...)
	}
	const T = "04:30:00"
	// Runs that took 100 s need 1.25 * 100 s + 15 s = 140 s.
	took100 := run("04:10:00", took(100*time.Second))
	deletedAtOnce := func(cw *auditor.CronWorkflow) { cw.Retention.TTL = 0 }
	kept := func(successful, failed int) func(*auditor.CronWorkflow) {
		return func(cw *auditor.CronWorkflow) { cw.Retention.Successful, cw.Retention.Failed = successful, failed }
	}
	twoRecovered := func(p *backfill.Policy) { p.MaxParallel = 2 }

	checkAdmissions(t, map[string]admission{
		"Replace: while Argo tries over and over": {
			look: live(cron(auditor.Replace, func(cw *auditor.CronWorkflow) {
				cw.Status.SubmissionError, cw.Status.WrittenAt = "exceeded quota", at("04:43:55")
			})), policy: byHand(), at: T, now: "04:44:00", want: waitUntil("04:44:05"),
		},
		"Replace: when it has given up": {
			look: live(cron(auditor.Replace, func(cw *auditor.CronWorkflow) {
				cw.Status.SubmissionError, cw.Status.WrittenAt = "exceeded quota", at("04:43:50")
			})), policy: byHand(), at: T, now: "04:44:00", want: goAhead(),
		},
		"a run that is deleted as it ends: Argo's create may still be carried out": {
			look: live(cron(auditor.Allow, deletedAtOnce)), policy: byHand(), at: T, now: "04:30:35", want: waitUntil("04:31:00"),
		},
		"a run of which a failed one is not kept: so too": {
			look: live(cron(auditor.Allow, kept(3, 0))), policy: byHand(), at: T, now: "04:30:35", want: waitUntil("04:31:00"),
		},
		"a run whose time to live outlasts Argo's create": {
			look: live(cron(auditor.Allow, func(cw *auditor.CronWorkflow) { cw.Retention.TTL = 25 * time.Second })), policy: byHand(), at: T, now: "04:30:35", want: goAhead(),
		},
		"a run that is kept, with others under way": {
			look: live(cron(auditor.Allow, kept(1, 1)), run("04:10:00"), run("04:20:00")), policy: byHand(), at: T, now: "04:30:35", want: goAhead(),
		},
		"a run that is deleted as it ends: a minute later no create of Argo's is left": {
			look: live(cron(auditor.Allow, deletedAtOnce)), policy: byHand(), at: T, now: "04:31:00", want: goAhead(),
		},
		"a run that is deleted as it ends: Argo that is away sends none": {
			look: live(cron(auditor.Allow, deletedAtOnce)), policy: argoAway(byHand()), at: T, now: "04:30:35", want: goAhead(),
		},
		"a run that is deleted as it ends: its deadline leaves no time to wait": {
			look: live(cron(auditor.Allow, deletedAtOnce, deadline(79*time.Second))), policy: byHand(), at: T, now: "04:30:35", want: goAhead(),
		},
		"a run that is deleted as it ends: its deadline leaves time to wait": {
			look: live(cron(auditor.Allow, deletedAtOnce, deadline(80*time.Second))), policy: byHand(), at: T, now: "04:30:35", want: waitUntil("04:31:00"),
		},
		"Forbid, a run that is deleted as it ends: after the wait there would be no room": {
			look: live(cron(auditor.Forbid, deletedAtOnce, schedules("30 4 * * *", "33 4 * * *"), deadline(3*time.Minute)), took100), policy: byHand(), at: T, now: "04:30:35", want: goAhead(),
		},
		"Allow: fewer recovered runs than are allowed at once": {
			look: live(cron(auditor.Allow), run("04:10:00", recovered)), policy: byHand(twoRecovered), at: T, now: "04:44:00", want: goAhead(),
		},
		"Allow: as many recovered runs as are allowed at once": {
			look: live(cron(auditor.Allow), run("04:10:00", recovered), run("04:20:00", recovered)), policy: byHand(twoRecovered), at: T,
			now: "04:44:00", want: waitUntil("04:44:05"),
		},
		"Allow: recovered runs that ended do not count": {
			look: live(cron(auditor.Allow), run("04:10:00", recovered, took(time.Second)), run("04:20:00", recovered)), policy: byHand(twoRecovered), at: T,
			now: "04:44:00", want: goAhead(),
		},
		"Allow: live runs do not count": {
			look: live(cron(auditor.Allow), run("04:10:00"), run("04:20:00")), policy: byHand(twoRecovered), at: T, now: "04:44:00", want: goAhead(),
		},
		"detached: recovered runs count": {
			look: live(cron(auditor.Forbid), run("04:10:00", recovered, uncontrolled), run("04:20:00", recovered, uncontrolled)), policy: byHand(twoRecovered, detached), at: T,
			now: "04:44:00", want: waitUntil("04:44:05"),
		},

		"Forbid: nothing active and nothing observed, more than half the interval left": {
			look: live(cron(auditor.Forbid)), policy: byHand(), at: T, now: "04:44:59", want: goAhead(),
		},
		"Forbid: nothing observed, exactly half the interval left": {
			look: live(cron(auditor.Forbid)), policy: byHand(), at: T, now: "04:45:00", want: goAhead(),
		},
		"Forbid: nothing observed, just less than half the interval left": {
			look: live(cron(auditor.Forbid)), policy: byHand(), at: T, now: "04:45:00.001", want: waitUntil("04:50:00"),
		},
		"Forbid: nothing observed, and the deadline comes before the next interval": {
			look: live(cron(auditor.Forbid, deadline(20*time.Minute))), policy: byHand(), at: T, now: "04:46:00", want: refusal(backfill.NoRoom),
		},
		"Forbid: what was observed just fits": {
			look: live(cron(auditor.Forbid), took100), policy: byHand(), at: T, now: "04:47:40", want: goAhead(),
		},
		"Forbid: what was observed just does not fit": {
			look: live(cron(auditor.Forbid), took100), policy: byHand(), at: T, now: "04:47:40.001", want: waitUntil("04:50:00"),
		},
		"Forbid: the longest of the observed runs counts": {
			look: live(cron(auditor.Forbid), took100, run("04:00:00", took(200*time.Second))), policy: byHand(), at: T, now: "04:47:40", want: waitUntil("04:50:00"),
		},
		"Forbid: only the last 10 runs count": {
			look: live(cron(auditor.Forbid), run("03:00:00", took(200*time.Second)), took100,
				run("04:01:00", took(time.Second)), run("04:02:00", took(time.Second)), run("04:03:00", took(time.Second)),
				run("04:04:00", took(time.Second)), run("04:05:00", took(time.Second)), run("04:06:00", took(time.Second)),
				run("04:07:00", took(time.Second)), run("04:08:00", took(time.Second)), run("04:09:00", took(time.Second))),
			policy: byHand(), at: T, now: "04:47:40", want: goAhead(),
		},
		"Forbid: a run that never started tells nothing": {
			look:   live(cron(auditor.Forbid), run("04:10:00", took(100*time.Second), func(r *auditor.Run) { r.StartedAt = time.Time{} })),
			policy: byHand(), at: T, now: "04:47:00", want: waitUntil("04:50:00"),
		},
		"Forbid: while Argo is away, what is taken to need longer than the deadline of a live firing waits": {
			look: live(cron(auditor.Forbid, deadline(90*time.Second)), run("04:00:00", took(time.Minute+time.Second))), policy: argoAway(byHand(ignoreDeadline)), at: T, now: "04:41:00",
			want: waitUntil("04:41:07"),
		},
		"Forbid: while Argo is away, what is taken to need as long as the deadline of a live firing goes": {
			look: live(cron(auditor.Forbid, deadline(90*time.Second)), run("04:00:00", took(time.Minute))), policy: argoAway(byHand(ignoreDeadline)), at: T, now: "04:41:00", want: goAhead(),
		},
		"Forbid: no interval until the deadline is long enough": {
			look: live(cron(auditor.Forbid), run("04:00:00", took(8*time.Minute))), policy: byHand(), at: T, now: "04:41:00", want: refusal(backfill.NoRoom),
		},
		"Forbid: no interval is long enough, so the end of the active run is not waited for": {
			look: live(cron(auditor.Forbid), run("04:00:00", took(8*time.Minute)), run("04:40:00")), policy: byHand(), at: T, now: "04:41:00", want: refusal(backfill.NoRoom),
		},
		"Forbid: every interval is exactly long enough": {
			look: live(cron(auditor.Forbid), run("04:00:00", took(468*time.Second))), policy: byHand(), at: T, now: "04:41:00", want: waitUntil("04:50:00"),
		},
		"Forbid: a later interval is long enough": {
			look:   live(cron(auditor.Forbid, schedules("0,10,20,30,40,50 4 * * *", "0 6 * * *"), deadline(time.Hour)), run("04:00:00", took(8*time.Minute))),
			policy: byHand(), at: T, now: "04:41:00", want: waitUntil("04:50:00"),
		},
		"Forbid: without a deadline no interval of the day to come is long enough": {
			look: live(cron(auditor.Forbid, deadline(0)), run("04:00:00", took(8*time.Minute))), policy: byHand(), at: T, now: "04:41:00", want: refusal(backfill.NoRoom),
		},
		"Forbid: a run is active": {
			look: live(cron(auditor.Forbid), run("04:40:00")), policy: byHand(), at: T, now: "04:44:00", want: waitUntil("04:44:05"),
		},
		"Forbid: a run that somebody submitted from it is active": {
			look:   live(cron(auditor.Forbid), run("04:40:00", func(r *auditor.Run) { r.Name = "tick-x7k2p" })),
			policy: byHand(), at: T, now: "04:44:00", want: waitUntil("04:44:05"),
		},
		"Forbid: a detached run is active": {
			look: live(cron(auditor.Forbid), run("04:10:00", recovered, uncontrolled)), policy: byHand(), at: T, now: "04:44:00", want: goAhead(),
		},
		"Forbid: status.active has a run that cannot be seen": {
			look: live(cron(auditor.Forbid, active("tick-1")), took100), policy: byHand(), at: T, now: "04:44:00", want: waitUntil("04:44:05"),
		},
		"Forbid: Argo, which may be away, has not cleared a run away that is seen to have ended": {
			look: live(cron(auditor.Forbid, active(took100.Name)), took100), policy: byHand(), at: T, now: "04:44:00", want: goAhead(),
		},
		"Forbid: the schedule never fires again": {
			look:   live(cron(auditor.Forbid, schedules("30 4 23 11 *", "0 0 30 2 *")), took100),
			policy: byHand(), at: T, now: "04:44:00", want: goAhead(),
		},
		"Forbid: @every beside it has no fixed phase": {
			look: live(cron(auditor.Forbid, schedules("*/10 * * * *", "@every 1h")), took100), policy: byHand(), at: T, now: "04:44:00", want: refusal(backfill.NoRoom),
		},
		"Forbid: a detached run takes no room": {
			look: live(cron(auditor.Forbid, active("tick-1")), run("04:40:00")), policy: byHand(detached), at: T, now: "04:48:00", want: goAhead(),
		},

		"Replace: nothing newer ran, nothing is active, and it fits": {
			look: live(cron(auditor.Replace), took100), policy: byHand(), at: T, now: "04:47:40", want: goAhead(),
		},
		"Replace: it does not fit": {
			look: live(cron(auditor.Replace), took100), policy: byHand(), at: T, now: "04:47:41", want: waitUntil("04:50:00"),
		},
		"Replace: a live run is never terminated for it": {
			look: live(cron(auditor.Replace), run("04:20:00")), policy: byHand(), at: T, now: "04:44:00", want: waitUntil("04:44:05"),
		},
		"Replace: a newer firing ran": {
			look: live(cron(auditor.Replace), run("04:40:00", took(time.Second))), policy: byHand(), at: T, now: "04:44:00", want: refusal(auditor.Superseded),
		},
		"Replace: the status says that a newer firing ran": {
			look: live(cron(auditor.Replace, lastScheduled("04:40:00"))), policy: byHand(), at: T, now: "04:44:00", want: refusal(auditor.Superseded),
		},
		"Replace: a newer Workflow of another kind of name is no firing": {
			look:   live(cron(auditor.Replace), run("04:40:00", took(time.Second), func(r *auditor.Run) { r.Name = "tick-x7k2p" })),
			policy: byHand(), at: T, now: "04:44:00", want: goAhead(),
		},
		"Replace: a detached run is not superseded": {
			look: live(cron(auditor.Replace), run("04:40:00", took(time.Second))), policy: byHand(detached), at: T, now: "04:44:00", want: goAhead(),
		},

		"a stopStrategy: nothing recovered is unfinished": {
			look:   live(cron(auditor.Allow, spec(func(s *auditor.Spec) { s.StopStrategy = true })), run("04:20:00", recovered, took(time.Second))),
			policy: byHand(), at: T, now: "04:44:00", want: goAhead(),
		},
		"a stopStrategy: a recovered run is unfinished": {
			look:   live(cron(auditor.Allow, spec(func(s *auditor.Spec) { s.StopStrategy = true })), run("04:20:00", recovered)),
			policy: byHand(), at: T, now: "04:44:00", want: waitUntil("04:44:05"),
		},
		"a stopStrategy: Argo has not judged the recovered run's end": {
			look: live(cron(auditor.Allow, spec(func(s *auditor.Spec) { s.StopStrategy = true }), active(run("04:20:00").Name)),
				run("04:20:00", recovered, took(time.Second))),
			policy: byHand(), at: T, now: "04:44:00", want: waitUntil("04:44:05"),
		},
		"a stopStrategy: Argo has not judged the end of a run that is gone": {
			look:   live(cron(auditor.Allow, spec(func(s *auditor.Spec) { s.StopStrategy = true }), active("tick-1"))),
			policy: byHand(), at: T, now: "04:44:00", want: waitUntil("04:44:05"),
		},
		"a stopStrategy: a live run is no obstacle": {
			look:   live(cron(auditor.Allow, spec(func(s *auditor.Spec) { s.StopStrategy = true }), active(run("04:40:00").Name)), run("04:40:00")),
			policy: byHand(), at: T, now: "04:44:00", want: goAhead(),
		},
		"a stopStrategy: detached runs do not concern it": {
			look:   live(cron(auditor.Allow, spec(func(s *auditor.Spec) { s.StopStrategy = true })), run("04:20:00", recovered, uncontrolled)),
			policy: byHand(detached), at: T, now: "04:44:00", want: goAhead(),
		},
	})
}

func TestAdmitSaysWhyThereIsNoRoom(t *testing.T) {
	look := live(minutely(concurrency(auditor.Forbid)), run("04:10:00", took(90*time.Second)))
	want := backfill.Admission{
		Decision: backfill.Refuse, Reason: backfill.NoRoom,
		Why: "concurrencyPolicy Forbid: its runs take up to 1m30s, so 2m8s have to be free before a live firing, and no interval between firings until its starting deadline is that long (--detached runs beside them).",
	}
	if diff := cmp.Diff(want, backfill.Admit(look, key, at("04:40:00"), byHand(), at("04:44:40"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQuietHoldsForWritesToo(t *testing.T) {
	for name, tc := range map[string]struct {
		look backfill.Look
		now  string
		want backfill.Admission
	}{
		"between firings":                      {live(minutely()), "04:44:54", backfill.Admission{}},
		"before a firing":                      {live(minutely()), "04:44:55", waitUntil("04:45:00")},
		"after a firing that has not started":  {live(minutely()), "04:45:05", waitUntil("04:45:07")},
		"after a firing that has":              {live(minutely(), run("04:45:00")), "04:45:05", backfill.Admission{}},
		"where the spec is not known":          {live(minutely(func(cw *auditor.CronWorkflow) { cw.Epochs = nil })), "04:45:05", backfill.Admission{}},
		"where the schedule cannot be read":    {live(minutely(schedules("x"))), "04:45:05", backfill.Admission{}},
		"where it fires at no particular time": {live(minutely(schedules("@every 1m"))), "04:45:05", backfill.Admission{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := backfill.Quiet(tc.look, byHand(), at(tc.now))
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(backfill.Admission{}, "Why")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func argoAway(p backfill.Policy) backfill.Policy {
	p.ArgoAway = true
	return p
}
