package record

import (
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// recordOf is what verdicts rest on, with the recoveries that are not of open firings.
func recordOf(s auditor.State, recoveries map[int64]v1alpha1.Recovery, left *budget) v1alpha1.Record {
	r := s.Record
	stretch := fixed[v1alpha1.Stretch](stretchSize)
	return v1alpha1.Record{
		Accounted:        max(s.Accounted, 0),
		Recoveries:       newest(left, remaining(recoveries), v1alpha1.MaxSeen, recoveryBytes, measured),
		Unseen:           newest(left, widened(stretches(r.Unseen)), v1alpha1.MaxUnseen, room, stretch),
		Coverage:         newest(left, stretches(s.Coverage), v1alpha1.MaxCoverage, room, stretch),
		Moved:            newest(left, seconds(r.Moved), v1alpha1.MaxSeen, room, fixed[metav1.Time](timeSize)),
		Stops:            newest(left, stops(r), v1alpha1.MaxStops, room, fixed[v1alpha1.Stop](stopSize)),
		SubmissionErrors: newest(left, submissionErrors(r.Errors), v1alpha1.MaxSeen, errorBytes, measured),
		Active:           newest(left, active(r.Active), v1alpha1.MaxSeen, room, fixed[v1alpha1.Active](activeSize)),
		Runs:             newest(left, runs(r.Runs), v1alpha1.MaxSeen, room, fixed[v1alpha1.Run](runSize)),
	}
}

func runs(seen []auditor.RecordedRun) []v1alpha1.Run {
	var out []v1alpha1.Run
	for _, run := range ascending(seen, func(r auditor.RecordedRun) time.Time { return r.ScheduledTime }) {
		if run.Verdict.Ran() {
			out = append(out, v1alpha1.Run{ScheduledTime: second(run.ScheduledTime), CreatedAt: second(run.CreatedAt), Verdict: v1alpha1.RunVerdict(run.Verdict)})
		}
	}
	return out
}

func active(seen []auditor.ActiveSeen) []v1alpha1.Active {
	var out []v1alpha1.Active
	for _, a := range ascending(seen, func(a auditor.ActiveSeen) time.Time { return a.At }) {
		out = append(out, v1alpha1.Active{At: micro(a.At), Runs: count(a.Runs)})
	}
	return out
}

func submissionErrors(seen []auditor.ErrorSeen) []v1alpha1.SubmissionError {
	var out []v1alpha1.SubmissionError
	for _, e := range ascending(seen, func(e auditor.ErrorSeen) time.Time { return e.At }) {
		out = append(out, v1alpha1.SubmissionError{At: micro(e.At), Message: text(e.Message, v1alpha1.MaxErrorBytes)})
	}
	return out
}

// stops are kept in one list: a stop whose end was forgotten would go on for ever.
func stops(r auditor.Record) []v1alpha1.Stop {
	var out []v1alpha1.Stop
	for _, at := range r.Stopped {
		out = append(out, v1alpha1.Stop{At: micro(at), Stopped: true})
	}
	for _, at := range r.Resumed {
		out = append(out, v1alpha1.Stop{At: micro(at)})
	}
	return ascending(out, func(s v1alpha1.Stop) time.Time { return s.At.Time })
}

func stretches(seen []auditor.Stretch) []v1alpha1.Stretch {
	var out []v1alpha1.Stretch
	for _, s := range ascending(seen, func(s auditor.Stretch) time.Time { return s.From }) {
		if writable(s.To) {
			out = append(out, v1alpha1.Stretch{From: micro(s.From), To: micro(s.To)})
		}
	}
	return out
}

// widened makes one of the oldest stretches where there are too many.
func widened(unseen []v1alpha1.Stretch) []v1alpha1.Stretch {
	surplus := len(unseen) - v1alpha1.MaxUnseen
	if surplus <= 0 {
		return unseen
	}
	one := unseen[surplus]
	for _, s := range unseen[:surplus] {
		if one.To.Time.Before(s.To.Time) {
			one.To = s.To
		}
	}
	one.From = unseen[0].From
	kept := unseen[surplus:]
	kept[0] = one
	return kept
}

func epochs(all []auditor.Epoch) []v1alpha1.SpecEpoch {
	var out []v1alpha1.SpecEpoch
	for _, e := range ascending(all, func(e auditor.Epoch) time.Time { return e.From }) {
		out = append(out, epoch(e))
	}
	return out
}

// epoch is of an unknown spec where the schema does not allow what it was.
func epoch(e auditor.Epoch) v1alpha1.SpecEpoch {
	spec, from := e.Spec, micro(e.From)
	recordable := len(spec.Schedules) <= v1alpha1.MaxSchedules && verbatim(spec.Timezone) && verbatim(spec.When) && knownPolicy(spec.Policy)
	out := v1alpha1.SpecEpoch{
		From: from, Timezone: v1alpha1.Expression(spec.Timezone), Suspend: spec.Suspend, ConcurrencyPolicy: string(spec.Policy),
		StartingDeadlineSeconds: max(int64(spec.StartingDeadline/time.Second), 0), When: v1alpha1.Expression(spec.When), StopStrategy: spec.StopStrategy,
	}
	for _, s := range spec.Schedules {
		recordable = recordable && verbatim(s)
		out.Schedules = append(out.Schedules, v1alpha1.Expression(s))
	}
	if e.Traceless && !e.TracelessUntil.IsZero() {
		until := micro(e.TracelessUntil)
		out.TracelessUntil = &until
	}
	if e.Unknown || !recordable || measured(&out) > epochBytes/2 {
		return v1alpha1.SpecEpoch{From: from, Unknown: true}
	}
	return out
}

// verbatim says whether an expression comes back as it was.
func verbatim(expression string) bool {
	return len(expression) <= v1alpha1.MaxExpression && utf8.ValidString(expression)
}

func knownPolicy(p auditor.Policy) bool {
	return p == "" || p == auditor.Allow || p == auditor.Forbid || p == auditor.Replace
}

func seconds(times []time.Time) []metav1.Time {
	var out []metav1.Time
	for _, t := range ascending(times, func(t time.Time) time.Time { return t }) {
		out = append(out, second(t))
	}
	return out
}

// second cuts a time to the second, micro to the microsecond; a time that cannot be written is zero.
func second(t time.Time) metav1.Time {
	if !writable(t) {
		return metav1.Time{}
	}
	return metav1.Time{Time: time.Unix(t.Unix(), 0).UTC()}
}

func micro(t time.Time) metav1.MicroTime {
	if !writable(t) {
		return metav1.MicroTime{}
	}
	return metav1.MicroTime{Time: time.UnixMicro(t.UnixMicro()).UTC()}
}
