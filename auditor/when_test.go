package auditor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
)

func TestWhatKeepsAWhenExpressionFromBeingJudgedIsOneSentence(t *testing.T) {
	w := minuteWorld()
	w.when(func(auditor.Moment) (bool, error) {
		return false, errors.New("No parameter 'maybe' found.\n | maybe\n | ^")
	})
	want := []string{"Whether its when expression was true at the scheduled time cannot be judged: No parameter 'maybe' found."}
	if diff := cmp.Diff(want, judged(t, w).Evidence); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhenReadsLastScheduledTimeAsItStoodAtTheFiring(t *testing.T) {
	type last struct {
		At      string
		Unknown bool
	}
	status := func(w *world, at string) { w.cron().Status.LastScheduledTime = clock(at) }
	for name, c := range map[string]struct {
		given func(*world)
		want  last
	}{
		"what it is now, where that is older than the firing": {func(*world) {}, last{At: "04:39:00"}},
		"the run before it, where newer firings have run": {func(w *world) {
			w.add(argoRun("04:41:00"))
			status(w, "04:41:00")
		}, last{At: "04:39:00"}},
		"not the run before it, where that was created after it": {func(w *world) {
			w.in.Runs[2] = created(w.in.Runs[2], "04:40:10")
		}, last{At: "04:38:00"}},
		"not a time that Rollcall wrote": {func(w *world) {
			w.in.Runs = w.in.Runs[:2]
			w.watched("04:00:00", "04:44:00").Moved = []time.Time{clock("04:39:00")}
		}, last{At: "04:38:00"}},
		"the record's run, where the Workflow is gone": {func(w *world) {
			w.in.Runs = nil
			w.add(argoRun("04:42:00"))
			status(w, "04:42:00")
			w.watched("04:39:30", "04:44:00").Runs = []auditor.RecordedRun{{ScheduledTime: clock("04:39:00"), CreatedAt: clock("04:39:00"), Verdict: auditor.OnTime}}
		}, last{At: "04:39:00"}},
		"nothing, where it has never run": {func(w *world) {
			w.in.Runs = nil
			w.cron().Status.LastScheduledTime = time.Time{}
		}, last{}},
		"unknown, where runs may have been deleted": {func(w *world) {
			w.in.Runs = []auditor.Run{argoRun("04:37:00"), argoRun("04:41:00"), argoRun("04:42:00"), argoRun("04:43:00")}
			status(w, "04:43:00")
		}, last{At: "04:37:00", Unknown: true}},
		"the last one found, where somebody watched all the time": {func(w *world) {
			w.in.Runs = []auditor.Run{argoRun("04:37:00"), argoRun("04:41:00"), argoRun("04:42:00"), argoRun("04:43:00")}
			status(w, "04:43:00")
			w.watched("04:37:00", "04:44:00")
		}, last{At: "04:37:00"}},
		"unknown, where the schedule was another one then": {func(w *world) {
			w.in.Runs = []auditor.Run{argoRun("04:37:00"), argoRun("04:43:00")}
			status(w, "04:43:00")
			w.edited("04:38:30")
		}, last{At: "04:37:00", Unknown: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := minuteWorld()
			c.given(w)
			var got []last
			w.when(func(m auditor.Moment) (bool, error) {
				l := last{Unknown: m.LastUnknown}
				if !m.LastScheduled.IsZero() {
					l.At = m.LastScheduled.Format(time.TimeOnly)
				}
				got = append(got, l)
				return true, nil
			})
			if held, err := auditor.WhenHeld(w.in, w.at, w.now, w.opts); !held || err != nil {
				t.Fatal(held, err)
			}
			if diff := cmp.Diff([]last{c.want, c.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhenHoldsReadsThePresent(t *testing.T) {
	w := minuteWorld()
	w.when(func(m auditor.Moment) (bool, error) {
		return m.At.Equal(w.now) && m.LastScheduled.Equal(clock("04:39:00")) && !m.LastUnknown, nil
	})
	if holds, err := auditor.WhenHolds(*w.cron(), *w.spec(), w.now, w.opts); !holds || err != nil {
		t.Error(holds, err)
	}
	if holds, err := auditor.WhenHolds(*w.cron(), auditor.Spec{}, w.now, w.opts); !holds || err != nil {
		t.Errorf("without an expression: %t, %v", holds, err)
	}
	w.cron().When = nil
	if _, err := auditor.WhenHolds(*w.cron(), *w.spec(), w.now, w.opts); err == nil {
		t.Error("judged without knowing what the expression reads")
	}
}
