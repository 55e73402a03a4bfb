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

// anyWorld draws a CronWorkflow with an hour of history around 04:40 in which anything may have happened.
func anyWorld(t *rapid.T) *world {
	w := minuteWorld()
	at := func(label string) time.Time {
		return clock("04:00:30").Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, label)) * time.Second)
	}
	w.now = at("now")
	cw := w.cron()
	cw.Served = rapid.Bool().Draw(t, "served")
	cw.Status = auditor.Status{Stopped: rapid.Bool().Draw(t, "stopped"), WrittenAt: at("written")}
	if rapid.Bool().Draw(t, "has last") {
		cw.Status.LastScheduledTime = at("last").Truncate(time.Minute)
	}
	if rapid.Bool().Draw(t, "submission error") {
		cw.Status.SubmissionError = "etcdserver: leader changed"
	}
	cw.Retention = auditor.Retention{
		Successful: rapid.IntRange(0, 4).Draw(t, "successful"), Failed: rapid.IntRange(0, 2).Draw(t, "failed"),
		TTL: rapid.SampledFrom([]time.Duration{-1, time.Minute, time.Hour}).Draw(t, "ttl"), Policy: rapid.Bool().Draw(t, "policy"),
	}
	cw.Epochs = nil
	for range rapid.IntRange(1, 3).Draw(t, "epochs") {
		cw.Epochs = append(cw.Epochs, auditor.Epoch{From: at("epoch"), Spec: auditor.Spec{
			Schedules: rapid.SampledFrom([][]string{{"* * * * *"}, {"*/7 * * * *", "*/2 * * * *"}, {"@every 3m"}, {"@every 3m", "*/5 * * * *"}}).Draw(t, "schedules"),
			Timezone:  rapid.SampledFrom([]string{"", "UTC", "Asia/Kolkata"}).Draw(t, "timezone"),
			Suspend:   rapid.Bool().Draw(t, "suspend"), When: rapid.SampledFrom([]string{"", "", "{{= true }}"}).Draw(t, "when"),
			Policy:           rapid.SampledFrom([]auditor.Policy{"", auditor.Allow, auditor.Forbid, auditor.Replace}).Draw(t, "policy"),
			StartingDeadline: rapid.SampledFrom([]time.Duration{0, 15 * time.Second, 10 * time.Minute}).Draw(t, "deadline"),
		}})
	}
	w.in.Runs = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) auditor.Run { return anyRun(t, at) }), 0, 12).Draw(t, "runs")
	w.in.Archived = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) auditor.Run { return anyRun(t, at) }), 0, 3).Draw(t, "archived")
	if rapid.Bool().Draw(t, "record") {
		r := w.watched("04:00:00", "04:00:00")
		w.in.Coverage[0] = auditor.Stretch{From: at("watched from"), To: at("watched to")}
		for range rapid.IntRange(0, 4).Draw(t, "recorded") {
			r.Runs = append(r.Runs, auditor.RecordedRun{ScheduledTime: at("recorded").Truncate(time.Minute), Verdict: rapid.SampledFrom([]auditor.Verdict{auditor.OnTime, auditor.Late, auditor.Backfilled}).Draw(t, "as")})
			r.Active = append(r.Active, auditor.ActiveSeen{At: at("active"), Runs: rapid.IntRange(0, 2).Draw(t, "active runs")})
			r.Recoveries = append(r.Recoveries, auditor.Recovery{ScheduledTime: at("recovery").Truncate(time.Minute), Attempts: rapid.IntRange(0, 3).Draw(t, "attempts"), Ended: rapid.SampledFrom([]auditor.Reason{"", auditor.Permanent}).Draw(t, "ended")})
		}
	}
	return w
}

