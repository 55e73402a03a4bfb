package auditor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
)

// clock reads "hh:mm:ss" on the day of the tests.
func clock(hms string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-11-23 "+hms)
	if err != nil {
		panic(err)
	}
	return t
}

// world is one CronWorkflow that fires every minute, and the firing that the tests ask about: 04:40. Argo ran 04:37, 04:38 and
// 04:39, each for two seconds; at 04:39:30 the controller went away.
type world struct {
	in   auditor.Input
	opts auditor.Options
	now  time.Time
	at   time.Time
}

func minuteWorld() *world {
	return &world{
		in: auditor.Input{
			CronWorkflow: auditor.CronWorkflow{
				Namespace: "default", Name: "tick", UID: "cron-1", CreatedAt: clock("04:00:30"), Served: true,
				Epochs: []auditor.Epoch{{From: clock("04:00:30"), Spec: auditor.Spec{
					Schedules: []string{"* * * * *"}, Timezone: "UTC", StartingDeadline: 10 * time.Minute,
				}}},
				Status:    auditor.Status{LastScheduledTime: clock("04:39:00"), WrittenAt: clock("04:39:02")},
				Retention: auditor.Retention{Successful: 3, Failed: 1, TTL: -1},
			},
			Runs: []auditor.Run{argoRun("04:37:00"), argoRun("04:38:00"), argoRun("04:39:00")},
			Controller: auditor.Controller{
				Lease:  &auditor.Lease{Holder: "argo-1", AcquiredAt: clock("04:00:00"), RenewedAt: clock("04:39:30"), Duration: 15 * time.Second},
				Writes: []time.Time{clock("04:37:00"), clock("04:38:00"), clock("04:39:02")},
			},
		},
		now: clock("04:44:00"),
		at:  clock("04:40:00"),
	}
}

// argoRun is a run as Argo makes it for a firing of tick: two seconds long, successful.
func argoRun(at string) auditor.Run {
	t := clock(at)
	return auditor.Run{
		Name: auditor.WorkflowName("tick", t), UID: "run-" + at, Owner: "cron-1", Controlled: true, CronLabel: "tick",
		ScheduledTime: t.Format(time.RFC3339), CreatedAt: t, StartedAt: t, FinishedAt: t.Add(2 * time.Second), Succeeded: true,
	}
}

// created gives the run another time of creation, with what follows from it.
func created(run auditor.Run, at string) auditor.Run {
	run.CreatedAt, run.StartedAt, run.FinishedAt = clock(at), clock(at), clock(at).Add(2*time.Second)
	return run
}

// underWay is a run that has not ended.
func underWay(made, started string) auditor.Run {
	run := argoRun(made)
	run.StartedAt, run.FinishedAt, run.Succeeded = clock(started), time.Time{}, false
	return run
}

func recovered(run auditor.Run) auditor.Run {
	run.BackfilledBy = "controller"
	return run
}

func (w *world) cron() *auditor.CronWorkflow { return &w.in.CronWorkflow }
func (w *world) spec() *auditor.Spec         { return &w.in.CronWorkflow.Epochs[0].Spec }
func (w *world) add(runs ...auditor.Run)     { w.in.Runs = append(w.in.Runs, runs...) }

// edited puts an earlier epoch of unknown content before the known one.
func (w *world) edited(at string) { w.cron().Epochs[0].From = clock(at) }

// suspendedUntil says that it was suspended, and then resumed.
func (w *world) suspendedUntil(at string) {
	w.cron().Epochs = append(w.cron().Epochs, auditor.Epoch{From: clock(at), Spec: *w.spec()})
	w.spec().Suspend = true
}

// watched says that somebody watched from one time to another and wrote a record.
func (w *world) watched(from, to string) *auditor.Record {
	w.in.Coverage = append(w.in.Coverage, auditor.Stretch{From: clock(from), To: clock(to)})
	if w.in.Record == nil {
		w.in.Record = &auditor.Record{}
	}
	return w.in.Record
}

// when gives the spec a when expression that is judged like this.
func (w *world) when(judge func(auditor.Moment) (bool, error)) {
	w.spec().When = "{{= … }}"
	w.cron().When = condition(judge)
}

type condition func(auditor.Moment) (bool, error)

func (c condition) Holds(expression string, at auditor.Moment) (bool, error) {
	if expression != "{{= … }}" {
		return false, errors.New("this is not the expression of the spec")
	}
	return c(at)
}

// outcome is what the table tests compare.
type outcome struct {
	Verdict   auditor.Verdict
	Reason    auditor.Reason
	Certainty auditor.Certainty
	Cause     auditor.Cause
}

func judged(t *testing.T, w *world) auditor.Finding {
	t.Helper()
	report, err := auditor.Audit(w.in, auditor.Window{From: w.at.Add(-time.Second), To: w.at}, w.now, w.opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) != 1 {
		t.Fatalf("want one finding for %s, got %v", w.at, report.Findings)
	}
	found := report.Findings[0]
	if len(found.Evidence) == 0 {
		t.Errorf("no evidence for %s", found.Verdict)
	}
	return found
}

