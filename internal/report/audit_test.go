package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
)

func at(clock string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-11-23T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return t
}

func tick() auditor.CronWorkflow {
	return auditor.CronWorkflow{
		Namespace: "default", Name: "tick", UID: "1b2c",
		Epochs: []auditor.Epoch{{From: at("00:00:00"), Spec: auditor.Spec{Schedules: []string{"* * * * *"}}}},
	}
}

// The example of the design: what scripts are written against.
func TestAnAuditReportIsTheDocumentThatScriptsRead(t *testing.T) {
	r := NewAuditReport(at("04:45:00").Add(123*time.Millisecond), auditor.Window{From: at("04:38:00"), To: at("04:45:00")})
	r.Add(tick(), auditor.Report{
		Totals: map[auditor.Verdict]int{auditor.Missed: 1, auditor.OnTime: 1},
		Advice: []string{"Set a deadline."},
		Findings: []auditor.Finding{
			{
				ScheduledTime: at("04:39:00").In(time.FixedZone("", 3600)), Workflow: "tick-1795408740", Verdict: auditor.OnTime,
				CreatedAt: at("04:39:00"), Evidence: []string{"It exists."},
			},
			{
				ScheduledTime: at("04:40:00"), Workflow: "tick-1795408800", Verdict: auditor.Missed, Certainty: auditor.Certain,
				Cause: auditor.ControllerDown, Deadline: at("04:50:00"), Evidence: []string{"It does not exist."},
			},
		},
	}, time.UTC)
	r.AddError(auditor.CronWorkflow{Namespace: "etl", Name: "broken"}, errors.New("no schedule"), time.UTC)

	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	// Compared as text, since the order of keys is part of what people see.
	want := `{"apiVersion":"rollcall.dev/v1alpha1","kind":"AuditReport","generatedAt":"2026-11-23T04:45:00Z",` +
		`"from":"2026-11-23T04:38:00Z","to":"2026-11-23T04:45:00Z","totals":{"OnTime":1,"Missed":1},"cronWorkflows":[` +
		`{"namespace":"default","name":"tick","uid":"1b2c","schedules":["* * * * *"],"timezone":"UTC","totals":{"OnTime":1,"Missed":1},` +
		`"advice":["Set a deadline."],"firings":[` +
		`{"scheduledTime":"2026-11-23T04:39:00Z","workflow":"tick-1795408740","verdict":"OnTime","createdAt":"2026-11-23T04:39:00Z","evidence":["It exists."]},` +
		`{"scheduledTime":"2026-11-23T04:40:00Z","workflow":"tick-1795408800","verdict":"Missed","certainty":"certain","cause":"ControllerDown",` +
		`"deadline":"2026-11-23T04:50:00Z","evidence":["It does not exist."]}]},` +
		`{"namespace":"etl","name":"broken","error":"no schedule"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAnEmptyReportHasEmptyListsAndNoNulls(t *testing.T) {
	got, err := json.Marshal(NewAuditReport(at("04:45:00"), auditor.Window{From: at("04:38:00"), To: at("04:45:00")}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"rollcall.dev/v1alpha1","kind":"AuditReport","generatedAt":"2026-11-23T04:45:00Z",` +
		`"from":"2026-11-23T04:38:00Z","to":"2026-11-23T04:45:00Z","totals":{},"cronWorkflows":[]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheTimezoneOfAReportIsTheOneInForce(t *testing.T) {
	cw := tick()
	cw.Epochs = append(cw.Epochs, auditor.Epoch{From: at("02:00:00"), Spec: auditor.Spec{Schedules: []string{"@hourly"}, Timezone: "Asia/Tokyo"}})
	for name, c := range map[string]struct {
		cw   auditor.CronWorkflow
		want CronWorkflow
	}{
		"the controller's where the spec has none":   {tick(), CronWorkflow{Namespace: "default", Name: "tick", UID: "1b2c", Schedules: []string{"* * * * *"}, Timezone: "EST"}},
		"that of the newest epoch":                   {cw, CronWorkflow{Namespace: "default", Name: "tick", UID: "1b2c", Schedules: []string{"@hourly"}, Timezone: "Asia/Tokyo"}},
		"none where the spec could not even be read": {auditor.CronWorkflow{Namespace: "a", Name: "b"}, CronWorkflow{Namespace: "a", Name: "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, describe(c.cw, time.FixedZone("EST", -5*3600))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func lost(clock string, verdict auditor.Verdict, cause auditor.Cause, deadline string) auditor.Finding {
	f := auditor.Finding{ScheduledTime: at(clock), Verdict: verdict, Cause: cause, Certainty: auditor.Certain}
	if deadline != "" {
		f.Deadline = at(deadline)
	}
	return f
}

func TestNeighboursLostInTheSameWayAreOneStretch(t *testing.T) {
	down, error := auditor.ControllerDown, auditor.SubmissionError
	a := lost("04:40:00", auditor.Missed, down, "04:50:00")
	b := lost("04:41:00", auditor.Missed, down, "04:51:00")
	ran := auditor.Finding{ScheduledTime: at("04:42:00"), Verdict: auditor.OnTime}
	c := lost("04:43:00", auditor.Missed, down, "04:53:00")
	other := lost("04:44:00", auditor.Missed, error, "04:54:00")
	never := lost("04:45:00", auditor.Expired, down, "")
	for name, test := range map[string]struct {
		firings []auditor.Finding
		want    []stretch
	}{
		"nothing lost":                  {[]auditor.Finding{ran}, nil},
		"two in a row":                  {[]auditor.Finding{a, b}, []stretch{{a, b, 2, at("04:50:00")}}},
		"a run between them parts them": {[]auditor.Finding{b, ran, c}, []stretch{{b, b, 1, at("04:51:00")}, {c, c, 1, at("04:53:00")}}},
		"another cause parts them":      {[]auditor.Finding{c, other}, []stretch{{c, c, 1, at("04:53:00")}, {other, other, 1, at("04:54:00")}}},
		"another verdict parts them":    {[]auditor.Finding{c, never}, []stretch{{c, c, 1, at("04:53:00")}, {never, never, 1, time.Time{}}}},
		"the earliest deadline is kept": {[]auditor.Finding{a, b, c}, []stretch{{a, c, 3, at("04:50:00")}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, lostStretches(test.firings), cmp.AllowUnexported(stretch{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTheNextCommand(t *testing.T) {
	down := auditor.ControllerDown
	missed := lost("04:40:00", auditor.Missed, down, "04:50:00")
	later := lost("04:42:00", auditor.Missed, down, "04:52:00")
	expired := lost("04:30:00", auditor.Expired, down, "04:35:00")
	forever := lost("04:31:00", auditor.Expired, down, "")
	gaveUp := lost("04:32:00", auditor.GaveUp, down, "")
	for name, c := range map[string]struct {
		firings []auditor.Finding
		want    string
		missed  bool
	}{
		"is none where nothing was lost":                          {nil, "", false},
		"takes in all that is Missed, begin included":             {[]auditor.Finding{missed, later}, "rollcall backfill tick -n default --from 2026-11-23T04:39:59Z --to 2026-11-23T04:42:00Z", true},
		"leaves what is too late while there is something Missed": {[]auditor.Finding{expired, missed}, "rollcall backfill tick -n default --from 2026-11-23T04:39:59Z --to 2026-11-23T04:40:00Z", true},
		"ignores the deadline only where there is one":            {[]auditor.Finding{forever, gaveUp}, "rollcall backfill tick -n default --from 2026-11-23T04:30:59Z --to 2026-11-23T04:32:00Z", false},
		"goes past the deadline where nothing else is left":       {[]auditor.Finding{expired}, "rollcall backfill tick -n default --from 2026-11-23T04:29:59Z --to 2026-11-23T04:30:00Z --ignore-deadline", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, isMissed := BackfillCommand(CronWorkflow{Namespace: "default", Name: "tick", Firings: c.firings})
			if got != c.want || isMissed != c.missed {
				t.Errorf("got  %q, %v\nwant %q, %v", got, isMissed, c.want, c.missed)
			}
		})
	}
}

func TestAMessageOfSeveralLinesTakesOneLine(t *testing.T) {
	r := NewAuditReport(at("04:45:00"), auditor.Window{From: at("04:38:00"), To: at("04:45:00")})
	f := lost("04:40:00", auditor.Missed, auditor.SubmissionError, "04:50:00")
	f.Evidence = []string{"Argo tried and failed: it is\n  | wrong\n  | ^"}
	r.Add(tick(), auditor.Report{Totals: map[auditor.Verdict]int{auditor.Missed: 1}, Advice: []string{"Set\nit."}, Findings: []auditor.Finding{f}}, time.UTC)
	r.AddError(auditor.CronWorkflow{Namespace: "etl", Name: "broken"}, errors.New("no\nschedule"), time.UTC)
	for name, c := range map[string]struct {
		write func(io.Writer) error
		says  []string
	}{
		"wide":  {func(w io.Writer) error { return AuditWide(w, r, Style{}) }, []string{"it is | wrong | ^\n", "no schedule\n", "Set it.\n"}},
		"table": {func(w io.Writer) error { return AuditTable(w, r, Style{}, "rollcall audit") }, []string{"it is | wrong | ^\n", "Set it.\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.write(&b); err != nil {
				t.Fatal(err)
			}
			for _, line := range c.says {
				if !strings.Contains(b.String(), line) {
					t.Errorf("no line ends with %q:\n%s", line, b.String())
				}
			}
		})
	}
}

func TestAWriterThatFailsIsReported(t *testing.T) {
	r := NewAuditReport(at("04:45:00"), auditor.Window{From: at("04:38:00"), To: at("04:45:00")})
	r.Add(tick(), auditor.Report{
		Totals:   map[auditor.Verdict]int{auditor.Missed: 1},
		Advice:   []string{"Set a deadline."},
		Findings: []auditor.Finding{lost("04:40:00", auditor.Missed, auditor.ControllerDown, "04:50:00")},
	}, time.UTC)
	var whole bytes.Buffer
	for name, write := range map[string]func(*limitedWriter) error{
		"table": func(w *limitedWriter) error { return AuditTable(w, r, Style{}, "rollcall audit") },
		"wide":  func(w *limitedWriter) error { return AuditWide(w, r, Style{}) },
		"names": func(w *limitedWriter) error { return AuditNames(w, r) },
	} {
		t.Run(name, func(t *testing.T) {
			whole.Reset()
			if err := write(&limitedWriter{&whole, 1 << 20}); err != nil {
				t.Fatal(err)
			}
			for room := range whole.Len() {
				if err := write(&limitedWriter{&bytes.Buffer{}, room}); err == nil {
					t.Fatalf("no error with room for %d of %d bytes", room, whole.Len())
				}
			}
		})
	}
}

type limitedWriter struct {
	to   *bytes.Buffer
	room int
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) > w.room {
		return 0, errors.New("full")
	}
	w.room -= len(p)
	return w.to.Write(p)
}