func anyRun(t *rapid.T, at func(string) time.Time) auditor.Run {
	run := argoRun(at("fires").Truncate(time.Minute).Format(time.TimeOnly))
	run.UID = rapid.StringMatching(`[a-f0-9]{8}`).Draw(t, "uid")
	run.CreatedAt = at("created")
	run.StartedAt = run.CreatedAt
	run.FinishedAt = rapid.SampledFrom([]time.Time{{}, run.CreatedAt.Add(2 * time.Second), run.CreatedAt.Add(10 * time.Minute)}).Draw(t, "finished")
	run.Owner = rapid.SampledFrom([]string{"cron-1", "cron-1", "cron-1", "cron-0", ""}).Draw(t, "owner")
	run.Controlled = rapid.Bool().Draw(t, "controlled")
	run.Succeeded = rapid.Bool().Draw(t, "succeeded")
	run.BackfilledBy = rapid.SampledFrom([]string{"", "", "cli"}).Draw(t, "by")
	if rapid.IntRange(0, 9).Draw(t, "zero") == 0 {
		run.Name = "tick--62135596800"
	}
	return run
}

func hour(t *rapid.T, w *world) auditor.Report {
	report, err := auditor.Audit(w.in, auditor.Window{From: clock("04:00:00"), To: clock("05:30:00")}, w.now, w.opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestEveryFiringGetsExactlyOneVerdictWithEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		report := hour(t, anyWorld(t))
		total := 0
		for _, n := range report.Totals {
			total += n
		}
		if total != len(report.Findings) {
			t.Errorf("the totals sum to %d, there are %d findings", total, len(report.Findings))
		}
		for i, f := range report.Findings {
			if !slices.Contains(auditor.Verdicts(), f.Verdict) {
				t.Errorf("%s has no verdict: %q", f.ScheduledTime, f.Verdict)
			}
			if i > 0 && !f.ScheduledTime.After(report.Findings[i-1].ScheduledTime) {
				t.Errorf("%s does not come after %s", f.ScheduledTime, report.Findings[i-1].ScheduledTime)
			}
			if len(f.Evidence) == 0 {
				t.Errorf("%s is %s without evidence", f.ScheduledTime, f.Verdict)
			}
			if f.Verdict.Lost() != (f.Cause != "") {
				t.Errorf("%s is %s with cause %q", f.ScheduledTime, f.Verdict, f.Cause)
			}
			if (f.Verdict == auditor.Missed || f.Verdict == auditor.Expired) && f.Certainty == "" {
				t.Errorf("%s is %s, and nothing says how sure", f.ScheduledTime, f.Verdict)
			}
		}
	})
}

func TestTheOrderOfTheInputDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		want := hour(t, w)
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		shuffle(r, w.in.Runs)
		shuffle(r, w.in.Archived)
		shuffle(r, w.in.Controller.Writes)
		shuffle(r, w.in.Coverage)
		if w.in.Record != nil {
			shuffle(r, w.in.Record.Recoveries)
		}
		if diff := cmp.Diff(want, hour(t, w)); diff != "" {
			t.Errorf("another order gives another report (-want +got):\n%s", diff)
		}
	})
}

func shuffle[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, k int) { s[i], s[k] = s[k], s[i] })
}

func TestMoreEvidenceNeverTurnsARunIntoAMiss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		before := hour(t, w)
		at := func(label string) time.Time {
			return clock("04:00:30").Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, label)) * time.Second)
		}
		w.add(anyRun(t, at))
		w.in.Archived = append(w.in.Archived, anyRun(t, at))
		w.in.Controller.Writes = append(w.in.Controller.Writes, at("write"))
		w.in.Coverage = append(w.in.Coverage, auditor.Stretch{From: at("more from"), To: at("more to")})
		after := map[time.Time]auditor.Verdict{}
		for _, f := range hour(t, w).Findings {
			after[f.ScheduledTime] = f.Verdict
		}
		for _, f := range before.Findings {
			if got, ok := after[f.ScheduledTime]; f.Verdict.Ran() && (!ok || !got.Ran()) {
				t.Errorf("%s was %s, and with more evidence it is %q", f.ScheduledTime, f.Verdict, got)
			}
		}
	})
}
