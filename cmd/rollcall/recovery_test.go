package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/report"
)

func TestOnlyAClearYesAgrees(t *testing.T) {
	for name, c := range map[string]struct {
		terminal bool
		answer   string
		want     error
	}{
		"y":                        {true, "y\n", nil},
		"Yes, with blanks":         {true, " Yes \n", nil},
		"yes at the end of input":  {true, "yes", nil},
		"no":                       {true, "n\n", statusLost},
		"just Enter":               {true, "\n", statusLost},
		"anything else":            {true, "yup\n", statusLost},
		"the end of input":         {true, "", statusLost},
		"nobody there to be asked": {false, "y\n", errNoTerminal},
	} {
		t.Run(name, func(t *testing.T) {
			env, out, errOut := testEnvironment()
			env.terminal = func(any) bool { return c.terminal }
			env.In = strings.NewReader(c.answer)
			if got := ask(t.Context(), env, "Create 3 runs for default/tick?"); !errors.Is(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if c.terminal && !strings.HasPrefix(errOut.String(), "Create 3 runs for default/tick? [y/N] ") {
				t.Errorf("asked %q", errOut)
			}
			if out.Len() > 0 {
				t.Errorf("stdout is for the report, and has %q", out)
			}
		})
	}
}

func event(kind backfill.EventKind, outcome backfill.Outcome) backfill.Event {
	return backfill.Event{
		Kind:         kind,
		CronWorkflow: backfill.Key{Namespace: "default", Name: "tick"},
		Finding:      auditor.Finding{ScheduledTime: time.Date(2026, 11, 23, 4, 40, 0, 0, time.UTC)},
		Until:        time.Date(2026, 11, 23, 4, 46, 5, 0, time.UTC),
		Why:          "a run is active.",
		Err:          errors.New("connection reset"),
		Result:       backfill.Result{Planned: true, Outcome: outcome},
	}
}

func TestProgressIsALinePerEventWhereThereIsNoTerminal(t *testing.T) {
	env, out, errOut := testEnvironment()
	p := newProgress(env, report.Style{}, 2)
	for _, e := range []backfill.Event{
		event(backfill.Trying, ""), event(backfill.Waiting, ""), event(backfill.Retrying, ""), event(backfill.Finished, backfill.Created),
		{Kind: backfill.Finished, Result: backfill.Result{Outcome: backfill.Left}}, // it was never to be recovered
		event(backfill.Finished, backfill.AlreadyThere), event(backfill.Settling, ""), event(backfill.Finished, backfill.Interrupted),
	} {
		p.Observe(e)
	}
	p.end()
	want := `default/tick 2026-11-23T04:40:00Z: waiting until 04:46:05Z: a run is active.
default/tick 2026-11-23T04:40:00Z: again at 04:46:05Z: connection reset
default/tick 2026-11-23T04:40:00Z: Created (1/2)
default/tick 2026-11-23T04:40:00Z: AlreadyThere (2/2)
default/tick: watching until 04:46:05Z that Argo keeps the status
`
	if diff := cmp.Diff(want, errOut.String()); diff != "" || out.Len() > 0 {
		t.Errorf("stdout %q, stderr -want +got\n%s", out, diff)
	}
}

func TestProgressIsABarOnATerminal(t *testing.T) {
	env, _, errOut := testEnvironment()
	env.terminal = func(any) bool { return true }
	p := newProgress(env, report.Style{}, 2)
	p.Observe(event(backfill.Finished, backfill.Created))
	if got := errOut.String(); !strings.Contains(got, "1/2") || strings.Contains(got, "\n") {
		t.Errorf("want a bar that stays in its line, got %q", got)
	}
	errOut.Reset()
	p.Observe(event(backfill.Waiting, ""))
	if got := errOut.String(); !strings.Contains(got, "waiting until 04:46:05Z: a run is active.\n") || !strings.Contains(got[strings.Index(got, "\n"):], "1/2") {
		t.Errorf("want what it waits for above the bar, got %q", got)
	}
	errOut.Reset()
	overtaken := event(backfill.Finished, backfill.AlreadyThere)
	overtaken.Result.Why = []string{"It is no longer lost: it was run by Rollcall since."}
	p.Observe(overtaken)
	if got := errOut.String(); !strings.Contains(got, "AlreadyThere (2/2): It is no longer lost: it was run by Rollcall since.\n") {
		t.Errorf("want what has run since said above the bar, got %q", got)
	}
	p.end()
	if got := errOut.String(); !strings.HasSuffix(strings.TrimRight(got, " "), "\r") {
		t.Errorf("the bar is left standing: %q", got)
	}
}

func TestTheStatusOfARecovery(t *testing.T) {
	at := time.Date(2026, 11, 23, 4, 40, 0, 0, time.UTC)
	missed := auditor.Finding{ScheduledTime: at, Workflow: "tick-1795408800", Verdict: auditor.Missed, Certainty: auditor.Certain}
	policy := backfill.Policy{Verdicts: []auditor.Verdict{auditor.Missed}, Include: []auditor.Verdict{auditor.Unknown}}
	plan := backfill.Plan{CronWorkflow: backfill.Key{Namespace: "default", Name: "tick"}}
	result := func(f auditor.Finding, outcome backfill.Outcome, reason auditor.Reason, err error) backfill.Report {
		return backfill.Report{Results: []backfill.Result{{Finding: f, Planned: true, Outcome: outcome, Reason: reason, LastError: err}}}
	}
	interrupted := result(missed, backfill.Interrupted, "", nil)
	interrupted.Interrupted = true
	untold := result(missed, backfill.Created, "", nil)
	untold.StatusError = errors.New("status not written")
	unknown, skipped, ran := missed, missed, missed
	unknown.Verdict, skipped.Verdict, ran.Verdict = auditor.Unknown, auditor.Skipped, auditor.OnTime
	for name, c := range map[string]struct {
		done backfill.Report
		want status
		says string
	}{
		"all recovered":                  {result(missed, backfill.Created, "", nil), statusDone, ""},
		"recovered after an error":       {result(missed, backfill.Created, "", errors.New("reset")), statusDone, ""},
		"somebody was faster":            {result(missed, backfill.AlreadyThere, "", nil), statusDone, ""},
		"a dry run that finds it can be": {result(missed, backfill.WouldCreate, "", nil), statusDone, ""},
		"nothing was lost":               {result(ran, backfill.Left, "", nil), statusDone, ""},
		"not asked for":                  {result(skipped, backfill.Left, auditor.Suspended, nil), statusDone, ""},
		"too late":                       {result(missed, backfill.Left, auditor.DeadlinePassed, nil), statusLost, ""},
		"asked for by name and left":     {result(unknown, backfill.Left, auditor.NameTaken, nil), statusLost, ""},
		"blocked by a quota": {
			result(missed, backfill.Blocked, backfill.NotAllowed, errors.New("exceeded quota")), statusLost,
			"error: CronWorkflow default/tick: 1 firing not recovered: exceeded quota\n",
		},
		"rejected by the API server": {
			result(missed, backfill.GaveUp, auditor.Permanent, errors.New("spec is invalid")), statusFailed,
			"error: CronWorkflow default/tick: 1 firing not recovered: spec is invalid\n",
		},
		"made, but Argo may not know": {untold, statusFailed, "error: CronWorkflow default/tick: status not written\n"},
		"interrupted":                 {interrupted, statusLost, "interrupted: the same command completes the rest (with --include Unknown, should the evidence of a firing be gone by then)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			env, _, errOut := testEnvironment()
			r := &recovery{environment: env}
			got := r.conclude([]*report.BackfillReport{report.NewBackfillReport(at, auditor.Window{}, policy, plan, c.done)})
			if got != c.want || errOut.String() != c.says {
				t.Errorf("got %d and %q, want %d and %q", got, errOut, c.want, c.says)
			}
		})
	}
}

func TestTheTransientPatternIsArgos(t *testing.T) {
	got, err := transientPattern(func(v string) string { return map[string]string{"TRANSIENT_ERROR_PATTERN": "hiccup$"}[v] })
	if err != nil || !got.MatchString("a hiccup") {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := transientPattern(func(string) string { return "(" }); err == nil || !strings.HasPrefix(err.Error(), "TRANSIENT_ERROR_PATTERN: ") {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorOfSeveralLinesIsALineEach(t *testing.T) {
	env, _, errOut := testEnvironment()
	if got := conclude(env, errors.Join(errors.New("one"), errors.New("two"))); got != statusFailed {
		t.Errorf("status %d", got)
	}
	if want := "error: one\nerror: two\n"; errOut.String() != want {
		t.Errorf("got %q, want %q", errOut, want)
	}
	var quiet bytes.Buffer
	env.ErrOut = &quiet
	if got := conclude(env, statusLost); got != statusLost || quiet.Len() > 0 {
		t.Errorf("a bare status says nothing: got %d, %q", got, &quiet)
	}
}
