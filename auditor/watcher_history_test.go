package auditor_test

import (
	"fmt"
	"iter"
	"maps"
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
	type due struct{ at, settled time.Time }
	var firings []due
	ran := tale.ran()
	for at, settled := range tale.minutes() {
		if ran[auditor.WorkflowName(tale.first.Name, at)] {
			settled = tale.to
		}
		firings = append(firings, due{at, settled})
	}
	slices.SortFunc(firings, func(a, b due) int { return a.settled.Compare(b.settled) })
	verdicts, so := map[string]outcome{}, tale.begin()
	for _, f := range firings {
		in := so.until(f.settled)
		report, err := auditor.Audit(in, auditor.Window{From: f.at.Add(-time.Second), To: f.at}, f.settled, opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			verdicts[f.Workflow] = outcome{Verdict: f.Verdict, Reason: f.Reason, Certainty: f.Certainty}
		}
	}
	return verdicts
}

// minutes are the full minutes of a tale, each with the time at which no run of it can come any more, where that is in the tale.
func (t tale) minutes() iter.Seq2[time.Time, time.Time] {
	return func(yield func(at, settled time.Time) bool) {
		spec, events := t.first.Epochs[0].Spec, t.events
		for at := t.from.Truncate(time.Minute).Add(time.Minute); at.Before(t.to); at = at.Add(time.Minute) {
			for len(events) > 0 && events[0].at.Before(at) {
				if events[0].cron != nil {
					spec = events[0].cron.Epochs[0].Spec
				}
				events = events[1:]
			}
			settled := at.Add(max(auditor.EffectiveGrace(0, spec.StartingDeadline), spec.StartingDeadline))
			if !settled.After(t.to) && !yield(at, settled) {
				return
			}
		}
	}
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

// retelling is a tale up to some time, with nothing forgotten.
type retelling struct {
	tale   tale
	told   int
	cw     auditor.CronWorkflow
	epochs []auditor.Epoch
	record auditor.Record
	runs   map[string]auditor.Run
}

func (t tale) begin() *retelling {
	return &retelling{tale: t, cw: t.first, epochs: t.first.Epochs, record: auditor.Record{Active: []auditor.ActiveSeen{{At: t.from}}}, runs: map[string]auditor.Run{}}
}

// until goes on with the tale and gives everything that has happened by then, also the runs that are gone.
func (r *retelling) until(now time.Time) auditor.Input {
	for ; r.told < len(r.tale.events) && !r.tale.events[r.told].at.After(now); r.told++ {
		switch e := r.tale.events[r.told]; {
		case e.cron != nil:
			r.see(*e.cron, e.at)
		case !e.gone:
			r.runs[e.run.Name] = *e.run
		}
	}
	record := r.record
	in := auditor.Input{CronWorkflow: r.cw, Record: &record, Coverage: []auditor.Stretch{{From: r.tale.from, To: now}}}
	in.CronWorkflow.Epochs = r.epochs
	in.Runs = slices.Collect(maps.Values(r.runs))
	return in
}

func (r *retelling) see(cw auditor.CronWorkflow, at time.Time) {
	if epoch := cw.Epochs[0]; !epoch.From.Equal(r.epochs[len(r.epochs)-1].From) {
		r.epochs = append(slices.Clone(r.epochs), epoch)
	}
	if n := len(cw.Status.Active); n != len(r.cw.Status.Active) {
		before := slices.DeleteFunc(slices.Clone(r.record.Active), func(a auditor.ActiveSeen) bool { return a.At.Equal(at) })
		r.record.Active = append(before, auditor.ActiveSeen{At: at, Runs: n})
	}
	if message := cw.Status.SubmissionError; message != "" && message != r.cw.Status.SubmissionError {
		r.record.Errors = append(slices.Clone(r.record.Errors), auditor.ErrorSeen{At: at, Message: message})
	}
	r.cw = cw
}

func (f *follower) outcomes(tale tale) map[string]outcome {
	verdicts := map[string]outcome{}
	for at := range tale.minutes() {
		if found, ok := f.verdicts[auditor.WorkflowName(tale.first.Name, at)]; ok {
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
	in := tale.begin().until(tale.to)
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
		for now, events := range moments(tale.events) {
			f.happen(now, events...)
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				f.stop()
				f.start(now)
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
		seen := map[string]bool{}
		for now, events := range moments(tale.events) {
			if f.watching && rapid.IntRange(0, 39).Draw(t, "stop") == 0 {
				f.until(now.Add(-time.Nanosecond))
				f.stop()
			} else if !f.watching && rapid.IntRange(0, 14).Draw(t, "start") == 0 {
				f.start(now.Add(-time.Nanosecond))
			}
			f.happen(now, events...)
			f.remember(seen, events)
		}
		if !f.watching {
			f.start(tale.to)
		}
		f.until(tale.to)
		f.truthful(t, tale, seen)
	})
}

func TestHoweverLongTheWatchIsCutNothingThatRanIsCertainlyLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tale := anyTale(t)
		f := follow(t, auditor.Options{}, tale)
		seen := map[string]bool{}
		for now, events := range moments(tale.events) {
			if f.watching && rapid.IntRange(0, 39).Draw(t, "cut") == 0 {
				f.until(now.Add(-time.Nanosecond))
				f.disconnect(now.Add(-time.Nanosecond), rapid.Bool().Draw(t, "noticed"))
			} else if !f.watching && rapid.IntRange(0, 14).Draw(t, "again") == 0 {
				f.reconnect(now.Add(-time.Nanosecond), rapid.Bool().Draw(t, "told first"))
			}
			f.happen(now, events...)
			f.remember(seen, events)
		}
		if !f.watching {
			f.reconnect(tale.to, true)
		}
		f.until(tale.to)
		f.truthful(t, tale, seen)
		balanced(t, f, tale)
	})
}

// remember notes the runs that were shown.
func (f *follower) remember(seen map[string]bool, events []event) {
	for _, e := range events {
		if f.watching && e.run != nil {
			seen[e.run.Name] = true
		}
	}
}

// truthful says that no verdict is at odds with what really happened.
func (f *follower) truthful(t *rapid.T, tale tale, seen map[string]bool) {
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
