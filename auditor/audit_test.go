package auditor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
)

func verdicts(report auditor.Report) map[string]auditor.Verdict {
	got := map[string]auditor.Verdict{}
	for _, f := range report.Findings {
		got[f.ScheduledTime.Format("15:04")] = f.Verdict
	}
	return got
}

func audit(t *testing.T, w *world, from, to string) auditor.Report {
	t.Helper()
	report, err := auditor.Audit(w.in, auditor.Window{From: clock(from), To: clock(to)}, w.now, w.opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestTheWindowIsOpenAtItsStartAndClosedAtItsEnd(t *testing.T) {
	got := verdicts(audit(t, minuteWorld(), "04:37:00", "04:40:00"))
	want := map[string]auditor.Verdict{"04:38": auditor.OnTime, "04:39": auditor.OnTime, "04:40": auditor.Missed}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNothingIsDueBeforeTheCreationOrAfterNow(t *testing.T) {
	w := minuteWorld()
	w.now = clock("04:02:10")
	got := verdicts(audit(t, w, "03:00:00", "05:00:00"))
	want := map[string]auditor.Verdict{"04:01": auditor.Unknown, "04:02": auditor.Pending}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestALimitKeepsTheOldestAndSaysSo(t *testing.T) {
	w := minuteWorld()
	w.opts.Limit = 2
	report := audit(t, w, "04:36:00", "04:44:00")
	if got := len(report.Findings); got != 2 || !report.Truncated || report.Findings[0].ScheduledTime != clock("04:37:00") {
		t.Errorf("want 04:37 and 04:38, truncated; got %d, truncated=%v: %v", got, report.Truncated, verdicts(report))
	}
	w.opts.Limit = 8
	if report := audit(t, w, "04:36:00", "04:44:00"); report.Truncated || len(report.Findings) != 8 {
		t.Errorf("exactly as many as the limit are not truncated; got %d, truncated=%v", len(report.Findings), report.Truncated)
	}
}

func TestEachEpochIsJudgedByItsOwnSchedule(t *testing.T) {
	w := minuteWorld()
	hourly := *w.spec()
	hourly.Schedules = []string{"0 * * * *"}
	w.cron().Epochs = append(w.cron().Epochs, auditor.Epoch{From: clock("04:40:30"), Spec: hourly})
	got := verdicts(audit(t, w, "04:38:00", "04:44:00"))
	want := map[string]auditor.Verdict{"04:39": auditor.OnTime, "04:40": auditor.Missed}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryHasNoFiringsButThoseThatRan(t *testing.T) {
	w := minuteWorld()
	w.spec().Schedules = []string{"@every 90s"}
	report := audit(t, w, "04:30:00", "04:44:00")
	want := map[string]auditor.Verdict{"04:37": auditor.OnTime, "04:38": auditor.OnTime, "04:39": auditor.OnTime}
	if diff := cmp.Diff(want, verdicts(report)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if advice := strings.Join(report.Advice, "\n"); !strings.Contains(advice, "@every 1m30s") || strings.Contains(advice, "ScheduleStuck") {
		t.Errorf("advice: %s", advice)
	}
	w.now = clock("04:39:00").Add(2*90*time.Second + 20*time.Minute)
	if report := audit(t, w, "04:30:00", "05:30:00"); strings.Contains(strings.Join(report.Advice, "\n"), "ScheduleStuck") {
		t.Errorf("exactly two periods and 20 minutes of silence are not stuck yet: %q", report.Advice)
	}
	w.now = w.now.Add(time.Second)
	if report := audit(t, w, "04:30:00", "05:30:00"); !strings.Contains(strings.Join(report.Advice, "\n"), "ScheduleStuck") {
		t.Errorf("two periods and 20 minutes of silence are stuck: %q", report.Advice)
	}
}

func TestANameThatArgoNeverSchedulesIsAnError(t *testing.T) {
	w := minuteWorld()
	w.cron().Name = strings.Repeat("x", 52)
	if _, err := auditor.Audit(w.in, auditor.Window{From: clock("04:00:00"), To: clock("05:00:00")}, w.now, w.opts); err != nil {
		t.Errorf("52 characters are fine: %v", err)
	}
	w.cron().Name = strings.Repeat("x", 53)
	_, err := auditor.Audit(w.in, auditor.Window{From: clock("04:00:00"), To: clock("05:00:00")}, w.now, w.opts)
	if err == nil || !strings.Contains(err.Error(), "53 characters") {
		t.Errorf("want an error that names the length, got %v", err)
	}
}

func TestAScheduleThatDoesNotParseIsAnErrorThatNamesTheCronWorkflow(t *testing.T) {
	w := minuteWorld()
	w.spec().Schedules = []string{"61 * * * *"}
	_, err := auditor.Audit(w.in, auditor.Window{From: clock("04:00:00"), To: clock("05:00:00")}, w.now, w.opts)
	if err == nil || !strings.Contains(err.Error(), "CronWorkflow default/tick") || !strings.Contains(err.Error(), "61 * * * *") {
		t.Errorf("got %v", err)
	}
}

func TestAdviceNamesWhatIsFragile(t *testing.T) {
	for name, c := range map[string]struct {
		given func(*world)
		says  string
	}{
		"no starting deadline":      {func(w *world) { w.spec().StartingDeadline = 0 }, "It has no startingDeadlineSeconds above 0, so"},
		"a deadline too short":      {func(w *world) { w.spec().StartingDeadline = 30 * time.Second }, "30s is hardly long enough"},
		"@every longer than resync": {func(w *world) { w.spec().Schedules = []string{"@every 30m"} }, "may never fire"},
		"Forbid with runs longer than the interval": {func(w *world) {
			w.spec().Policy = auditor.Forbid
			w.in.Runs[0].FinishedAt = w.in.Runs[0].StartedAt.Add(90 * time.Second)
		}, "take up to 1m30s"},
		"a local time that DST skips": {func(w *world) { w.spec().Schedules, w.spec().Timezone = []string{"30 2 * * *"}, "Europe/Berlin" }, "Europe/Berlin"},
		"unserved":                    {func(w *world) { w.cron().Served = false }, "No Argo controller"},
		"runs deleted too soon": {func(w *world) {
			w.cron().Retention.Policy = true
			w.cron().Status.LastScheduledTime = clock("04:43:00")
		}, "let runs live longer"},
		"runs that history limits have deleted": {func(w *world) {
			w.cron().Retention.Successful = 0
			w.cron().Status.LastScheduledTime = clock("04:43:00")
		}, "raise the history limits"},
		"a template that could not be read": {func(w *world) {
			w.cron().Retention.Unreadable = "WorkflowTemplate default/etl"
			w.cron().Status.LastScheduledTime = clock("04:43:00")
		}, "Not all of this window can be accounted for, since WorkflowTemplate default/etl could not be read, and may set a ttlStrategy or tell of a run: let Rollcall read that, or put it into the dump."},
		"a controller in another zone": {func(w *world) {
			w.spec().Timezone = ""
			w.add(argoRun("04:38:30"))
		}, "--controller-timezone"},
		"a when expression that Argo cannot evaluate": {func(w *world) {
			w.when(func(auditor.Moment) (bool, error) { return false, errors.New("who knows") })
			w.cron().Status.SubmissionError, w.cron().Status.WrittenAt = "run policy error: no parameter", clock("04:43:00")
		}, "Its when expression cannot be evaluated, so it never runs: no parameter."},
		"a when expression that cannot be evaluated, in one line": {func(w *world) {
			w.when(func(auditor.Moment) (bool, error) { return false, errors.New("who knows..\n | ?") })
		}, "Its when expression cannot be evaluated here, and where Argo cannot either it never runs: who knows."},
		"a stuck schedule": {func(w *world) { w.in.Controller.Lease.RenewedAt = clock("04:44:00") }, "ScheduleStuck"},
	} {
		t.Run(name, func(t *testing.T) {
			w := minuteWorld()
			c.given(w)
			advice := audit(t, w, "04:00:00", "05:00:00").Advice
			if !strings.Contains(strings.Join(advice, "\n"), c.says) {
				t.Errorf("want advice that says %q, got %q", c.says, advice)
			}
		})
	}
}

func TestNoAdviceOnAWhenExpressionThatArgoEvaluates(t *testing.T) {
	for name, given := range map[string]func(*world){
		"the last firing ran": func(w *world) {
			w.when(func(auditor.Moment) (bool, error) { return false, errors.New("who knows") })
			w.now = clock("04:39:30")
		},
		"it was only not known what it read then": func(w *world) {
			w.when(func(m auditor.Moment) (bool, error) {
				if m.At.Before(w.now) {
					return false, errors.New("who knows")
				}
				return true, nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := minuteWorld()
			given(w)
			if advice := audit(t, w, "04:36:00", "04:44:00").Advice; len(advice) > 0 {
				t.Errorf("got %q", advice)
			}
		})
	}
}

func TestASoundCronWorkflowGetsNoAdvice(t *testing.T) {
	w := minuteWorld()
	w.now = clock("04:39:30")
	if advice := audit(t, w, "04:36:00", "04:44:00").Advice; len(advice) > 0 {
		t.Errorf("got %q", advice)
	}
}

func TestExplainAnswersEveryRowUpToTheOneThatDecides(t *testing.T) {
	w := minuteWorld()
	got, err := auditor.Explain(w.in, w.at, w.now, w.opts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(judged(t, w), got.Finding); diff != "" {
		t.Errorf("explain and audit differ (-audit +explain):\n%s", diff)
	}
	var rows []int
	for _, s := range got.Steps {
		rows = append(rows, s.Row)
		if s.Question == "" || s.Answer == "" || s.Decides != (s.Row == 15) {
			t.Errorf("row %d: %+v", s.Row, s)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15}, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestExplainOfATimeThatIsNoFiringNamesTheNearest(t *testing.T) {
	for name, c := range map[string]struct {
		at   string
		says []string
	}{
		"between two firings": {"04:40:30", []string{"04:40:00Z", "04:41:00Z"}},
		"still to come":       {"04:45:00", []string{"still to come", "04:44:00Z now"}},
		"before the creation": {"04:00:00", []string{"before its creation", "04:00:30Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := minuteWorld()
			_, err := auditor.Explain(w.in, clock(c.at), w.now, w.opts)
			if err == nil {
				t.Fatal("want an error")
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in %q", want, err)
				}
			}
		})
	}
}

// robfig/cron fires on Sunday, 8 March 2026 at 5:00 in Havana for a Saturday's schedule when asked from the day before, and does
// not when asked that morning: on the night between the clocks skip midnight.
func TestAFiringThatDependsOnWhenTheSchedulerWasAskedIsNotCalledMissed(t *testing.T) {
	w := minuteWorld()
	w.in.Runs = nil
	w.cron().Status.LastScheduledTime = time.Time{}
	w.spec().Schedules, w.spec().Timezone = []string{"0 5 * * SAT"}, "America/Havana"
	w.cron().CreatedAt = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	w.cron().Epochs[0].From = w.cron().CreatedAt
	w.now = time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)
	report, err := auditor.Audit(w.in, auditor.Window{From: w.cron().CreatedAt, To: w.now}, w.now, w.opts)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]auditor.Verdict{}
	for _, f := range report.Findings {
		got[f.ScheduledTime.Format("01-02 15:04")] = f.Verdict
	}
	want := map[string]auditor.Verdict{"03-07 10:00": auditor.Expired, "03-08 09:00": auditor.Unknown}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
