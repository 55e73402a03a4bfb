package auditor_test

import (
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
)

var tickKey = auditor.Key{Namespace: "default", Name: "tick"}

// asRead is what somebody who only reads sees of the cluster.
func (f *follower) asRead() auditor.Input {
	in := auditor.Input{CronWorkflow: f.cluster.crons[tickKey]}
	for _, run := range f.cluster.runs {
		in.Runs = append(in.Runs, run)
	}
	return in
}

func TestAnAuditWithARecordedStateNeverContradictsTheWatcher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tale := anyTale(t)
		if rapid.IntRange(0, 9).Draw(t, "long") == 0 { // so long that the state has to forget
			from := clock("00:00:30")
			tale = tell(rapid.Int64().Draw(t, "seed of a long one"), "tick", []string{"* * * * *"}, from, from.Add(9*time.Hour))
		}
		f := follow(t, auditor.Options{}, tale)
		even := rand.New(rand.NewSource(rapid.Int64().Draw(t, "times"))) // rapid's own numbers are small ones
		taken := tale.from.Add(time.Duration(even.Int63n(int64(tale.to.Sub(tale.from)))))
		now := taken.Add(time.Duration(even.Int63n(int64(tale.to.Sub(taken)))))
		gaps := rapid.Bool().Draw(t, "gaps")
		ran := map[string]bool{}
		var state auditor.State
		recorded := false
		record := func() {
			if recorded {
				return
			}
			recorded = true
			f.until(taken)
			if f.away {
				state = f.resumed[tickKey]
			} else {
				state, _ = f.w.State(tickKey)
				f.stop()
			}
		}
		for at, events := range moments(tale.events) {
			if at.After(taken) {
				record()
			}
			if at.After(now) {
				break
			}
			switch {
			case recorded || !gaps:
			case f.watching && rapid.IntRange(0, 59).Draw(t, "stop") == 0:
				f.until(at.Add(-time.Nanosecond))
				f.stop()
			case !f.watching && rapid.IntRange(0, 9).Draw(t, "start") == 0:
				f.start(at.Add(-time.Nanosecond))
			}
			f.happen(at, events...)
			for _, e := range events {
				if e.run != nil {
					ran[e.run.Name] = true
				}
			}
		}
		record()

		in := auditor.WithState(f.asRead(), state, now, auditor.Options{})
		report, err := auditor.Audit(in, auditor.Window{From: tale.from, To: now}, now, auditor.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f.uncontradicted(t, report.Findings, state, ran)
	})
}

// uncontradicted says that findings are what the Watcher found, or less sure, or know of what came later.
func (f *follower) uncontradicted(t *rapid.T, findings []auditor.Finding, state auditor.State, ran map[string]bool) {
	kept := map[time.Time]bool{}
	for _, run := range state.Record.Runs {
		kept[run.ScheduledTime] = true
	}
	for _, found := range findings {
		was, said := f.verdicts[found.Workflow]
		open := slices.ContainsFunc(slices.Concat(state.Open, state.Unsettled), func(o auditor.Finding) bool { return o.ScheduledTime.Equal(found.ScheduledTime) })
		final := said && !open && !found.ScheduledTime.After(state.AuditedThrough)
		lost, likely := found.Verdict.Lost(), found.Certainty == auditor.Likely
		switch {
		case found.Verdict.Ran() && !ran[found.Workflow]:
			t.Errorf("it never ran: %v", found)
		case lost && !likely && ran[found.Workflow]:
			t.Errorf("it ran and is certainly lost: %v", found)
		case lost && kept[found.ScheduledTime]:
			t.Errorf("it is on record as a run: %v", found)
		case !final || found.Verdict == auditor.Unknown || was.Verdict == auditor.Unknown:
		case was.Verdict.Ran() && found.Verdict != was.Verdict && !likely:
			t.Errorf("the Watcher saw it run, %v: %v", was, found)
		case was.Verdict == auditor.Skipped && found.Verdict != auditor.Skipped && !likely && !found.Verdict.Ran():
			t.Errorf("the Watcher saw why it did not run, %v: %v", was, found)
		case was.Verdict.Lost() && !lost && !found.Verdict.Ran() && (found.Reason != auditor.Superseded || lostIn(state, found)):
			t.Errorf("the Watcher found it lost, %v: %v", was, found)
		}
	}
}

