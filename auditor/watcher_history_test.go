package auditor_test

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
)

// recomputed gives each firing of a tale the verdict of an audit over everything that had happened by the time at which Argo could
// start it no more; a run that came later than that, after an edit of the deadline, counts nevertheless.
func recomputed(t failer, tale tale, opts auditor.Options) map[string]outcome {
	t.Helper()
	verdicts, ran := map[string]outcome{}, tale.ran()
	for at := tale.from.Truncate(time.Minute).Add(time.Minute); at.Before(tale.to); at = at.Add(time.Minute) {
		settled := tale.settled(at)
		if settled.After(tale.to) {
			continue
		}
		if ran[auditor.WorkflowName(tale.first.Name, at)] {
			settled = tale.to
		}
		report, err := auditor.Audit(tale.input(settled), auditor.Window{From: at.Add(-time.Second), To: at}, settled, opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			verdicts[f.Workflow] = outcome{Verdict: f.Verdict, Reason: f.Reason, Certainty: f.Certainty}
		}
	}
	return verdicts
}

// ran says which Workflows ever existed.
func (t tale) ran() map[string]bool {
	ran := map[string]bool{}
	for _, e := range t.events {
		if e.run != nil {
			ran[e.run.Name] = true
		}
	}
	return ran
}

// settled is when no run of the firing can come any more.
func (t tale) settled(at time.Time) time.Time {
	spec := t.first.Epochs[0].Spec
	for _, e := range t.events {
		if e.cron != nil && e.at.Before(at) {
			spec = e.cron.Epochs[0].Spec
		}
	}
	return at.Add(max(auditor.EffectiveGrace(0, spec.StartingDeadline), spec.StartingDeadline))
}

// input is everything that has happened until then, nothing forgotten.
func (t tale) input(until time.Time) auditor.Input {
	record := &auditor.Record{Active: []auditor.ActiveSeen{{At: t.from}}}
	in := auditor.Input{CronWorkflow: t.first, Record: record, Coverage: []auditor.Stretch{{From: t.from, To: until}}}
	epochs := t.first.Epochs
	runs := map[string]auditor.Run{}
	for _, e := range t.events {
		switch {
		case e.at.After(until):
		case e.cron != nil:
			if epoch := e.cron.Epochs[0]; !epoch.From.Equal(epochs[len(epochs)-1].From) {
				epochs = append(slices.Clone(epochs), epoch)
			}
			if n := len(e.cron.Status.Active); n != len(in.CronWorkflow.Status.Active) {
				record.Active = append(slices.DeleteFunc(record.Active, func(a auditor.ActiveSeen) bool { return a.At.Equal(e.at) }), auditor.ActiveSeen{At: e.at, Runs: n})
			}
			if message := e.cron.Status.SubmissionError; message != "" && message != in.CronWorkflow.Status.SubmissionError {
				record.Errors = append(record.Errors, auditor.ErrorSeen{At: e.at, Message: message})
			}
			in.CronWorkflow = *e.cron
		case !e.gone:
			runs[e.run.Name] = *e.run
		}
	}
	in.CronWorkflow.Epochs = epochs
	for _, run := range runs {
		in.Runs = append(in.Runs, run)
	}
	return in
}

func (f *follower) outcomes(tale tale) map[string]outcome {
	verdicts := map[string]outcome{}
	for at := tale.from.Truncate(time.Minute).Add(time.Minute); at.Before(tale.to); at = at.Add(time.Minute) {
		if found, ok := f.verdicts[auditor.WorkflowName(tale.first.Name, at)]; ok && !tale.settled(at).After(tale.to) {
			verdicts[found.Workflow] = outcome{Verdict: found.Verdict, Reason: found.Reason, Certainty: found.Certainty}
		}
	}
	return verdicts
}

func anyTale(t *rapid.T) tale {
	schedules := rapid.SampledFrom([][]string{{"* * * * *"}, {"*/2 * * * *"}, {"*/7 * * * *", "*/5 * * * *"}}).Draw(t, "schedules")
	length := time.Duration(rapid.IntRange(20, 90).Draw(t, "minutes")) * time.Minute
	return tell(rapid.Int64().Draw(t, "seed"), "tick", schedules, clock("04:00:30"), clock("04:00:30").Add(length))
}

func TestTheWatchersFinalVerdictsAreThoseOfAnAuditOverTheFullHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tale := anyTale(t)
		f := follow(t, auditor.Options{}, tale)
		f.through(tale.events, tale.to)
		if diff := cmp.Diff(recomputed(t, tale, auditor.Options{}), f.outcomes(tale)); diff != "" {
			t.Errorf("(-audit +watcher):\n%s", diff)
		}
		balanced(t, f, tale)
	})
}

// balanced says that every firing up to AuditedThrough is on the account once.
func balanced(t *rapid.T, f *follower, tale tale) {
	s, _ := f.w.State(auditor.Key{Namespace: "default", Name: "tick"})
	var total int64
	for _, n := range s.Totals {
		total += n
	}
	total += int64(len(s.Open) + len(s.Unsettled))
	in := tale.input(tale.to)
	report, err := auditor.Audit(in, auditor.Window{From: tale.from, To: s.AuditedThrough}, tale.to, auditor.Options{})
	if err != nil || total != int64(len(report.Findings)) {
		t.Errorf("%d firings are on the account, %d were due: %v, %v", total, len(report.Findings), s.Totals, err)
	}
}

