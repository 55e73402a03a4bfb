package record

import (
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// StatusOf is the state as the status of a CronAudit, without conditions, revision and writer. It shares no memory with s.
//
// What later verdicts rest on comes back unchanged from StateOf but for this: scheduled times, deadlines and times of creation
// are cut to seconds, other times to microseconds, lists are put in ascending order, texts are shortened, and of lists over the
// bounds of package v1alpha1 the newest items stay. An epoch whose spec is too long for the schema is left out together with
// those before it, so that no spec is ever taken to have been in effect longer than it was.
func StatusOf(s auditor.State) v1alpha1.CronAuditStatus {
	strip := strip(last(s.Strip, v1alpha1.MaxStrip))
	status := v1alpha1.CronAuditStatus{
		ObservedUID:    s.UID,
		AuditedThrough: second(s.AuditedThrough),
		Totals:         totalsOf(s.Totals),
		Strip:          strip,
		SpecEpochs:     epochs(s.Epochs),
		Notable:        notable(s.Notable),
	}
	recoveries := map[int64]v1alpha1.Recovery{}
	for _, r := range ascending(s.Record.Recoveries, func(r auditor.Recovery) time.Time { return r.ScheduledTime }) {
		recoveries[r.ScheduledTime.Unix()] = v1alpha1.Recovery{ScheduledTime: second(r.ScheduledTime), Attempts: v1alpha1.Attempts{
			Attempts: int64(min(max(r.Attempts, 0), maxCount)), LastError: text(r.LastError, v1alpha1.MaxErrorBytes), Ended: word(string(r.Ended)),
		}}
	}
	status.Open = open(s.Open, recoveries)
	status.Record = recordOf(s.Record, recoveries)
	status.Summary = v1alpha1.Summary{
		Missed: int32(len(status.Open)),
		Lost:   status.Totals.Expired + status.Totals.GaveUp,
		Roll:   strip[max(0, len(strip)-v1alpha1.RollLength):],
	}
	if n := len(s.Strip); n > 0 {
		status.Summary.LastVerdict = verdictOf(s.Strip[n-1])
	}
	return status
}

// maxCount is the most that a count of attempts or runs is written as.
const maxCount = 1<<31 - 1

// open takes the recoveries of open firings out of recoveries.
func open(findings []auditor.Finding, recoveries map[int64]v1alpha1.Recovery) []v1alpha1.Firing {
	findings = ascending(findings, func(f auditor.Finding) time.Time { return f.ScheduledTime })
	findings = last(findings, v1alpha1.MaxOpen)
	firings := make([]v1alpha1.Firing, len(findings))
	evidence, errors := openEvidence, openErrors
	for i := len(findings) - 1; i >= 0; i-- {
		f := firing(findings[i])
		if evidence -= evidenceSize(f); evidence < 0 {
			f.Evidence = nil
		}
		at := f.ScheduledTime.Unix()
		if r, ok := recoveries[at]; ok {
			delete(recoveries, at)
			f.Recovery = &r.Attempts
			if errors -= quoted(r.LastError); errors < 0 {
				f.Recovery.LastError = ""
			}
		}
		firings[i] = f
	}
	return newest(firings, v1alpha1.MaxOpen, openBytes+openEvidence+openErrors)
}

func notable(findings []auditor.Finding) []v1alpha1.Firing {
	var firings []v1alpha1.Firing
	for _, f := range last(findings, v1alpha1.MaxNotable) {
		if writable(f.ScheduledTime) {
			firings = append(firings, firing(f))
		}
	}
	return newest(firings, v1alpha1.MaxNotable, notableBytes)
}

func firing(f auditor.Finding) v1alpha1.Firing {
	out := v1alpha1.Firing{
		ScheduledTime: second(f.ScheduledTime), Verdict: verdictOf(f.Verdict), Reason: word(string(f.Reason)), Cause: word(string(f.Cause)),
		CreatedAt: second(f.CreatedAt), Deadline: second(f.Deadline),
	}
	if f.Certainty == auditor.Certain || f.Certainty == auditor.Likely {
		out.Certainty = string(f.Certainty)
	}
	for _, sentence := range f.Evidence[:min(len(f.Evidence), v1alpha1.MaxEvidence)] {
		out.Evidence = append(out.Evidence, v1alpha1.Evidence(text(sentence, v1alpha1.MaxEvidenceBytes)))
	}
	return out
}

func evidenceSize(f v1alpha1.Firing) int {
	n := 0
	for _, sentence := range f.Evidence {
		n += quoted(string(sentence)) + 1
	}
	return n
}

// recordOf takes the recoveries as they are left by open.
func recordOf(r auditor.Record, recoveries map[int64]v1alpha1.Recovery) v1alpha1.Record {
	var out v1alpha1.Record
	for _, run := range last(ascending(r.Runs, func(r auditor.RecordedRun) time.Time { return r.ScheduledTime }), v1alpha1.MaxRuns) {
		if run.Verdict.Ran() {
			out.Runs = append(out.Runs, v1alpha1.Run{ScheduledTime: second(run.ScheduledTime), CreatedAt: second(run.CreatedAt), Verdict: v1alpha1.Verdict(run.Verdict)})
		}
	}
	left := make([]v1alpha1.Recovery, 0, len(recoveries))
	for _, recovery := range recoveries {
		left = append(left, recovery)
	}
	left = last(ascending(left, func(r v1alpha1.Recovery) time.Time { return r.ScheduledTime.Time }), v1alpha1.MaxRecoveries)
	errors := recoveryErrors
	for i := len(left) - 1; i >= 0; i-- {
		if errors -= quoted(left[i].LastError); errors < 0 {
			left[i].LastError = ""
		}
	}
	out.Recoveries = newest(left, v1alpha1.MaxRecoveries, recoveryBytes+recoveryErrors)
	for _, moved := range last(ascending(r.Moved, itself), v1alpha1.MaxMoved) {
		out.Moved = append(out.Moved, second(moved))
	}
	for _, a := range last(ascending(r.Active, func(a auditor.ActiveSeen) time.Time { return a.At }), v1alpha1.MaxActive) {
		out.Active = append(out.Active, v1alpha1.Active{At: micro(a.At), Runs: int64(min(max(a.Runs, 0), maxCount))})
	}
	for _, e := range ascending(r.Errors, func(e auditor.ErrorSeen) time.Time { return e.At }) {
		out.SubmissionErrors = append(out.SubmissionErrors, v1alpha1.SubmissionError{At: micro(e.At), Message: text(e.Message, v1alpha1.MaxErrorBytes)})
	}
	out.SubmissionErrors = newest(out.SubmissionErrors, v1alpha1.MaxErrors, submissionBytes)
	for _, stopped := range last(ascending(r.Stopped, itself), v1alpha1.MaxStopped) {
		out.Stopped = append(out.Stopped, micro(stopped))
	}
	for _, u := range last(ascending(r.Unseen, func(s auditor.Stretch) time.Time { return s.From }), v1alpha1.MaxUnseen) {
		if writable(u.To) {
			out.Unseen = append(out.Unseen, v1alpha1.Stretch{From: micro(u.From), To: micro(u.To)})
		}
	}
	return out
}

func epochs(all []auditor.Epoch) []v1alpha1.SpecEpoch {
	var out []v1alpha1.SpecEpoch
	for _, e := range ascending(all, func(e auditor.Epoch) time.Time { return e.From }) {
		epoch, ok := epoch(e)
		if !ok {
			out = nil // and what was before it
			continue
		}
		out = append(out, epoch)
	}
	return newest(out, v1alpha1.MaxEpochs, epochBytes)
}

// epoch is false for one that the schema does not allow.
func epoch(e auditor.Epoch) (out v1alpha1.SpecEpoch, ok bool) {
	deadline := e.Spec.StartingDeadline / time.Second
	out = v1alpha1.SpecEpoch{
		From: micro(e.From), Timezone: v1alpha1.Expression(e.Spec.Timezone), Suspend: e.Spec.Suspend, ConcurrencyPolicy: string(e.Spec.Policy),
		StartingDeadlineSeconds: max(int64(deadline), 0), When: v1alpha1.Expression(e.Spec.When), StopStrategy: e.Spec.StopStrategy,
	}
	ok = len(e.Spec.Schedules) <= v1alpha1.MaxSchedules && recordable(e.Spec.Timezone) && recordable(e.Spec.When) && knownPolicy(e.Spec.Policy)
	for _, s := range e.Spec.Schedules {
		ok = ok && recordable(s)
		out.Schedules = append(out.Schedules, v1alpha1.Expression(s))
	}
	return out, ok
}

// recordable says whether an expression comes back as it was.
func recordable(expression string) bool {
	return len(expression) <= v1alpha1.MaxExpression && utf8.ValidString(expression)
}

func knownPolicy(p auditor.Policy) bool {
	return p == "" || p == auditor.Allow || p == auditor.Forbid || p == auditor.Replace
}

func totalsOf(totals map[auditor.Verdict]int64) v1alpha1.Totals {
	var out v1alpha1.Totals
	for verdict, count := range counts(&out) {
		*count = max(totals[verdict], 0)
	}
	return out
}

// counts are the fields of totals by verdict.
func counts(t *v1alpha1.Totals) map[auditor.Verdict]*int64 {
	return map[auditor.Verdict]*int64{
		auditor.OnTime: &t.OnTime, auditor.Late: &t.Late, auditor.Backfilled: &t.Backfilled, auditor.Pending: &t.Pending, auditor.Missed: &t.Missed,
		auditor.Expired: &t.Expired, auditor.GaveUp: &t.GaveUp, auditor.Skipped: &t.Skipped, auditor.Unknown: &t.Unknown,
	}
}

func verdictOf(v auditor.Verdict) v1alpha1.Verdict {
	if _, ok := letters[v]; !ok {
		v = auditor.Unknown
	}
	return v1alpha1.Verdict(v)
}

func itself(t time.Time) time.Time { return t }

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
