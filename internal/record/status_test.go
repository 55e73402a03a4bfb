package record

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
	"rollcall.dev/rollcall/internal/report"
)

func TestAStateComesBackFromItsCronAudit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := states().Draw(t, "state")
		audit, err := throughJSON(complete(want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := StateOf(audit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheLargestStateStaysBelowTheLimitAndKeepsTheNewest(t *testing.T) {
	audit := complete(huge())
	data, err := json.Marshal(audit)
	if err != nil {
		t.Fatal(err)
	}
	// What the API server adds: UID, versions, the owner, managedFields.
	const added = 4 << 10
	if len(data)+added >= v1alpha1.MaxBytes {
		t.Errorf("%d bytes of JSON, want less than %d", len(data), v1alpha1.MaxBytes-added)
	}
	t.Logf("the largest CronAudit has %d bytes", len(data))
	back, err := throughJSON(audit)
	if err != nil {
		t.Fatal(err)
	}
	s, err := StateOf(back)
	if err != nil {
		t.Fatal(err)
	}
	newest := noon.Add(1999 * time.Minute)
	for what, at := range map[string]time.Time{
		"open": s.Open[len(s.Open)-1].ScheduledTime, "notable": s.Notable[len(s.Notable)-1].ScheduledTime,
		"epochs": s.Epochs[len(s.Epochs)-1].From, "runs": s.Record.Runs[len(s.Record.Runs)-1].ScheduledTime,
		"recoveries": s.Record.Recoveries[len(s.Record.Recoveries)-1].ScheduledTime, "moved": s.Record.Moved[len(s.Record.Moved)-1],
		"active": s.Record.Active[len(s.Record.Active)-1].At, "unsettled": s.Unsettled[len(s.Unsettled)-1].ScheduledTime, "coverage": s.Coverage[len(s.Coverage)-1].To,
		"stopped": s.Record.Stopped[len(s.Record.Stopped)-1], "unseen": s.Record.Unseen[len(s.Record.Unseen)-1].To,
	} {
		if !at.Truncate(time.Minute).Equal(newest) {
			t.Errorf("the newest of %s is of %s, want %s", what, at, newest)
		}
	}
	if diff := cmp.Diff(auditor.MaxOpen, len(s.Open)); diff != "" {
		t.Error(diff)
	}
}

func TestWhateverAWatcherKeepsOfALongOutageIsRecorded(t *testing.T) {
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Minute) }
	s := auditor.State{UID: "u1", AuditedThrough: at(2000), Totals: map[auditor.Verdict]int64{auditor.OnTime: 100000}}
	for i := range auditor.MaxOpen {
		s.Open = append(s.Open, auditor.Finding{ScheduledTime: at(i), Workflow: auditor.WorkflowName("tick", at(i)), Verdict: auditor.Missed,
			Certainty: auditor.Certain, Cause: auditor.SubmissionError, Deadline: at(i + 1440)})
		s.Record.Recoveries = append(s.Record.Recoveries, auditor.Recovery{ScheduledTime: at(i), Attempts: 7, LastError: "exceeded quota"})
	}
	for i := range auditor.MaxUnsettled {
		s.Unsettled = append(s.Unsettled, auditor.Finding{ScheduledTime: at(i), Workflow: auditor.WorkflowName("tick", at(i)), Verdict: auditor.GaveUp,
			Reason: auditor.TooManyMissed, Certainty: auditor.Certain, Cause: auditor.ControllerDown})
	}
	for i := range auditor.MaxUnconfirmed {
		s.Unsettled = append(s.Unsettled, auditor.Finding{ScheduledTime: at(300 + i), Workflow: auditor.WorkflowName("tick", at(300+i)), Verdict: auditor.Pending})
	}
	for i := range 200 {
		s.Record.Runs = append(s.Record.Runs, auditor.RecordedRun{ScheduledTime: at(i), CreatedAt: at(i), Verdict: auditor.OnTime})
		s.Record.Active = append(s.Record.Active, auditor.ActiveSeen{At: at(i), Runs: i % 2})
		s.Record.Moved = append(s.Record.Moved, at(i))
	}
	for i := range auditor.MaxStretches {
		s.Coverage = append(s.Coverage, auditor.Stretch{From: at(i), To: at(i + 1)})
	}
	got, err := StateOf(complete(s))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestStretchesInWhichRunsWentUnseenAreWidenedAndNeverForgotten(t *testing.T) {
	var s auditor.State
	for i := range v1alpha1.MaxUnseen + 2 {
		from := noon.Add(time.Duration(i) * time.Hour)
		s.Record.Unseen = append(s.Record.Unseen, auditor.Stretch{From: from, To: from.Add(time.Minute)})
	}
	s.Record.Unseen[0].To = noon.Add(24 * time.Hour)
	got, err := StateOf(complete(s))
	if err != nil {
		t.Fatal(err)
	}
	want := append([]auditor.Stretch{{From: noon, To: noon.Add(24 * time.Hour)}}, s.Record.Unseen[3:]...)
	if diff := cmp.Diff(want, got.Record.Unseen); diff != "" {
		t.Error(diff)
	}
}

func TestAMissThatIsOpenCarriesItsAttempts(t *testing.T) {
	at := noon.Add(-time.Minute)
	audit := complete(auditor.State{
		UID: "u1", AuditedThrough: noon, Totals: map[auditor.Verdict]int64{auditor.OnTime: 2, auditor.GaveUp: 1, auditor.Expired: 3},
		Strip:  []auditor.Verdict{auditor.OnTime, auditor.GaveUp, auditor.Missed},
		Open:   []auditor.Finding{{ScheduledTime: at, Verdict: auditor.Missed, Certainty: auditor.Certain, Cause: auditor.ControllerDown, Deadline: noon.Add(time.Hour)}},
		Record: auditor.Record{Recoveries: []auditor.Recovery{{ScheduledTime: at, Attempts: 3, LastError: "exceeded\nquota"}, {ScheduledTime: at.Add(-time.Minute), Attempts: 1, Ended: auditor.Permanent}}},
	})
	want := v1alpha1.CronAuditStatus{
		ObservedUID: "u1", Revision: 1<<63 - 1, WrittenBy: audit.Status.WrittenBy,
		Summary: v1alpha1.Summary{LastVerdict: "Missed", Missed: 1, Lost: 4, Roll: ".GM"},
		Conditions: []metav1.Condition{
			{Type: "Healthy", Status: "False", Reason: "FiringsMissed", LastTransitionTime: metav1.NewTime(noon),
				Message: "The firing of 2026-11-23 11:59:00Z is missed, which may still run until 2026-11-23 13:00:00Z."},
			{Type: "Recovering", Status: "True", Reason: "Attempted", LastTransitionTime: metav1.NewTime(noon),
				Message: "The firing of 2026-11-23 11:59:00Z has been tried 3 times. The last error: exceeded quota"},
		},
		AuditedThrough: metav1.NewTime(noon), Totals: v1alpha1.Totals{OnTime: 2, GaveUp: 1, Expired: 3}, Strip: ".GM",
		Open: []v1alpha1.Firing{{ScheduledTime: metav1.NewTime(at), Verdict: "Missed", Certainty: "certain", Cause: "ControllerDown", Deadline: metav1.NewTime(noon.Add(time.Hour)),
			Recovery: &v1alpha1.Attempts{Attempts: 3, LastError: "exceeded quota"}}},
		Record: v1alpha1.Record{Recoveries: []v1alpha1.Recovery{{ScheduledTime: metav1.NewTime(at.Add(-time.Minute)), Attempts: v1alpha1.Attempts{Attempts: 1, Ended: "Permanent"}}}},
	}
	if diff := cmp.Diff(want, audit.Status, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestAConditionKeepsTheTimeOfItsLastTransition(t *testing.T) {
	var status v1alpha1.CronAuditStatus
	setConditions(&status, nil, noon)
	status.Summary.LastVerdict = "OnTime"
	setConditions(&status, status.Conditions, noon.Add(time.Hour))
	status.Summary.LastVerdict = "Late"
	setConditions(&status, status.Conditions, noon.Add(2*time.Hour))
	want := []metav1.Condition{
		{Type: "Healthy", Status: "True", Reason: "NothingMissed", Message: "No firing is missed.", LastTransitionTime: metav1.NewTime(noon.Add(time.Hour))},
		{Type: "Recovering", Status: "False", Reason: "NothingTried", Message: "No missed firing is being tried.", LastTransitionTime: metav1.NewTime(noon)},
	}
	if diff := cmp.Diff(want, status.Conditions); diff != "" {
		t.Error(diff)
	}
}

func TestASpecThatDoesNotFitIsUnknown(t *testing.T) {
	epoch := func(hours int, when string) auditor.Epoch {
		return auditor.Epoch{From: noon.Add(time.Duration(hours) * time.Hour), Spec: auditor.Spec{Schedules: []string{"@daily"}, When: when}}
	}
	s := auditor.State{Epochs: []auditor.Epoch{epoch(0, "a"), epoch(1, strings.Repeat("x", v1alpha1.MaxExpression+1)), epoch(2, "b")}}
	got, err := StateOf(complete(s))
	if err != nil {
		t.Fatal(err)
	}
	want := []auditor.Epoch{s.Epochs[0], {From: s.Epochs[1].From, Unknown: true}, s.Epochs[2]}
	if diff := cmp.Diff(want, got.Epochs); diff != "" {
		t.Error(diff)
	}
}

func TestARecordThatCannotBeReliedOnIsAnError(t *testing.T) {
	at := metav1.NewTime(noon)
	for name, tc := range map[string]struct {
		status v1alpha1.CronAuditStatus
		want   string
	}{
		"a run that did not run":     {v1alpha1.CronAuditStatus{Record: v1alpha1.Record{Runs: []v1alpha1.Run{{ScheduledTime: at, Verdict: "Missed"}}}}, `status.record.runs[0].verdict: "Missed" is not the verdict on a run`},
		"no scheduled time":          {v1alpha1.CronAuditStatus{Open: []v1alpha1.Firing{{Verdict: "Missed"}}}, "status.open[0].scheduledTime is not a time from 1970 on"},
		"a verdict that is none":     {v1alpha1.CronAuditStatus{Notable: []v1alpha1.Firing{{ScheduledTime: at, Verdict: "Fine"}}}, `status.notable[0].verdict: "Fine" is not a verdict`},
		"a negative total":           {v1alpha1.CronAuditStatus{Totals: v1alpha1.Totals{Late: -1}}, "status.totals.Late is negative"},
		"a policy that is none":      {v1alpha1.CronAuditStatus{SpecEpochs: []v1alpha1.SpecEpoch{{From: metav1.NewMicroTime(noon), ConcurrencyPolicy: "Maybe"}}}, `status.specEpochs[0].concurrencyPolicy: "Maybe" is none`},
		"a deadline beyond all time": {v1alpha1.CronAuditStatus{SpecEpochs: []v1alpha1.SpecEpoch{{From: metav1.NewMicroTime(noon), StartingDeadlineSeconds: 1 << 60}}}, "status.specEpochs[0].startingDeadlineSeconds: 1152921504606846976 is out of range"},
		"attempts below none":        {v1alpha1.CronAuditStatus{Open: []v1alpha1.Firing{{ScheduledTime: at, Verdict: "Missed", Recovery: &v1alpha1.Attempts{Attempts: -1}}}}, "status.open[0]: -1 is not a number of attempts"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := StateOf(&v1alpha1.CronAudit{Status: tc.status})
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// FuzzAnyStatusIsAStateOrAnError: and what is taken for a state is written the same way again, within the limit.
func FuzzAnyStatusIsAStateOrAnError(f *testing.F) {
	for _, s := range []auditor.State{{}, huge()} {
		data, err := json.Marshal(complete(s).Status)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"strip":"..x世","auditedThrough":"9999-12-31T23:59:59-14:00"}`))
	f.Add([]byte(`{"record":{"active":[{"at":"2026-11-23T12:00:00.000001Z","runs":-9}],"moved":[null]},"totals":{"OnTime":1e3}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		audit := &v1alpha1.CronAudit{ObjectMeta: metav1.ObjectMeta{Name: "tick"}}
		if err := json.Unmarshal(data, &audit.Status); err != nil {
			return
		}
		state, err := StateOf(audit)
		if err != nil {
			return
		}
		once := complete(state)
		data, err = json.Marshal(once)
		if err != nil || len(data) >= v1alpha1.MaxBytes {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		back, err := throughJSON(once)
		if err != nil {
			t.Fatal(err)
		}
		again, err := StateOf(back)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(StatusOf(again), StatusOf(state), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheLettersAreThoseOfTheReports(t *testing.T) {
	for _, v := range auditor.Verdicts() {
		if got, want := strip([]auditor.Verdict{v}), (report.Style{}).Glyph(v); got != want {
			t.Errorf("%s is %q here and %q in reports", v, got, want)
		}
	}
	if diff := cmp.Diff(auditor.Verdicts(), verdicts(strip(auditor.Verdicts()))); diff != "" {
		t.Error(diff)
	}
}

func TestTheSchemaHasTheBoundsOfThePackage(t *testing.T) {
	data, err := os.ReadFile("../../charts/rollcall/files/crds/rollcall.dev_cronaudits.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		MaxItems, MaxLength int
		Items               *schema
		Properties          map[string]schema
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	status := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"].Properties
	record, firing, epoch := status["record"].Properties, status["open"].Items.Properties, status["specEpochs"].Items.Properties
	got := map[string]int{
		"epochs": status["specEpochs"].MaxItems, "schedules": epoch["schedules"].MaxItems, "expression": epoch["when"].MaxLength,
		"open": status["open"].MaxItems, "notable": status["notable"].MaxItems, "strip": status["strip"].MaxLength, "roll": status["summary"].Properties["roll"].MaxLength,
		"unsettled": status["unsettled"].MaxItems, "unconfirmed": status["unconfirmed"].MaxItems,
		"runs": record["runs"].MaxItems, "recoveries": record["recoveries"].MaxItems, "moved": record["moved"].MaxItems, "active": record["active"].MaxItems,
		"errors": record["submissionErrors"].MaxItems, "stops": record["stops"].MaxItems, "coverage": record["coverage"].MaxItems, "unseen": record["unseen"].MaxItems,
		"evidence": firing["evidence"].MaxItems, "sentence": firing["evidence"].Items.MaxLength,
		"error": firing["recovery"].Properties["lastError"].MaxLength, "message": record["submissionErrors"].Items.Properties["message"].MaxLength,
	}
	// What a Watcher keeps, and where that has no bound of its own, this package's.
	want := map[string]int{
		"epochs": auditor.MaxEpochs, "schedules": v1alpha1.MaxSchedules, "expression": v1alpha1.MaxExpression,
		"open": auditor.MaxOpen, "notable": auditor.MaxNotable, "strip": auditor.MaxStrip, "roll": v1alpha1.RollLength,
		"unsettled": auditor.MaxUnsettled, "unconfirmed": auditor.MaxUnconfirmed,
		"runs": auditor.MaxSeen, "recoveries": auditor.MaxSeen, "moved": auditor.MaxSeen, "active": auditor.MaxSeen,
		"errors": auditor.MaxSeen, "stops": v1alpha1.MaxStops, "coverage": auditor.MaxStretches, "unseen": v1alpha1.MaxUnseen,
		"evidence": v1alpha1.MaxEvidence, "sentence": v1alpha1.MaxEvidenceBytes, "error": v1alpha1.MaxErrorBytes, "message": v1alpha1.MaxErrorBytes,
	}
	for what, bound := range map[string][2]int{
		"epochs": {auditor.MaxEpochs, v1alpha1.MaxEpochs}, "open": {auditor.MaxOpen, v1alpha1.MaxOpen}, "unsettled": {auditor.MaxUnsettled, v1alpha1.MaxUnsettled},
		"unconfirmed": {auditor.MaxUnconfirmed, v1alpha1.MaxUnconfirmed}, "notable": {auditor.MaxNotable, v1alpha1.MaxNotable}, "strip": {auditor.MaxStrip, v1alpha1.MaxStrip},
		"seen": {auditor.MaxSeen, v1alpha1.MaxSeen}, "coverage": {auditor.MaxStretches, v1alpha1.MaxCoverage},
	} {
		if bound[0] > bound[1] {
			t.Errorf("%s: a Watcher keeps %d, a CronAudit only %d", what, bound[0], bound[1])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