// lostIn says whether the state has the firing as lost for good, which it has of the newest.
func lostIn(state auditor.State, found auditor.Finding) bool {
	return slices.ContainsFunc(state.Notable, func(n auditor.Finding) bool {
		return n.ScheduledTime.Equal(found.ScheduledTime) && n.Verdict == auditor.Expired
	})
}

func TestWhatARecordAddsToAnAudit(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*auditor.State)
		want   auditor.Finding
	}{
		"a run that history limits deleted is on record": {
			func(*auditor.State) {}, auditor.Finding{Verdict: auditor.OnTime},
		},
		"so is one that Rollcall made": {
			func(s *auditor.State) { s.Record.Runs[1].Verdict = auditor.Backfilled }, auditor.Finding{Verdict: auditor.Backfilled},
		},
		"where somebody watched and saw none, there was none": {
			func(s *auditor.State) { s.Record.Runs = slices.Delete(s.Record.Runs, 1, 2) }, auditor.Finding{Verdict: auditor.Expired, Certainty: auditor.Certain},
		},
		"a firing may be older than all runs on record: they are the newest": {
			func(s *auditor.State) { s.Record.Runs = s.Record.Runs[2:] }, auditor.Finding{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone},
		},
		"of runs before the newest 200 some may be forgotten": {
			func(s *auditor.State) {
				s.Record.Runs = s.Record.Runs[:1]
				for i := range 200 {
					s.Record.Runs = append(s.Record.Runs, auditor.RecordedRun{ScheduledTime: clock("04:41:00").Add(time.Duration(i) * time.Second), Verdict: auditor.OnTime})
				}
			},
			auditor.Finding{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone},
		},
		"so may what was active, on which Forbid rests": {
			func(s *auditor.State) {
				s.Record.Runs = slices.Delete(s.Record.Runs, 1, 2)
				s.Epochs[0].Spec.Policy = auditor.Forbid
				for i := range 200 {
					s.Record.Active = append(s.Record.Active, auditor.ActiveSeen{At: clock("04:41:00").Add(time.Duration(i) * time.Second), Runs: i % 2})
				}
			},
			auditor.Finding{Verdict: auditor.Unknown, Reason: auditor.ForbidUnclear},
		},
		"but not where it is on record as lost": {
			func(s *auditor.State) {
				s.Record.Runs = s.Record.Runs[2:]
				s.Notable = []auditor.Finding{{ScheduledTime: clock("04:40:00"), Verdict: auditor.Expired, Certainty: auditor.Certain, Cause: auditor.ControllerDown}}
			},
			auditor.Finding{Verdict: auditor.Expired, Certainty: auditor.Likely, Cause: auditor.ControllerDown},
		},
		"it is suspended now and was not then": {
			func(s *auditor.State) {
				s.Record.Runs = slices.Delete(s.Record.Runs, 1, 2)
				s.Epochs[0].Spec.Suspend = true
				s.Epochs = append(s.Epochs, auditor.Epoch{From: clock("04:44:30"), Spec: minutely})
			},
			auditor.Finding{Verdict: auditor.Skipped, Reason: auditor.Suspended},
		},
		"a record of another CronWorkflow of the name counts for nothing": {
			func(s *auditor.State) { s.UID = "cron-0" }, auditor.Finding{Verdict: auditor.Unknown, Reason: auditor.EvidenceGone},
		},
		"of one whose spec cannot be read the rest counts": {
			func(s *auditor.State) { s.Epochs[0].Spec.Schedules = []string{"every now and then"} }, auditor.Finding{Verdict: auditor.OnTime},
		},
		"and what it has no run for is not known": {
			func(s *auditor.State) {
				s.Record.Runs = slices.Delete(s.Record.Runs, 1, 2)
				s.Epochs[0].Spec.Schedules = []string{"every now and then"}
			},
			auditor.Finding{Verdict: auditor.Unknown, Reason: auditor.SpecUnknown},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, state, now := watchedForAnHour()
			c.change(&state)
			at := clock("04:40:00")
			report, err := auditor.Audit(auditor.WithState(in, state, now, auditor.Options{}), auditor.Window{From: at.Add(-time.Second), To: at}, now, auditor.Options{})
			if err != nil || len(report.Findings) != 1 {
				t.Fatalf("%v, %v", report.Findings, err)
			}
			f := report.Findings[0]
			got := auditor.Finding{Verdict: f.Verdict, Reason: f.Reason, Certainty: f.Certainty}
			if c.want.Cause != "" {
				got.Cause = f.Cause
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s\n%q", diff, f.Evidence)
			}
		})
	}
}