func TestTheFirstRowThatHoldsDecides(t *testing.T) {
	onTime := outcome{Verdict: auditor.OnTime}
	missed := outcome{auditor.Missed, "", auditor.Certain, auditor.ControllerDown}
	expired := outcome{auditor.Expired, "", auditor.Certain, auditor.ControllerDown}

	for name, c := range map[string]struct {
		given func(*world)
		want  outcome
	}{
		"nothing ran, the deadline is ahead": {func(*world) {}, missed},

		// Row 1.
		"a run of the exact name created at the scheduled time":  {func(w *world) { w.add(argoRun("04:40:00")) }, onTime},
		"a run created exactly lateAfter later is still on time": {func(w *world) { w.add(created(argoRun("04:40:00"), "04:41:00")) }, onTime},
		"a run created a second later than that is late": {func(w *world) { w.add(created(argoRun("04:40:00"), "04:41:01")) },
			outcome{Verdict: auditor.Late}},
		"lateAfter is an option": {func(w *world) {
			w.opts.LateAfter = 10 * time.Second
			w.add(created(argoRun("04:40:00"), "04:40:11"))
		}, outcome{Verdict: auditor.Late}},
		"a run that Rollcall made": {func(w *world) {
			run := created(argoRun("04:40:00"), "04:43:00")
			run.BackfilledBy = "cli"
			w.add(run)
		}, outcome{Verdict: auditor.Backfilled}},
		"a run that Rollcall made detached from the controller": {func(w *world) {
			run := created(argoRun("04:40:00"), "04:43:00")
			run.BackfilledBy, run.Controlled = "cli", false
			w.add(run)
		}, outcome{Verdict: auditor.Backfilled}},
		"a run whose cron label workflowMetadata overrode": {func(w *world) {
			run := argoRun("04:40:00")
			run.CronLabel = "another"
			w.add(run)
		}, onTime},
		"the record has it, the run is gone": {func(w *world) {
			w.in.Record = &auditor.Record{Runs: []auditor.RecordedRun{{ScheduledTime: w.at, CreatedAt: w.at, Verdict: auditor.OnTime}}}
		}, onTime},
		"the record says late and keeps it, whatever exists now": {func(w *world) {
			w.in.Record = &auditor.Record{Runs: []auditor.RecordedRun{{ScheduledTime: w.at, CreatedAt: clock("04:42:00"), Verdict: auditor.Late}}}
			w.add(argoRun("04:40:00"))
		}, outcome{Verdict: auditor.Late}},
		"a run suspended firing is a run": {func(w *world) {
			w.spec().Suspend = true
			w.add(created(argoRun("04:40:00"), "04:43:00"))
		}, outcome{Verdict: auditor.Late}},
		"a run appears within grace": {func(w *world) {
			w.now = clock("04:40:05")
			w.add(argoRun("04:40:00"))
		}, onTime},
		"a manual submission proves nothing": {func(w *world) {
			run := argoRun("04:40:00")
			run.Name = "tick-x7k2p"
			w.add(run)
		}, missed},
		"a resubmit with the copied annotation proves nothing": {func(w *world) {
			run := argoRun("04:40:00")
			run.Name = auditor.WorkflowName("tick", w.at) + "-abcde"
			w.add(run)
		}, missed},
		"the run of a CronWorkflow whose name begins the same proves nothing": {func(w *world) {
			run := argoRun("04:40:00")
			run.Name, run.Owner, run.CronLabel = auditor.WorkflowName("tick-tock", w.at), "cron-2", "tick-tock"
			w.add(run)
		}, missed},

		"the record has it from the status alone": {func(w *world) {
			w.in.Record = &auditor.Record{Runs: []auditor.RecordedRun{{ScheduledTime: w.at, Verdict: auditor.OnTime}}}
		}, outcome{Verdict: auditor.OnTime, Reason: auditor.StatusOnly}},

		// Row 2.
		"a run under the zero time's name": {func(w *world) {
			run := argoRun("04:40:00")
			run.Name = "tick--62135596800"
			w.add(run)
		}, outcome{Verdict: auditor.OnTime, Reason: auditor.ZeroTimeName}},
		"a run under the zero time's name at the end of grace": {func(w *world) {
			run := created(argoRun("04:40:00"), "04:40:30")
			run.Name = "tick--62135596800"
			w.add(run)
		}, outcome{Verdict: auditor.OnTime, Reason: auditor.ZeroTimeName}},
		"a run under the zero time's name after grace": {func(w *world) {
			run := created(argoRun("04:40:00"), "04:40:31")
			run.Name = "tick--62135596800"
			w.add(run)
		}, missed},
		"a run under the zero time's name before the scheduled time": {func(w *world) {
			run := created(argoRun("04:40:00"), "04:39:59")
			run.Name = "tick--62135596800"
			w.add(run)
		}, missed},

		"a run under the zero time's name after a newer firing is that one's": {func(w *world) {
			w.opts.Grace = 5 * time.Minute
			w.now = clock("04:45:00")
			run := created(argoRun("04:40:00"), "04:41:01")
			run.Name = "tick--62135596800"
			w.add(run)
		}, missed},

		// Row 3.
		"only the archive has it": {func(w *world) { w.in.Archived = []auditor.Run{argoRun("04:40:00")} },
			outcome{Verdict: auditor.OnTime, Reason: auditor.Archived}},
		"only the archive has it, and it was late": {func(w *world) { w.in.Archived = []auditor.Run{created(argoRun("04:40:00"), "04:43:00")} },
			outcome{Verdict: auditor.Late, Reason: auditor.Archived}},
		"retried from the archive under a new UID": {func(w *world) {
			w.in.Archived = []auditor.Run{argoRun("04:40:00")}
			w.add(created(argoRun("04:40:00"), "04:43:00"))
		}, outcome{Verdict: auditor.OnTime, Reason: auditor.Archived}},
		"the archive has one of a former CronWorkflow": {func(w *world) {
			run := argoRun("04:40:00")
			run.Owner = "cron-0"
			w.in.Archived = []auditor.Run{run}
		}, missed},

		// Row 4.
		"only the status tells of it": {func(w *world) { w.cron().Status.LastScheduledTime = w.at },
			outcome{Verdict: auditor.OnTime, Reason: auditor.StatusOnly}},
		"the status tells of it because Rollcall moved it there": {func(w *world) {
			w.cron().Status.LastScheduledTime = w.at
			w.watched("04:00:00", "04:44:00").Moved = []time.Time{w.at}
		}, missed},
		"the status tells of it because Rollcall intended to run it": {func(w *world) {
			w.cron().Status.LastScheduledTime, w.cron().Status.Intended = w.at, w.at
		}, missed},
		"the status tells of a newer one because Rollcall intended to run that": {func(w *world) {
			w.cron().Status.LastScheduledTime, w.cron().Status.Intended = clock("04:41:00"), clock("04:41:00")
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"Rollcall intended to run it, and its run could have been deleted since": {func(w *world) {
			w.cron().Status.LastScheduledTime, w.cron().Status.Intended = w.at, w.at
			w.cron().Retention.Policy = true
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},

		// Row 5.
		"a foreign Workflow under its name": {func(w *world) {
			run := argoRun("04:40:00")
			run.Owner = "cron-0"
			w.add(run)
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.NameTaken}},
		"an ownerless Workflow under its name": {func(w *world) {
			run := argoRun("04:40:00")
			run.Owner = ""
			w.add(run)
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.NameTaken}},

		// Row 7: grace.
		"just before grace is over":                      {func(w *world) { w.now = clock("04:40:29") }, outcome{Verdict: auditor.Pending}},
		"as grace is over":                               {func(w *world) { w.now = clock("04:40:30") }, missed},
		"the scheduled time itself":                      {func(w *world) { w.now = clock("04:40:00") }, outcome{Verdict: auditor.Pending}},
		"the annotation lengthens grace":                 {func(w *world) { w.now, w.cron().Settings.Grace = clock("04:41:59"), 2*time.Minute }, outcome{Verdict: auditor.Pending}},
		"and it ends":                                    {func(w *world) { w.now, w.cron().Settings.Grace = clock("04:42:00"), 2*time.Minute }, missed},
		"grace is at most half a deadline":               {func(w *world) { w.now, w.spec().StartingDeadline = clock("04:40:20"), 40*time.Second }, missed},
		"just before that it is pending":                 {func(w *world) { w.now, w.spec().StartingDeadline = clock("04:40:19"), 40*time.Second }, outcome{Verdict: auditor.Pending}},
		"grace is never under ten seconds":               {func(w *world) { w.now, w.spec().StartingDeadline = clock("04:40:09"), 5*time.Second }, outcome{Verdict: auditor.Pending}},
		"and then the deadline is past too":              {func(w *world) { w.now, w.spec().StartingDeadline = clock("04:40:10"), 5*time.Second }, expired},
		"the evidence was read before grace was over":    {func(w *world) { w.in.ReadAt = clock("04:40:29") }, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceOlder}},
		"before the scheduled time":                      {func(w *world) { w.in.ReadAt = clock("04:39:30") }, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceOlder}},
		"as it was over: it may have been started since": {func(w *world) { w.in.ReadAt = clock("04:40:30") }, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"too late to be started since": {func(w *world) {
			w.spec().StartingDeadline, w.in.ReadAt = time.Minute, clock("04:41:00")
		}, expired},
		"hardly older than the time it is judged by": {func(w *world) { w.in.ReadAt = clock("04:43:30") }, missed},

		// Row 8.
		"recovery ended: permanent error": {func(w *world) {
			w.watched("04:00:00", "04:44:00").Recoveries = []auditor.Recovery{{ScheduledTime: w.at, Attempts: 1, LastError: "invalid", Ended: auditor.Permanent}}
		}, outcome{auditor.GaveUp, auditor.Permanent, auditor.Certain, auditor.ControllerDown}},
		"recovery was tried until the deadline": {func(w *world) {
			w.now = clock("04:50:00")
			w.watched("04:00:00", "04:50:00").Recoveries = []auditor.Recovery{{ScheduledTime: w.at, Attempts: 7, LastError: "quota"}}
		}, outcome{auditor.GaveUp, auditor.DeadlinePassed, auditor.Certain, auditor.ControllerDown}},
		"recovery was tried by a process that died, and its run may be gone": {func(w *world) {
			w.cron().Retention.Successful = 0
			w.now = clock("04:50:00")
			w.watched("04:00:00", "04:43:00").Recoveries = []auditor.Recovery{{ScheduledTime: w.at, Attempts: 1}}
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"recovery was tried by a process that died, and its run would still be there": {func(w *world) {
			w.now = clock("04:50:00")
			w.watched("04:00:00", "04:43:00").Recoveries = []auditor.Recovery{{ScheduledTime: w.at, Attempts: 1}}
		}, outcome{auditor.GaveUp, auditor.DeadlinePassed, auditor.Certain, auditor.ControllerDown}},
		"recovery goes on": {func(w *world) {
			w.now = clock("04:49:59")
			w.watched("04:00:00", "04:49:59").Recoveries = []auditor.Recovery{{ScheduledTime: w.at, Attempts: 7, LastError: "quota"}}
		}, missed},
		"a run beats a recovery that was given up": {func(w *world) {
			w.watched("04:00:00", "04:44:00").Recoveries = []auditor.Recovery{{ScheduledTime: w.at, Attempts: 1, Ended: auditor.Permanent}}
			w.add(created(argoRun("04:40:00"), "04:43:59"))
		}, outcome{Verdict: auditor.Late}},

		// Row 9.
		"before the first known spec": {func(w *world) { w.edited("04:40:00") }, outcome{Verdict: auditor.Unknown, Reason: auditor.SpecUnknown}},
		"grace after an edit":         {func(w *world) { w.edited("04:39:30") }, outcome{Verdict: auditor.Unknown, Reason: auditor.SpecUnknown}},
		"more than grace after an edit": {func(w *world) {
			w.edited("04:39:29")
		}, missed},
		"in a stretch whose spec is not known": {func(w *world) {
			w.cron().Epochs = append(w.cron().Epochs, auditor.Epoch{From: clock("04:38:00"), Unknown: true}, auditor.Epoch{From: clock("04:42:00"), Spec: *w.spec()})
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.SpecUnknown}},
		"after such a stretch": {func(w *world) {
			w.cron().Epochs = append(w.cron().Epochs, auditor.Epoch{From: clock("04:30:00"), Unknown: true}, auditor.Epoch{From: clock("04:32:00"), Spec: *w.spec()})
		}, missed},
		"a run before the first known spec is a run": {func(w *world) {
			w.edited("04:42:00")
			w.add(argoRun("04:40:00"))
		}, onTime},
		"Argo ran it at times that the schedule does not name": {func(w *world) {
			w.spec().Timezone = ""
			w.add(argoRun("04:38:30"))
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.SpecUnknown}},
		"with a timezone, a stray run puts only what came before it in doubt": {func(w *world) { w.add(argoRun("04:38:30")) }, missed},
		"the runs' annotations show another local time, which makes no difference": {func(w *world) {
			w.spec().Timezone = ""
			for i := range w.in.Runs {
				w.in.Runs[i].ScheduledTime = w.in.Runs[i].CreatedAt.In(time.FixedZone("", 3600)).Format(time.RFC3339)
			}
		}, missed},
		"the runs' annotations show another local time, in which it was not due": {func(w *world) {
			w.spec().Timezone, w.spec().Schedules = "", []string{"* 4 * * *"}
			for i := range w.in.Runs {
				w.in.Runs[i].ScheduledTime = w.in.Runs[i].CreatedAt.In(time.FixedZone("", 3600)).Format(time.RFC3339)
			}
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.SpecUnknown}},

		// Rows 10 to 12, where Argo may have started it late and a history limit have the run deleted since.
		"suspended, and may have run late since": {func(w *world) {
			w.suspendedUntil("04:36:30")
			w.at, w.in.Runs = clock("04:36:00"), w.in.Runs[:3]
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"suspended, and cannot have run late without a deadline": {func(w *world) {
			w.spec().StartingDeadline = 0
			w.suspendedUntil("04:36:30")
			w.at, w.in.Runs = clock("04:36:00"), w.in.Runs[:3]
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Suspended}},

		// Row 10.
		"suspended": {func(w *world) { w.spec().Suspend = true }, outcome{Verdict: auditor.Skipped, Reason: auditor.Suspended}},
		"suspended later": {func(w *world) {
			w.cron().Epochs = append(w.cron().Epochs, auditor.Epoch{From: clock("04:41:00"), Spec: *w.spec()})
			w.cron().Epochs[1].Spec.Suspend = true
		}, missed},
		"stopped":                           {func(w *world) { w.cron().Status.Stopped = true }, outcome{Verdict: auditor.Skipped, Reason: auditor.Stopped}},
		"stopped after a newer run":         {func(w *world) { w.cron().Status.Stopped = true; w.cron().Status.LastScheduledTime = clock("04:43:00") }, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"seen stopped as its grace ended":   {func(w *world) { w.watched("04:00:00", "04:44:00").Stopped = []time.Time{clock("04:40:30")} }, outcome{Verdict: auditor.Skipped, Reason: auditor.Stopped}},
		"seen stopped only after its grace": {func(w *world) { w.watched("04:00:00", "04:44:00").Stopped = []time.Time{clock("04:40:31")} }, missed},
		"seen stopped, and no longer so before it": {func(w *world) {
			r := w.watched("04:00:00", "04:44:00")
			r.Stopped, r.Resumed = []time.Time{clock("04:20:00")}, []time.Time{clock("04:40:00")}
		}, missed},
		"seen stopped, and no longer so only after it": {func(w *world) {
			r := w.watched("04:00:00", "04:44:00")
			r.Stopped, r.Resumed = []time.Time{clock("04:20:00")}, []time.Time{clock("04:40:01")}
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Stopped}},
		"not in doubt, but before it is known": {func(w *world) { w.spec().Suspend = true; w.edited("04:42:00") }, outcome{Verdict: auditor.Unknown, Reason: auditor.SpecUnknown}},

		// Row 11.
		"Forbid and nothing was active": {func(w *world) { w.spec().Policy = auditor.Forbid }, missed},
		"Forbid and a run was active": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt = clock("04:40:01")
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Forbidden}},
		"Forbid and a run still is": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt = time.Time{}
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Forbidden}},
		"Forbid and a run ended at that very second": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt = clock("04:40:00")
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.ForbidUnclear}},
		"Forbid and a run ended 15 s before": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt = clock("04:39:45")
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.ForbidUnclear}},
		"Forbid and a run ended 16 s before": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt = clock("04:39:44")
		}, missed},
		"Forbid and a manual submission was active": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			run := argoRun("04:39:10")
			run.Name, run.FinishedAt = "tick-x7k2p", clock("04:43:00")
			w.add(run)
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Forbidden}},
		"Forbid and a detached run was active": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt, w.in.Runs[2].Controlled = time.Time{}, false
		}, missed},
		"Forbid, and status.active was seen empty though a run had just ended": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt = clock("04:39:50")
			w.watched("04:00:00", "04:44:00").Active = []auditor.ActiveSeen{{At: clock("04:39:00"), Runs: 1}, {At: clock("04:39:55"), Runs: 0}}
		}, missed},
		"Forbid, and status.active was seen empty before Argo made the run that was under way": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt = time.Time{}
			w.watched("04:00:00", "04:44:00").Active = []auditor.ActiveSeen{{At: clock("04:38:50"), Runs: 0}}
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.ForbidUnclear}},
		"Forbid, and the clock of Argo, which made a newer run that was under way, is ahead": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			newer := argoRun("04:41:00")
			newer.CreatedAt, newer.StartedAt, newer.FinishedAt = clock("04:39:50"), clock("04:39:50"), clock("04:40:30")
			w.add(newer)
			w.watched("04:00:00", "04:44:00").Active = []auditor.ActiveSeen{{At: clock("04:39:40"), Runs: 0}}
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.ForbidUnclear}},
		"Forbid, nothing is active, and nobody has written since before the firing": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt, w.in.Runs[2].Controlled = time.Time{}, true
			w.in.Runs[2].CreatedAt, w.in.Runs[2].StartedAt = clock("04:30:00"), clock("04:30:00")
			w.cron().Status.WrittenAt, w.cron().Status.ChangedAt = clock("04:39:10"), clock("04:39:10")
		}, missed},
		"Forbid, and when Argo last wrote is not told": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt = time.Time{}
			w.cron().Status.WrittenAt, w.cron().Status.ChangedAt = time.Time{}, clock("04:39:10")
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Forbidden}},
		"Forbid, and a run that was there had been retried since": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].StartedAt, w.in.Runs[2].FinishedAt = clock("04:43:00"), time.Time{}
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.ForbidUnclear}},
		"Forbid, and status.active was seen filled": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.watched("04:00:00", "04:44:00").Active = []auditor.ActiveSeen{{At: clock("04:40:01"), Runs: 0}, {At: clock("04:39:00"), Runs: 1}}
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Forbidden}},
		"Forbid and a run was active, but Argo did try": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[2].FinishedAt = clock("04:40:01")
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "etcdserver: leader changed", clock("04:40:00")
		}, outcome{auditor.Missed, "", auditor.Certain, auditor.SubmissionError}},
		"Argo got no answer to its create, and runs are deleted as they end": {func(w *world) {
			w.cron().Retention.TTL = 0
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "read: connection reset by peer", clock("04:40:00")
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"Argo's clock is ahead, it got no answer to its create, and runs are deleted as they end": {func(w *world) {
			w.cron().Retention.TTL = 0
			w.watched("04:41:00", "04:44:00").Errors = []auditor.ErrorSeen{{At: clock("04:39:56"), Message: "EOF"}}
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"Argo got no answer to a later create either, and runs are deleted as they end": {func(w *world) {
			w.cron().Retention.TTL = 0
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "read: connection reset by peer", clock("04:43:00")
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"Argo counted a run that nobody saw, and runs are deleted as they end": {func(w *world) {
			w.cron().Retention.TTL = 0
			w.watched("04:41:00", "04:44:00").Unseen = []auditor.Stretch{{From: clock("04:39:30"), To: clock("04:41:00")}}
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"Argo's create was refused, and runs are deleted as they end": {func(w *world) {
			w.cron().Retention.TTL = 0
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "workflows.argoproj.io \"tick\" is forbidden: exceeded quota", clock("04:40:00")
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.SubmissionError}},
		"Allow and a run was active": {func(w *world) { w.in.Runs[2].FinishedAt = time.Time{} }, missed},

		"Forbid, and the run before it was deleted": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs = w.in.Runs[:2]
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.ForbidUnclear}},
		"Forbid, and a run that is on record cannot be seen, as where the watch is silent": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Record = &auditor.Record{Runs: []auditor.RecordedRun{{ScheduledTime: clock("04:36:00"), CreatedAt: clock("04:39:30"), Verdict: auditor.Backfilled}}}
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.ForbidUnclear}},
		"Forbid, the run before it was deleted, but it was watched": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs = w.in.Runs[:2]
			w.watched("04:30:00", "04:44:00").Active = []auditor.ActiveSeen{{At: clock("04:39:10"), Runs: 0}}
		}, missed},
		"Forbid, and runs are deleted as they end, but that of the firing before is there": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.cron().Retention.Successful = 0
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"Forbid, and runs are deleted as they end": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.at = clock("04:41:00")
			w.cron().Retention.Successful = 0
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.ForbidUnclear}},

		"suspended now, and Argo has run a newer firing": {func(w *world) {
			w.spec().Suspend = true
			w.add(argoRun("04:41:00"))
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.SpecUnknown}},
		"suspended now, and Argo has run a newer firing whose run is gone": {func(w *world) {
			w.spec().Suspend = true
			w.cron().Status.LastScheduledTime = clock("04:41:00")
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.SpecUnknown}},
		"suspended now, and Rollcall has run a newer firing": {func(w *world) {
			w.spec().Suspend = true
			run := created(argoRun("04:41:00"), "04:43:00")
			run.BackfilledBy = "cli"
			w.add(run)
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Suspended}},
		"suspended then, and a firing of that time was run when it was resumed": {func(w *world) {
			w.suspendedUntil("04:42:30")
			w.edited("04:39:20")
			w.add(created(argoRun("04:42:00"), "04:42:31"))
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Suspended}},

		// Row 12.
		"a when expression": {func(w *world) { w.spec().When = "{{= 1 == 1 }}" }, outcome{Verdict: auditor.Unknown, Reason: auditor.WhenUnknown}},
		"a when expression that was true": {func(w *world) {
			w.when(func(m auditor.Moment) (bool, error) { return true, nil })
		}, missed},
		"a when expression that was false": {func(w *world) {
			w.when(func(m auditor.Moment) (bool, error) { return false, nil })
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.When}},
		"a when expression that cannot be judged": {func(w *world) {
			w.when(func(m auditor.Moment) (bool, error) { return true, errors.New("who knows") })
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.WhenUnknown}},
		"a when expression that Argo could not evaluate either": {func(w *world) {
			w.when(func(auditor.Moment) (bool, error) { return false, errors.New("who knows") })
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "run policy error: who knows", clock("04:40:00")
		}, outcome{auditor.Missed, "", auditor.Certain, auditor.SubmissionError}},
		"a when expression that Argo could not evaluate, then and at newer firings": {func(w *world) {
			w.when(func(auditor.Moment) (bool, error) { return false, errors.New("who knows") })
			w.in.Controller.Lease.RenewedAt = clock("04:44:00")
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "run policy error: who knows", clock("04:43:00")
		}, outcome{auditor.Missed, "", auditor.Certain, auditor.SubmissionError}},
		"a when expression, and Argo's error is from before the last edit": {func(w *world) {
			w.when(func(auditor.Moment) (bool, error) { return false, errors.New("who knows") })
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "run policy error: who knows", clock("04:39:02")
			w.edited("04:39:20")
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.WhenUnknown}},
		"a when expression, and Argo failed in another way": {func(w *world) {
			w.when(func(auditor.Moment) (bool, error) { return false, errors.New("who knows") })
			w.in.Controller.Lease.RenewedAt = clock("04:44:00")
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "Failed to submit Workflow: no", clock("04:43:00")
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.WhenUnknown}},
		"a when expression that Argo could not evaluate leaves no run that may be gone": {func(w *world) {
			w.when(func(auditor.Moment) (bool, error) { return false, errors.New("who knows") })
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "run policy error: who knows", clock("04:40:00")
			w.cron().Retention.Successful = 0
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.SubmissionError}},
		"a when expression is judged for the scheduled time": {func(w *world) {
			w.when(func(m auditor.Moment) (bool, error) { return m.At.Truncate(time.Minute).Equal(w.at), nil })
		}, missed},
		"a when expression is judged in the controller's local time": {func(w *world) {
			w.opts.ControllerZone = time.FixedZone("far", 5*60*60)
			w.when(func(m auditor.Moment) (bool, error) { return m.At.Hour() == 9 && m.LastScheduled.Hour() == 9, nil })
		}, missed},
		"a when expression that changes while Argo may judge it": {func(w *world) {
			w.when(func(m auditor.Moment) (bool, error) { return m.At.Second() < 3, nil })
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.WhenUnknown}},
		"a run beats a when expression that was false": {func(w *world) {
			w.when(func(m auditor.Moment) (bool, error) { return false, nil })
			w.add(argoRun("04:40:00"))
		}, onTime},

		// Row 13.
		"Replace and a newer firing ran": {func(w *world) {
			w.spec().Policy = auditor.Replace
			w.add(argoRun("04:41:00"))
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Superseded}},
		"Replace and a newer firing ran, but so may have this one": {func(w *world) {
			w.spec().Policy = auditor.Replace
			w.at, w.in.Runs = clock("04:36:00"), w.in.Runs[:3]
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"Replace and none did": {func(w *world) { w.spec().Policy = auditor.Replace }, missed},
		"catch-up latest and a newer firing ran": {func(w *world) {
			w.cron().Settings.CatchUp = auditor.CatchUpLatest
			w.add(argoRun("04:41:00"))
		}, outcome{Verdict: auditor.Skipped, Reason: auditor.Superseded}},
		"Allow and a newer firing ran": {func(w *world) { w.add(argoRun("04:41:00")) },
			outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},

		// Row 14: the retention horizon.
		"older than lastScheduledTime and before the horizon": {func(w *world) { w.at, w.in.Runs = clock("04:36:00"), w.in.Runs[:3] },
			outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"older than lastScheduledTime, but within history": {func(w *world) {
			w.at = clock("04:38:00")
			w.in.Runs = []auditor.Run{argoRun("04:39:00"), argoRun("04:37:00"), argoRun("04:36:00")}
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.Unscheduled}},
		"exactly at the horizon": {func(w *world) {
			w.cron().Retention.Successful = 1
			w.in.Runs[2].FinishedAt = w.at
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"so shortly after the horizon that Argo's clock may be ahead by that": {func(w *world) {
			w.cron().Retention.Successful = 1
			w.in.Runs[2].FinishedAt = clock("04:39:55")
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"after the horizon": {func(w *world) {
			w.cron().Retention.Successful = 1
			w.in.Runs[2].FinishedAt = clock("04:39:54")
		}, missed},
		"fewer runs than the limit": {func(w *world) {
			w.cron().Retention.Successful = 4
			w.in.Runs = w.in.Runs[:3]
			w.at = clock("04:36:00")
			w.cron().Status.LastScheduledTime = clock("04:35:00")
		},
			outcome{auditor.Missed, "", auditor.Likely, auditor.Undetermined}},
		"a limit of 0":            {func(w *world) { w.cron().Retention.Successful = 0 }, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"a limit of 0 for failed": {func(w *world) { w.cron().Retention.Failed = 0 }, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"failed runs are counted on their own": {func(w *world) {
			run := created(argoRun("04:20:00"), "04:41:00")
			run.Name, run.Succeeded = "tick-x7k2p", false
			w.add(run)
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"a failed run that was retried hides what was deleted for it": {func(w *world) { w.add(underWay("04:30:00", "04:42:00")) },
			outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"and where a newer firing ran nothing tells of it any more": {func(w *world) {
			w.cron().Status.LastScheduledTime = clock("04:41:00")
			w.add(underWay("04:30:00", "04:42:00"))
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"a run that began as it was made is not a retried one":     {func(w *world) { w.add(underWay("04:39:50", "04:40:00")) }, missed},
		"nor one that began before the firing":                     {func(w *world) { w.add(underWay("04:30:00", "04:39:00")) }, missed},
		"nor one of Rollcall's, which may have waited for Argo":    {func(w *world) { w.add(recovered(underWay("04:30:00", "04:42:00"))) }, missed},
		"nor does it hide anything where the limit is not reached": {func(w *world) { w.cron().Retention.Failed = 2; w.add(underWay("04:30:00", "04:42:00")) }, missed},
		"nor where as many failed runs are left as Argo keeps": {func(w *world) {
			failed := created(argoRun("04:31:00"), "04:31:00")
			failed.Succeeded = false
			w.add(underWay("04:30:00", "04:42:00"), failed)
		}, missed},
		"fewer runs are left than Argo counted and would keep": {func(w *world) {
			w.in.Runs = w.in.Runs[1:]
			w.cron().Status.Succeeded = 39
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"fewer are left, and a ttlStrategy may be why": {func(w *world) {
			w.in.Runs = w.in.Runs[1:]
			w.cron().Status.Succeeded, w.cron().Retention.TTL = 39, 30*time.Minute
		}, missed},
		"fewer are left, and it is not the newest": {func(w *world) {
			w.at = clock("04:37:00")
			w.in.Runs = w.in.Runs[1:]
			w.cron().Status.Succeeded = 39
		}, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"as many are left as Argo counted": {func(w *world) {
			w.cron().Retention.Successful = 5
			w.cron().Status.Succeeded = 3
		}, missed},
		"a field may have been removed from the spec without a trace": {func(w *world) { w.cron().Epochs[0].Traceless = true },
			outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"a field may have been removed, but it was watched": {func(w *world) {
			w.cron().Epochs[0].Traceless = true
			w.watched("04:39:00", "04:44:00")
		}, missed},
		"a run being deleted does not count": {func(w *world) {
			w.cron().Retention.Successful = 1
			run := created(argoRun("04:39:00"), "04:42:00")
			run.Name, run.Deleting = "tick-x7k2p", true
			w.add(run)
		}, missed},
		"a TTL that reaches back before it":     {func(w *world) { w.cron().Retention.TTL = 5 * time.Minute }, missed},
		"a TTL that ends just at it":            {func(w *world) { w.cron().Retention.TTL = 4 * time.Minute }, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"a template that could not be read":     {func(w *world) { w.cron().Retention.Unreadable = "WorkflowTemplate default/etl" }, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"a retentionPolicy":                     {func(w *world) { w.cron().Retention.Policy = true }, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"a retentionPolicy and a newer run":     {func(w *world) { w.cron().Retention.Policy = true; w.add(argoRun("04:41:00")) }, outcome{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone}},
		"a retentionPolicy, but it was watched": {func(w *world) { w.cron().Retention.Policy = true; w.watched("04:39:59", "04:44:00") }, missed},
		"watched from just after it on":         {func(w *world) { w.cron().Retention.Policy = true; w.watched("04:40:01", "04:44:00") }, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"watched until just before now":         {func(w *world) { w.cron().Retention.Policy = true; w.watched("04:39:00", "04:43:59") }, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"watched until just before now, and a later run would still exist": {func(w *world) {
			w.cron().Status.LastScheduledTime = clock("04:41:00")
			w.watched("04:39:00", "04:43:59")
		}, missed},
		"watched until just before now, but Argo has since counted a run that nobody can name": {func(w *world) {
			w.cron().Status.LastScheduledTime = clock("04:41:00")
			w.watched("04:39:00", "04:43:00").Unseen = []auditor.Stretch{{From: clock("04:43:00"), To: clock("04:44:00")}}
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"watched, but Argo counted a run that nobody can name": {func(w *world) {
			w.watched("04:39:00", "04:44:00").Unseen = []auditor.Stretch{{From: clock("04:39:30"), To: clock("04:40:30")}}
		}, outcome{auditor.Missed, "", auditor.Likely, auditor.ControllerDown}},
		"newer than lastScheduledTime by a second is newer": {func(w *world) {
			w.cron().Status.LastScheduledTime = clock("04:39:59")
			w.in.Record = &auditor.Record{Moved: []time.Time{clock("04:39:59")}}
		}, missed},

		// Rows 15 and 16: the deadline.
		"just before the deadline": {func(w *world) { w.now = clock("04:49:59") }, missed},
		"at the deadline":          {func(w *world) { w.now = clock("04:50:00") }, expired},
		"no deadline":              {func(w *world) { w.spec().StartingDeadline = 0 }, expired},
		"the annotation's deadline": {func(w *world) {
			w.spec().StartingDeadline, w.cron().Settings.Deadline = 0, time.Hour
		}, missed},
		"the default deadline": {func(w *world) { w.spec().StartingDeadline, w.opts.DefaultDeadline = 0, time.Hour }, missed},
		"the spec's deadline before the annotation's": {func(w *world) {
			w.now, w.cron().Settings.Deadline = clock("04:50:00"), time.Hour
		}, expired},
	} {
		t.Run(name, func(t *testing.T) {
			w := minuteWorld()
			c.given(w)
			found := judged(t, w)
			got := outcome{found.Verdict, found.Reason, found.Certainty, found.Cause}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\nevidence: %q", diff, found.Evidence)
			}
		})
	}
}

func TestTheCauseOfAMissIsToldAsFarAsTheEvidenceGoes(t *testing.T) {
	for name, c := range map[string]struct {
		given func(*world)
		want  auditor.Cause
	}{
		"the lease was last renewed before it": {func(*world) {}, auditor.ControllerDown},
		"the lease was taken again after it": {func(w *world) {
			w.in.Controller.Lease.AcquiredAt, w.in.Controller.Lease.RenewedAt = clock("04:43:30"), clock("04:44:00")
		}, auditor.ControllerDown},
		"the lease was last renewed just before it": {func(w *world) {
			w.in.Controller.Lease.RenewedAt = clock("04:39:59")
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:39:50"))
		}, auditor.ControllerDown},
		"the lease was held as it was read, just before it could run out": {func(w *world) {
			w.in.Controller.Lease.ReadAt, w.now = clock("04:39:45"), clock("04:40:15")
			w.cron().Settings.Grace = 10 * time.Second
		}, auditor.Undetermined},
		"the lease was held as it was read last, long ago": {func(w *world) {
			w.in.Controller.Lease.ReadAt, w.now = clock("04:39:45"), clock("04:40:16")
			w.cron().Settings.Grace = 10 * time.Second
		}, auditor.ControllerDown},
		"the lease was renewed at that very second and then no more":                       {func(w *world) { w.in.Controller.Lease.RenewedAt = clock("04:40:00") }, auditor.Undetermined},
		"the lease is held, but the holder has written nothing since: stuck, or just back": {func(w *world) { w.in.Controller.Lease.RenewedAt = clock("04:44:00") }, auditor.Undetermined},
		"the holder of the lease came back under the same identity and writes again": {func(w *world) {
			w.in.Controller.Lease.RenewedAt = clock("04:44:00")
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:43:30"))
		}, auditor.Undetermined},
		"the holder of the lease missed this firing only": {func(w *world) {
			w.in.Controller.Lease.RenewedAt = clock("04:44:00")
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:41:00"))
		}, auditor.Undetermined},
		"a lease that was left over proves nothing": {func(w *world) {
			w.in.Controller.Lease.RenewedAt = clock("04:10:00")
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:41:00"))
		}, auditor.Undetermined},
		"without a lease, silence over several firings tells": {func(w *world) {
			w.in.Controller.Lease = nil
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:43:00"))
		}, auditor.ControllerDown},
		"without a lease, silence over one firing does not": {func(w *world) {
			w.in.Controller.Lease = nil
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:40:59"))
		}, auditor.Undetermined},
		"the controller ran another CronWorkflow at that time": {func(w *world) { w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:40:00")) }, auditor.Unscheduled},
		"the lease was taken again after it, and the first write under it is within grace": {func(w *world) {
			w.in.Controller.Lease.AcquiredAt, w.in.Controller.Lease.RenewedAt = clock("04:40:12"), clock("04:44:00")
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:40:13"))
		}, auditor.ControllerDown},
		"the lease went to another replica after it, and the one before was at work": {func(w *world) {
			w.in.Controller.Lease.AcquiredAt, w.in.Controller.Lease.RenewedAt = clock("04:40:12"), clock("04:44:00")
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:40:00"), clock("04:40:13"))
		}, auditor.Unscheduled},
		"a lease that was left over, taken after it": {func(w *world) {
			w.in.Controller.Lease.AcquiredAt, w.in.Controller.Lease.RenewedAt = clock("04:40:12"), clock("04:41:00")
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:40:13"), clock("04:43:00"))
		}, auditor.Unscheduled},
		"the lease ran out before it, but the controller was at work": {func(w *world) {
			w.in.Controller.Lease.RenewedAt = clock("04:39:58")
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:40:05"))
		}, auditor.Unscheduled},
		"nothing is known of the controller": {func(w *world) { w.in.Controller = auditor.Controller{} }, auditor.Undetermined},
		"Argo could not create it": {func(w *world) {
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "no", clock("04:40:10")
		}, auditor.SubmissionError},
		"the record has Argo's error at that time": {func(w *world) {
			w.in.Record = &auditor.Record{Errors: []auditor.ErrorSeen{{At: clock("04:40:01"), Message: "no"}}}
		}, auditor.SubmissionError},
		"Argo's error is from before": {func(w *world) {
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "no", clock("04:39:59")
		}, auditor.ControllerDown},
		"Argo finds the spec invalid": {func(w *world) {
			w.cron().Status.SpecError, w.cron().Status.WrittenAt = "no entrypoint", clock("04:42:00")
		}, auditor.SpecError},
		"Argo has found the spec invalid since, with the same words, which is no write": {func(w *world) {
			w.in.Controller.Lease.RenewedAt = clock("04:44:00")
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:40:00"))
			w.cron().Status.SpecError, w.cron().Status.WrittenAt = "no entrypoint", clock("04:39:00")
			w.cron().Status.LastScheduledTime, w.in.Runs = clock("04:38:00"), w.in.Runs[:2]
		}, auditor.SpecError},
		"no lease, and a spec that Argo finds invalid is why it writes nothing": {func(w *world) {
			w.in.Controller.Lease, w.in.Controller.Writes = nil, append(w.in.Controller.Writes, clock("04:43:00"))
			w.cron().Status.SpecError, w.cron().Status.WrittenAt = "no entrypoint", clock("04:39:02")
		}, auditor.SpecError},
		"Argo found the spec invalid, and then its controller was down": {func(w *world) {
			w.cron().Status.SpecError, w.cron().Status.WrittenAt = "no entrypoint", clock("04:39:02")
		}, auditor.ControllerDown},
		"Argo found a spec invalid that has been edited since": {func(w *world) {
			w.in.Controller.Writes = append(w.in.Controller.Writes, clock("04:40:00"))
			w.cron().Status.SpecError, w.cron().Status.WrittenAt = "no entrypoint", clock("04:38:02")
			w.edited("04:39:20")
		}, auditor.Unscheduled},
		"no controller looks after it": {func(w *world) { w.cron().Served = false }, auditor.Unserved},
	} {
		t.Run(name, func(t *testing.T) {
			w := minuteWorld()
			c.given(w)
			found := judged(t, w)
			if found.Verdict != auditor.Missed || found.Cause != c.want {
				t.Errorf("want Missed by %s, got %s by %s\nevidence: %q", c.want, found.Verdict, found.Cause, found.Evidence)
			}
		})
	}
}
