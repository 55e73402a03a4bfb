package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// states draws states as a Watcher has them: within the bounds, lists ascending, one item per time.
func states() *rapid.Generator[auditor.State] {
	return rapid.Custom(func(t *rapid.T) auditor.State {
		s := auditor.State{
			UID:            rapid.StringMatching(`[0-9a-f]{8}`).Draw(t, "uid"),
			AuditedThrough: wholeSeconds().Draw(t, "auditedThrough"),
			Totals:         map[auditor.Verdict]int64{},
			Strip:          rapid.SliceOfN(rapid.SampledFrom(auditor.Verdicts()), 0, v1alpha1.MaxStrip).Draw(t, "strip"),
			Open:           firings(findings(auditor.Missed)).Draw(t, "open"),
			Unsettled:      unsettled().Draw(t, "unsettled"),
			Notable:        firings(findings(auditor.Verdicts()...)).Draw(t, "notable"),
			Coverage:       stretchesFrom(t, "coverage"),
			Accounted:      rapid.Int64Min(0).Draw(t, "accounted"),
			Epochs:         epochsFrom().Draw(t, "epochs"),
		}
		for _, v := range auditor.Verdicts() {
			if n := rapid.Int64Min(0).Draw(t, string(v)); n > 0 {
				s.Totals[v] = n
			}
		}
		s.Record = auditor.Record{
			Runs: firings(rapid.Custom(func(t *rapid.T) auditor.RecordedRun {
				return auditor.RecordedRun{ScheduledTime: wholeSeconds().Draw(t, "scheduled"), CreatedAt: perhaps(wholeSeconds()).Draw(t, "created"),
					Verdict: rapid.SampledFrom([]auditor.Verdict{auditor.OnTime, auditor.Late, auditor.Backfilled}).Draw(t, "verdict")}
			})).Draw(t, "runs"),
			Recoveries: firings(recoveries()).Draw(t, "recoveries"),
			Moved:      sorted(wholeSeconds()).Draw(t, "moved"),
			Stopped:    sorted(instants()).Draw(t, "stopped"),
			Resumed:    sorted(instants()).Draw(t, "resumed"),
			Unseen:     stretchesFrom(t, "unseen"),
		}
		for _, at := range sorted(instants()).Draw(t, "active") {
			s.Record.Active = append(s.Record.Active, auditor.ActiveSeen{At: at, Runs: rapid.IntRange(0, 50).Draw(t, "runs")})
		}
		for _, at := range sorted(instants()).Draw(t, "errors") {
			s.Record.Errors = append(s.Record.Errors, auditor.ErrorSeen{At: at, Message: messages().Draw(t, "message")})
		}
		return s
	})
}

func stretchesFrom(t *rapid.T, label string) []auditor.Stretch {
	var all []auditor.Stretch
	for _, from := range sorted(instants()).Draw(t, label) {
		all = append(all, auditor.Stretch{From: from, To: from.Add(time.Duration(rapid.IntRange(0, 1e9).Draw(t, "µs")) * time.Microsecond)})
	}
	return all
}

// unsettled draws findings without a final verdict: of a Pending one, nothing but that counts.
func unsettled() *rapid.Generator[[]auditor.Finding] {
	return rapid.Map(firings(findings(auditor.Skipped, auditor.GaveUp, auditor.Unknown, auditor.Pending)), func(all []auditor.Finding) []auditor.Finding {
		for i, f := range all {
			if f.Verdict == auditor.Pending {
				all[i] = auditor.Finding{ScheduledTime: f.ScheduledTime, Workflow: f.Workflow, Verdict: f.Verdict}
			}
		}
		return all
	})
}

func wholeSeconds() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.IntRange(-1e6, 1e6), func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) })
}

func instants() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.Int64Range(-1e12, 1e12), func(n int64) time.Time { return noon.Add(time.Duration(n) * time.Microsecond) })
}

func perhaps(times *rapid.Generator[time.Time]) *rapid.Generator[time.Time] {
	return rapid.OneOf(rapid.Just(time.Time{}), times)
}

