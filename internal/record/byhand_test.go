package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
	"rollcall.dev/rollcall/schedule"
	"rollcall.dev/rollcall/test/alter"
)

// What follows asks what becomes of a CronAudit that somebody has edited by hand. tick fires every minute; its record ends ten minutes
// before noon, and what ran until noon is still there, but for the firings 5 and 12 minutes before.

func minute(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

func ticking() auditor.CronWorkflow {
	return auditor.CronWorkflow{
		Namespace: "default", Name: "tick", UID: "u1", CreatedAt: minute(-120), Served: true,
		Epochs:    []auditor.Epoch{{From: minute(-30), Spec: auditor.Spec{Schedules: []string{"* * * * *"}, Policy: auditor.Allow, StartingDeadline: time.Hour}}},
		Status:    auditor.Status{LastScheduledTime: noon, Succeeded: 40, WrittenAt: noon},
		Retention: auditor.Retention{Successful: 100, Failed: 100, TTL: -1},
	}
}

func ticked() (runs []auditor.Run) {
	for n := -20; n <= 0; n++ {
		if n != -5 && n != -12 {
			at := minute(n)
			runs = append(runs, auditor.Run{
				Name: auditor.WorkflowName("tick", at), UID: fmt.Sprint("run", n), Owner: "u1", Controlled: true, CronLabel: "tick",
				CreatedAt: at, StartedAt: at, FinishedAt: at.Add(10 * time.Second), Succeeded: true,
			})
		}
	}
	return runs
}

// recorded is a record of tick in which nothing is empty.
func recorded() auditor.State {
	found := func(n int, v auditor.Verdict, more ...func(*auditor.Finding)) auditor.Finding {
		f := auditor.Finding{ScheduledTime: minute(n), Workflow: auditor.WorkflowName("tick", minute(n)), Verdict: v, Evidence: []string{"seen"}}
		if v.Lost() {
			f.Certainty, f.Cause, f.Deadline = auditor.Certain, auditor.ControllerDown, minute(n+60)
		}
		for _, change := range more {
			change(&f)
		}
		return f
	}
	gaveUp := found(-40, auditor.GaveUp, func(f *auditor.Finding) { f.Reason = auditor.Permanent })
	return auditor.State{
		UID: "u1", AuditedThrough: minute(-10), Totals: map[auditor.Verdict]int64{auditor.OnTime: 28, auditor.Late: 1, auditor.Backfilled: 1, auditor.Skipped: 1},
		Strip:     []auditor.Verdict{auditor.OnTime, auditor.Missed, auditor.Pending, auditor.OnTime},
		Open:      []auditor.Finding{found(-12, auditor.Missed)},
		Epochs:    []auditor.Epoch{{From: minute(-120), Unknown: true}, {From: minute(-60), Spec: auditor.Spec{Schedules: []string{"*/5 * * * *"}, Timezone: "Europe/Vienna", Suspend: true, Policy: auditor.Forbid, StartingDeadline: time.Hour, When: "true", StopStrategy: true}}, {From: minute(-30), Spec: ticking().Epochs[0].Spec}},
		Coverage:  []auditor.Stretch{{From: minute(-90), To: minute(-70)}, {From: minute(-60), To: minute(-10)}},
		Unsettled: []auditor.Finding{gaveUp, {ScheduledTime: minute(-11), Workflow: auditor.WorkflowName("tick", minute(-11)), Verdict: auditor.Pending}},
		Notable:   []auditor.Finding{gaveUp, found(-12, auditor.Missed)}, Accounted: 30,
		Record: auditor.Record{
			Runs:       []auditor.RecordedRun{{ScheduledTime: minute(-14), CreatedAt: minute(-14), Verdict: auditor.OnTime}, {ScheduledTime: minute(-13), CreatedAt: minute(-13), Verdict: auditor.OnTime}},
			Recoveries: []auditor.Recovery{{ScheduledTime: minute(-40), Attempts: 3, LastError: "denied", Ended: auditor.Permanent}, {ScheduledTime: minute(-12), Attempts: 1, LastError: "busy"}},
			Moved:      []time.Time{minute(-50)}, Active: []auditor.ActiveSeen{{At: minute(-60), Runs: 1}, {At: minute(-55)}},
			Errors:  []auditor.ErrorSeen{{At: minute(-40), Message: "denied"}},
			Stopped: []time.Time{minute(-80)}, Resumed: []time.Time{minute(-75)}, Unseen: []auditor.Stretch{{From: minute(-70), To: minute(-60)}},
		},
	}
}

// edited is the CronAudit of recorded, as JSON.
func edited(t testing.TB) any {
	t.Helper()
	audit := complete(recorded())
	audit.Status.Revision, audit.Status.WrittenBy = 7, "rollcall"
	yes := true
	audit.OwnerReferences = []metav1.OwnerReference{{APIVersion: ownerAPIVersion, Kind: ownerKind, Name: "tick", UID: "u1", Controller: &yes}}
	data, err := json.Marshal(audit)
	if err != nil {
		t.Fatal(err)
	}
	var object any
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// holdsByHand fails where an edited CronAudit does harm: it is either an error that says why it cannot be relied on, or tick can be judged
// with it; a firing that ran, or is still to come, or that no spec names, is never called lost; none is called run that neither a Workflow
// nor the record says to have; and what is recorded next can be read again. It says whether the record was used.
func holdsByHand(t *testing.T, object any, what string) (used bool) {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(10*time.Second, func() { panic("it takes more than 10s: " + what) })
	defer hung.Stop()
	var i item
	if json.Unmarshal(data, &i) != nil {
		return false
	}
	now := noon.Add(30 * time.Second)
	_, state, err := i.rely(now)
	if err != nil || state.UID != "u1" {
		return false
	}
	key := auditor.Key{Namespace: "default", Name: "tick"}
	w := auditor.NewWatcher(auditor.Options{})
	w.SeeCronWorkflow(ticking(), now)
	for _, run := range ticked() {
		w.SeeRun("default", run, now)
	}
	w.Begin(now)
	w.Resume(key, state)
	said := map[time.Time]auditor.Finding{}
	for range 8 {
		for _, j := range w.Judge(now) {
			if j.Err != nil {
				t.Fatalf("%s: tick cannot be judged any more: %v", what, j.Err)
			}
			var confirm []time.Time
			for _, f := range j.Confirm {
				confirm = append(confirm, f.ScheduledTime)
			}
			for _, f := range append(j.Decided, j.Confirm...) {
				said[f.ScheduledTime] = f
				checkByHand(t, what, state, f, now)
			}
			w.Confirm(key, confirm, now)
		}
		now = now.Add(20 * time.Second)
	}
	next, _ := w.State(key)
	once := complete(next)
	if data, err := json.Marshal(once); err != nil || len(data) >= v1alpha1.MaxBytes {
		t.Fatalf("%s: the next record takes %d bytes, %v", what, len(data), err)
	}
	back, err := throughJSON(once)
	if err != nil {
		t.Fatal(err)
	}
	again, err := StateOf(back)
	if err != nil {
		t.Fatalf("%s: the next record cannot be relied on: %v", what, err)
	}
	if diff := cmp.Diff(StatusOf(next), StatusOf(again), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: the next record comes back as another:\n%s", what, diff)
	}

	in := auditor.WithState(auditor.Input{CronWorkflow: ticking(), Runs: ticked()}, state, noon, auditor.Options{})
	report, err := auditor.Audit(in, auditor.Window{From: minute(-120), To: noon}, noon, auditor.Options{})
	if err != nil {
		t.Fatalf("%s: tick cannot be audited any more: %v", what, err)
	}
	for _, f := range report.Findings {
		checkByHand(t, what, state, f, noon)
	}
	return true
}

func checkByHand(t *testing.T, what string, state auditor.State, f auditor.Finding, now time.Time) {
	t.Helper()
	exists := slices.ContainsFunc(ticked(), func(r auditor.Run) bool { return r.Name == f.Workflow })
	onRecord := slices.ContainsFunc(state.Record.Runs, func(r auditor.RecordedRun) bool { return r.ScheduledTime.Equal(f.ScheduledTime) })
	switch {
	case f.Verdict.Lost() && exists:
		t.Errorf("%s: %s ran and is %s", what, f.ScheduledTime, f.Verdict)
	case f.Verdict.Lost() && f.ScheduledTime.After(now):
		t.Errorf("%s: %s is to come and is %s", what, f.ScheduledTime, f.Verdict)
	case f.Verdict.Lost() && !named(state, f.ScheduledTime):
		t.Errorf("%s: %s is no firing and is %s", what, f.ScheduledTime, f.Verdict)
	case f.Verdict.Ran() && !exists && !onRecord:
		t.Errorf("%s: nothing says that %s ran, and it is %s", what, f.ScheduledTime, f.Verdict)
	case auditor.WorkflowName("tick", f.ScheduledTime) != f.Workflow:
		t.Errorf("%s: %s is the run of %s", what, f.Workflow, f.ScheduledTime)
	}
}

// named says whether the spec, or one on record, names a time.
func named(state auditor.State, at time.Time) bool {
	return slices.ContainsFunc(append(state.Epochs, ticking().Epochs...), func(e auditor.Epoch) bool {
		s, err := schedule.Parse(e.Spec.Schedules, e.Spec.Timezone, nil)
		return err == nil && s.Contains(at)
	})
}

func TestARecordEditedByHandDoesNoHarm(t *testing.T) {
	object := edited(t)
	if !holdsByHand(t, object, "as it was written") {
		t.Fatal("it is not used as it was written")
	}
	values := []any{
		nil, true, -1.0, 0.5, 2147483648.0, 9.2e18, "", "soon", []any{}, []any{nil}, map[string]any{}, map[string]any{"x": 1.0},
		"1970-01-01T00:00:01Z", "2026-11-23T11:55:00Z", "2026-11-23T11:30:30.5+05:30", "2026-11-23T12:10:00Z", "9998-12-31T23:59:59Z",
		"Missed", "OnTime", "* * * * *", "* * * *", "Mars/Olympus", "Replace", "certain", ".M_?",
	}
	for _, path := range alter.Paths(object) {
		for _, value := range values {
			holdsByHand(t, alter.With(object, path, value), fmt.Sprintf("%v for %s", value, path))
		}
	}
}

// FuzzRecordEditedByHand puts values in the place of two fields.
func FuzzRecordEditedByHand(f *testing.F) {
	f.Add(40, `"2026-11-23T12:30:00Z"`, 60, `"Missed"`)
	f.Add(90, `{"from": "1970-01-01T00:00:01Z", "schedules": ["@every 1s"]}`, 3, `null`)
	f.Add(20, `[{"scheduledTime": "2026-11-23T11:59:59Z", "verdict": "Missed"}]`, 200, `-1`)
	object := edited(f)
	f.Fuzz(func(t *testing.T, first int, one string, second int, two string) {
		altered := object
		what := ""
		for _, change := range []struct {
			place int
			text  string
		}{{first, one}, {second, two}} {
			var value any
			if json.Unmarshal([]byte(change.text), &value) != nil || change.place < 0 {
				return
			}
			places := alter.Paths(altered)
			if len(places) == 0 {
				return
			}
			place := places[change.place%len(places)]
			altered = alter.With(altered, place, value)
			what += fmt.Sprintf("%.200s for %s ", change.text, place)
		}
		holdsByHand(t, altered, what)
	})
}