func TestTheOrderOfWhatIsSeenAtOneTimeDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tale := anyTale(t)
		want := follow(t, auditor.Options{}, tale)
		want.through(tale.events, tale.to)

		shuffled := slices.Clone(tale.events)
		shuffle(rand.New(rand.NewSource(rapid.Int64().Draw(t, "order"))), shuffled)
		slices.SortStableFunc(shuffled, func(a, b event) int { return a.at.Compare(b.at) })
		got := follow(t, auditor.Options{}, tale)
		got.through(inOrderPerObject(shuffled, tale.events), tale.to)
		if diff := cmp.Diff(want.outcomes(tale), got.outcomes(tale)); diff != "" {
			t.Errorf("another order gives other verdicts (-want +got):\n%s", diff)
		}
	})
}

// inOrderPerObject keeps the places of a shuffled list, but gives those of each object their events in the original order: a watch
// never reorders what happens to one object.
func inOrderPerObject(shuffled, original []event) []event {
	object := func(e event) string {
		if e.run != nil {
			return e.at.String() + e.run.Name
		}
		return e.at.String()
	}
	queues := map[string][]event{}
	for _, e := range original {
		queues[object(e)] = append(queues[object(e)], e)
	}
	var ordered []event
	for _, e := range shuffled {
		key := object(e)
		ordered = append(ordered, queues[key][0])
		queues[key] = queues[key][1:]
	}
	return ordered
}

func TestANewProcessWithTheStateOfTheOldOneGoesOnAsIfNothingHadHappened(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tale := anyTale(t)
		f := follow(t, auditor.Options{}, tale)
		for i, e := range tale.events {
			f.happen(e.at, e)
			last := i+1 == len(tale.events) || tale.events[i+1].at.After(e.at)
			if last && rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				f.stop()
				f.start(e.at)
			}
		}
		f.until(tale.to)
		if diff := cmp.Diff(recomputed(t, tale, auditor.Options{}), f.outcomes(tale)); diff != "" {
			t.Errorf("(-audit +watcher):\n%s", diff)
		}
		balanced(t, f, tale)
	})
}

func TestHoweverLongRollcallIsAwayNothingThatRanIsCertainlyLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tale := anyTale(t)
		f := follow(t, auditor.Options{}, tale)
		seen := map[string]bool{} // runs
		for _, e := range tale.events {
			if f.watching && rapid.IntRange(0, 39).Draw(t, "stop") == 0 {
				f.until(e.at.Add(-time.Nanosecond))
				f.stop()
			} else if !f.watching && rapid.IntRange(0, 14).Draw(t, "start") == 0 {
				f.start(e.at.Add(-time.Nanosecond))
			}
			f.happen(e.at, e)
			if f.watching && e.run != nil {
				seen[e.run.Name] = true
			}
		}
		if !f.watching {
			f.start(tale.to)
		}
		f.until(tale.to)
		ran := tale.ran()
		for name, found := range f.verdicts {
			switch {
			case found.Verdict.Ran() && !ran[name]:
				t.Errorf("%s never ran: %v", name, found)
			case found.Verdict.Lost() && ran[name] && found.Certainty == auditor.Certain:
				t.Errorf("%s ran and is certainly lost: %v", name, found)
			case found.Verdict.Lost() && seen[name]:
				t.Errorf("%s was seen to run: %v", name, found)
			}
		}
	})
}

func TestAStateStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := clock("00:00:30")
		tale := tell(rapid.Int64().Draw(t, "seed"), "tick", []string{"* * * * *"}, from, from.Add(14*time.Hour))
		f := follow(t, auditor.Options{DefaultDeadline: 24 * time.Hour}, tale)
		f.through(tale.events, tale.to)
		s, _ := f.w.State(auditor.Key{Namespace: "default", Name: "tick"})
		for what, size := range map[string][2]int{
			"epochs": {len(s.Epochs), auditor.MaxEpochs}, "coverage": {len(s.Coverage), auditor.MaxStretches},
			"open": {len(s.Open), auditor.MaxOpen}, "unsettled": {len(s.Unsettled), auditor.MaxUnsettled},
			"notable": {len(s.Notable), auditor.MaxNotable}, "strip": {len(s.Strip), auditor.MaxStrip},
			"runs": {len(s.Record.Runs), auditor.MaxSeen}, "active": {len(s.Record.Active), auditor.MaxSeen}, "errors": {len(s.Record.Errors), auditor.MaxSeen},
		} {
			if size[0] > size[1] {
				t.Errorf("%d %s, more than %d", size[0], what, size[1])
			}
		}
	})
}

func TestADayOfAHundredCronWorkflowsIsAsARecomputationHasIt(t *testing.T) {
	from := clock("00:00:30").Add(-24 * time.Hour)
	var tales []tale
	var events []event
	for i := range 100 {
		schedules := [][]string{{"*/5 * * * *"}, {"*/15 * * * *"}, {"0 * * * *", "30 */2 * * *"}, {"20 4,16 * * *"}}[i%4]
		tale := tell(int64(i), fmt.Sprintf("cron-%03d", i), schedules, from, from.Add(24*time.Hour))
		tales = append(tales, tale)
		events = append(events, tale.events...)
	}
	f := follow(t, auditor.Options{}, tales...)
	f.through(events, from.Add(24*time.Hour))
	count := map[auditor.Verdict]int{}
	for _, tale := range tales {
		want := recomputed(t, tale, auditor.Options{})
		for _, o := range want {
			count[o.Verdict]++
		}
		if diff := cmp.Diff(want, f.outcomes(tale)); diff != "" {
			t.Errorf("%s (-audit +watcher):\n%s", tale.first.Name, diff)
		}
	}
	for _, v := range []auditor.Verdict{auditor.OnTime, auditor.Late, auditor.Skipped, auditor.Expired, auditor.Unknown} {
		if count[v] == 0 {
			t.Errorf("no firing was %s: the day was too quiet: %v", v, count)
		}
	}
}