func sorted(times *rapid.Generator[time.Time]) *rapid.Generator[[]time.Time] {
	return rapid.Map(rapid.SliceOfNDistinct(times, 0, 10, time.Time.UnixNano), func(all []time.Time) []time.Time {
		slices.SortFunc(all, time.Time.Compare)
		return all
	})
}

func messages() *rapid.Generator[string] {
	return rapid.StringMatching(`[ -~]{0,40}(…|→|"quota" <exceeded>)?`)
}

func findings(verdicts ...auditor.Verdict) *rapid.Generator[auditor.Finding] {
	return rapid.Custom(func(t *rapid.T) auditor.Finding {
		at := wholeSeconds().Draw(t, "scheduled")
		return auditor.Finding{
			ScheduledTime: at, Workflow: auditor.WorkflowName("tick", at), Verdict: rapid.SampledFrom(verdicts).Draw(t, "verdict"),
			Reason:    rapid.SampledFrom([]auditor.Reason{"", auditor.NameTaken, auditor.DeadlinePassed}).Draw(t, "reason"),
			Certainty: rapid.SampledFrom([]auditor.Certainty{"", auditor.Certain, auditor.Likely}).Draw(t, "certainty"),
			Cause:     rapid.SampledFrom([]auditor.Cause{"", auditor.ControllerDown, auditor.Undetermined}).Draw(t, "cause"),
			CreatedAt: perhaps(wholeSeconds()).Draw(t, "created"), Deadline: perhaps(wholeSeconds()).Draw(t, "deadline"),
			Evidence: rapid.SliceOfN(messages(), 0, v1alpha1.MaxEvidence).Draw(t, "evidence"),
		}
	})
}

func recoveries() *rapid.Generator[auditor.Recovery] {
	return rapid.Custom(func(t *rapid.T) auditor.Recovery {
		return auditor.Recovery{
			ScheduledTime: wholeSeconds().Draw(t, "scheduled"), Attempts: rapid.IntRange(0, 9).Draw(t, "attempts"), LastError: messages().Draw(t, "error"),
			Ended: rapid.SampledFrom([]auditor.Reason{"", auditor.Permanent, auditor.NameTaken, auditor.DeadlinePassed, auditor.TooManyMissed}).Draw(t, "ended"),
		}
	})
}

func epochsFrom() *rapid.Generator[[]auditor.Epoch] {
	return rapid.Custom(func(t *rapid.T) []auditor.Epoch {
		var all []auditor.Epoch
		for _, from := range sorted(instants()).Draw(t, "from") {
			if rapid.IntRange(0, 4).Draw(t, "unknown") == 0 {
				all = append(all, auditor.Epoch{From: from, Unknown: true})
				continue
			}
			all = append(all, auditor.Epoch{From: from, Spec: auditor.Spec{
				Schedules: rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "schedules"), Timezone: rapid.SampledFrom([]string{"", "Europe/Vienna"}).Draw(t, "zone"),
				Suspend: rapid.Bool().Draw(t, "suspend"), StopStrategy: rapid.Bool().Draw(t, "stopStrategy"), When: rapid.String().Draw(t, "when"),
				Policy:           rapid.SampledFrom([]auditor.Policy{"", auditor.Allow, auditor.Forbid, auditor.Replace}).Draw(t, "policy"),
				StartingDeadline: time.Duration(rapid.IntRange(0, 1e6).Draw(t, "deadline")) * time.Second,
			}})
			if rapid.Bool().Draw(t, "traceless") {
				all[len(all)-1].Traceless, all[len(all)-1].TracelessUntil = true, instants().Draw(t, "watched")
			}
		}
		return all
	})
}

// firings draws a list of items of different scheduled times, ascending.
func firings[T any](items *rapid.Generator[T]) *rapid.Generator[[]T] {
	at := func(item T) time.Time {
		switch v := any(item).(type) {
		case auditor.Finding:
			return v.ScheduledTime
		case auditor.RecordedRun:
			return v.ScheduledTime
		case auditor.Recovery:
			return v.ScheduledTime
		}
		panic(fmt.Sprintf("%T has no scheduled time", item))
	}
	return rapid.Map(rapid.SliceOfNDistinct(items, 0, 10, func(item T) int64 { return at(item).Unix() }), func(all []T) []T {
		slices.SortFunc(all, func(a, b T) int { return at(a).Compare(at(b)) })
		return all
	})
}