var minutely = auditor.Spec{Schedules: []string{"* * * * *"}, Timezone: "UTC", Policy: auditor.Allow}

// watchedForAnHour is a CronWorkflow of which two finished runs are kept, and the state of a Watcher that saw those of 04:39 to 04:46.
func watchedForAnHour() (auditor.Input, auditor.State, time.Time) {
	now := clock("04:47:20")
	in := auditor.Input{CronWorkflow: auditor.CronWorkflow{
		Namespace: "default", Name: "tick", UID: "cron-1", CreatedAt: clock("00:00:30"), Served: true,
		Epochs:    []auditor.Epoch{{From: clock("00:00:30"), Spec: minutely}},
		Status:    auditor.Status{LastScheduledTime: clock("04:47:00"), WrittenAt: clock("04:47:00")},
		Retention: auditor.Retention{Successful: 2, Failed: 1, TTL: -1},
	}}
	state := auditor.State{
		UID: "cron-1", AuditedThrough: clock("04:46:00"), Coverage: []auditor.Stretch{{From: clock("03:46:30"), To: clock("04:46:35")}},
		Epochs: []auditor.Epoch{{From: clock("00:00:30"), Spec: minutely}},
		Record: auditor.Record{Active: []auditor.ActiveSeen{{At: clock("03:46:30")}}},
	}
	for at := clock("04:39:00"); at.Before(now); at = at.Add(time.Minute) {
		run := auditor.Run{
			Name: auditor.WorkflowName("tick", at), UID: "of-" + at.Format(time.TimeOnly), Owner: "cron-1", Controlled: true, CronLabel: "tick",
			ScheduledTime: at.Format(time.RFC3339), CreatedAt: at, StartedAt: at, FinishedAt: at.Add(5 * time.Second), Succeeded: true,
		}
		if now.Sub(at) < 2*time.Minute {
			in.Runs = append(in.Runs, run)
		}
		if !at.After(state.AuditedThrough) {
			state.Record.Runs = append(state.Record.Runs, auditor.RecordedRun{ScheduledTime: at, CreatedAt: at, Verdict: auditor.OnTime})
		}
	}
	return in, state, now
}

func TestARecordedVerdictStandsOverTheLimitsOfThisAudit(t *testing.T) {
	in, state, now := watchedForAnHour()
	state.Record.Runs[7].CreatedAt, state.Record.Runs[7].Verdict = clock("04:46:20"), auditor.OnTime
	in.Runs[0].CreatedAt = clock("04:46:20")
	strict := auditor.Options{LateAfter: 10 * time.Second}
	report, err := auditor.Audit(auditor.WithState(in, state, now, strict), auditor.Window{From: clock("04:45:30"), To: clock("04:46:00")}, now, strict)
	if err != nil {
		t.Fatal(err)
	}
	want := []auditor.Finding{{
		ScheduledTime: clock("04:46:00"), Workflow: in.Runs[0].Name, Verdict: auditor.OnTime, CreatedAt: clock("04:46:20"),
		Evidence: []string{"The record has its run as OnTime.", "Workflow " + in.Runs[0].Name + " exists, created at " + clock("04:46:20").Format("2006-01-02 15:04:05Z") + "."},
	}}
	if diff := cmp.Diff(want, report.Findings); diff != "" {
		t.Error(diff)
	}
}

func TestAStopThatNobodyWatchedIsInTheStatus(t *testing.T) {
	in, state, now := watchedForAnHour()
	in.CronWorkflow.Status.Stopped, in.CronWorkflow.Status.LastScheduledTime = true, clock("04:46:00")
	in.Runs = in.Runs[:1]
	report, err := auditor.Audit(auditor.WithState(in, state, clock("04:50:00"), auditor.Options{}), auditor.Window{From: clock("04:46:30"), To: clock("04:49:00")}, clock("04:50:00"), auditor.Options{})
	if err != nil || report.Totals[auditor.Skipped] != 3 {
		t.Errorf("%v, %v at %s", report.Totals, err, now)
	}
}