// huge is a state with more of everything than a CronAudit may hold, in texts that take the most room as JSON.
func huge() auditor.State {
	long := strings.Repeat(`<"&é世`, 2000)
	s := auditor.State{UID: strings.Repeat("f", 36), AuditedThrough: noon, Totals: map[auditor.Verdict]int64{}}
	for _, v := range auditor.Verdicts() {
		s.Totals[v] = 1<<63 - 1
	}
	for i := range 2000 {
		at := noon.Add(time.Duration(i)*time.Minute + 123456*time.Microsecond)
		f := auditor.Finding{
			ScheduledTime: at.Truncate(time.Second), Verdict: auditor.Missed, Reason: "TooManyMissed", Certainty: auditor.Certain, Cause: auditor.SubmissionError,
			CreatedAt: at, Deadline: at, Evidence: []string{long, long, long, long, long},
		}
		s.Notable = append(s.Notable, f)
		f.Reason, f.CreatedAt = "", time.Time{} // as for every firing that is Missed
		s.Open = append(s.Open, f)
		f.Verdict, f.Reason = auditor.Skipped, auditor.Superseded
		s.Unsettled = append(s.Unsettled, f, auditor.Finding{ScheduledTime: at.Truncate(time.Second), Verdict: auditor.Pending})
		s.Strip = append(s.Strip, auditor.OnTime)
		s.Epochs = append(s.Epochs, auditor.Epoch{From: at, Spec: auditor.Spec{
			Schedules: []string{"* * * * *", strings.Repeat("<", 400)}, Timezone: "America/Argentina/ComodRivadavia", Suspend: true, Policy: auditor.Replace,
			StartingDeadline: time.Duration(1<<62) / time.Second * time.Second, When: strings.Repeat(`"`, 400), StopStrategy: true,
		}})
		s.Record.Runs = append(s.Record.Runs, auditor.RecordedRun{ScheduledTime: at, CreatedAt: at, Verdict: auditor.Backfilled})
		s.Record.Recoveries = append(s.Record.Recoveries,
			auditor.Recovery{ScheduledTime: at, Attempts: 1 << 40, LastError: long, Ended: auditor.DeadlinePassed},
			auditor.Recovery{ScheduledTime: at.Add(time.Second), Attempts: 1 << 40, LastError: long, Ended: auditor.DeadlinePassed})
		s.Record.Moved = append(s.Record.Moved, at)
		s.Record.Active = append(s.Record.Active, auditor.ActiveSeen{At: at, Runs: 1 << 40})
		s.Record.Errors = append(s.Record.Errors, auditor.ErrorSeen{At: at, Message: long})
		s.Record.Stopped = append(s.Record.Stopped, at)
		s.Record.Resumed = append(s.Record.Resumed, at)
		s.Record.Unseen = append(s.Record.Unseen, auditor.Stretch{From: at, To: at})
		s.Coverage = append(s.Coverage, auditor.Stretch{From: at, To: at})
	}
	return s
}

// complete is the CronAudit of tick with what the Store adds to a status.
func complete(s auditor.State) *v1alpha1.CronAudit {
	audit := &v1alpha1.CronAudit{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: "tick", Namespace: "default"},
		Status:     StatusOf(s),
	}
	audit.Status.Revision, audit.Status.WrittenBy = 1<<63-1, strings.Repeat("w", 320)
	setConditions(&audit.Status, nil, noon)
	return audit
}

// throughJSON is what the API server gives back.
func throughJSON(audit *v1alpha1.CronAudit) (*v1alpha1.CronAudit, error) {
	data, err := json.Marshal(audit)
	if err != nil {
		return nil, err
	}
	var back v1alpha1.CronAudit
	return &back, json.Unmarshal(data, &back)
}
