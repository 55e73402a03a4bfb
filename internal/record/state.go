package record

import (
	"fmt"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// StateOf is the state that a CronAudit records. An error means that the record cannot be relied on, as after an edit by hand:
// it names the field. Summary and conditions are not read.
func StateOf(audit *v1alpha1.CronAudit) (auditor.State, error) {
	status := &audit.Status
	r := reader{name: audit.Name}
	s := auditor.State{
		UID:            status.ObservedUID,
		AuditedThrough: whole(r.optional(status.AuditedThrough.Time, "auditedThrough")),
		Totals:         map[auditor.Verdict]int64{},
		Strip:          verdicts(status.Strip[max(0, len(status.Strip)-v1alpha1.MaxStrip):]),
	}
	for verdict, count := range counts(&status.Totals) {
		r.check(*count >= 0, "totals.%s is negative", verdict)
		if *count > 0 {
			s.Totals[verdict] = *count
		}
	}
	for i, e := range status.SpecEpochs {
		s.Epochs = append(s.Epochs, r.epoch(e, i))
	}
	s.Record = r.record(status.Record)
	s.Coverage = r.stretches(status.Record.Coverage, "coverage")
	r.check(status.Record.Accounted >= 0, "record.accounted is negative")
	s.Accounted = status.Record.Accounted
	for i, f := range status.Open {
		finding := r.firing(f, "open", i)
		s.Open = append(s.Open, finding)
		if f.Recovery != nil {
			s.Record.Recoveries = append(s.Record.Recoveries, r.recovery(v1alpha1.Recovery{ScheduledTime: f.ScheduledTime, Attempts: *f.Recovery}, "open", i))
		}
	}
	s.Record.Recoveries = ascending(s.Record.Recoveries, func(r auditor.Recovery) time.Time { return r.ScheduledTime })
	for i, f := range status.Unsettled {
		s.Unsettled = append(s.Unsettled, r.firing(f, "unsettled", i))
	}
	for i, pending := range status.Unconfirmed {
		at := whole(r.required(pending.Time, "unconfirmed[%d]", i))
		s.Unsettled = append(s.Unsettled, auditor.Finding{ScheduledTime: at, Workflow: auditor.WorkflowName(audit.Name, at), Verdict: auditor.Pending})
	}
	s.Unsettled = ascending(s.Unsettled, scheduledTime)
	for i, f := range status.Notable {
		s.Notable = append(s.Notable, r.firing(f, "notable", i))
	}
	if r.err != nil {
		return auditor.State{}, r.err
	}
	return s, nil
}

// reader keeps the first thing that is wrong with a status.
type reader struct {
	name string // of the CronWorkflow
	err  error
}

func (r *reader) check(holds bool, format string, args ...any) {
	if !holds && r.err == nil {
		r.err = fmt.Errorf("status."+format, args...)
	}
}

func (r *reader) optional(t time.Time, format string, args ...any) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return r.required(t, format, args...)
}

func (r *reader) required(t time.Time, format string, args ...any) time.Time {
	r.check(writable(t), format+" is not a time from 1970 on", args...)
	return t.UTC()
}

func (r *reader) record(record v1alpha1.Record) auditor.Record {
	var out auditor.Record
	for i, run := range record.Runs {
		verdict := auditor.Verdict(run.Verdict)
		r.check(verdict.Ran(), "record.runs[%d].verdict: %q is not the verdict on a run", i, run.Verdict)
		out.Runs = append(out.Runs, auditor.RecordedRun{
			ScheduledTime: whole(r.required(run.ScheduledTime.Time, "record.runs[%d].scheduledTime", i)),
			CreatedAt:     whole(r.optional(run.CreatedAt.Time, "record.runs[%d].createdAt", i)),
			Verdict:       verdict,
		})
	}
	for i, recovery := range record.Recoveries {
		out.Recoveries = append(out.Recoveries, r.recovery(recovery, "record.recoveries", i))
	}
	for i, moved := range record.Moved {
		out.Moved = append(out.Moved, whole(r.required(moved.Time, "record.moved[%d]", i)))
	}
	for i, a := range record.Active {
		r.check(a.Runs >= 0 && a.Runs <= maxCount, "record.active[%d].runs: %d is not a number of runs", i, a.Runs)
		out.Active = append(out.Active, auditor.ActiveSeen{At: r.required(a.At.Time, "record.active[%d].at", i), Runs: int(a.Runs)})
	}
	for i, e := range record.SubmissionErrors {
		out.Errors = append(out.Errors, auditor.ErrorSeen{At: r.required(e.At.Time, "record.submissionErrors[%d].at", i), Message: e.Message})
	}
	for i, stop := range record.Stops {
		at := r.required(stop.At.Time, "record.stops[%d].at", i)
		if stop.Stopped {
			out.Stopped = append(out.Stopped, at)
		} else {
			out.Resumed = append(out.Resumed, at)
		}
	}
	out.Unseen = r.stretches(record.Unseen, "unseen")
	return out
}

func (r *reader) stretches(all []v1alpha1.Stretch, list string) []auditor.Stretch {
	var out []auditor.Stretch
	for i, s := range all {
		out = append(out, auditor.Stretch{
			From: r.required(s.From.Time, "record.%s[%d].from", list, i),
			To:   r.required(s.To.Time, "record.%s[%d].to", list, i),
		})
	}
	return out
}

func (r *reader) recovery(recovery v1alpha1.Recovery, list string, i int) auditor.Recovery {
	r.check(recovery.Attempts.Attempts >= 0 && recovery.Attempts.Attempts <= maxCount, "%s[%d]: %d is not a number of attempts", list, i, recovery.Attempts.Attempts)
	r.check(word(string(recovery.Ended)) == recovery.Ended, "%s[%d]: %q is not a reason", list, i, recovery.Ended)
	return auditor.Recovery{
		ScheduledTime: whole(r.required(recovery.ScheduledTime.Time, "%s[%d].scheduledTime", list, i)),
		Attempts:      int(recovery.Attempts.Attempts), LastError: recovery.LastError, Ended: auditor.Reason(recovery.Ended),
	}
}

func (r *reader) firing(f v1alpha1.Firing, list string, i int) auditor.Finding {
	verdict := auditor.Verdict(f.Verdict)
	_, known := letters[verdict]
	r.check(known, "%s[%d].verdict: %q is not a verdict", list, i, f.Verdict)
	certainty := auditor.Certainty(f.Certainty)
	r.check(certainty == "" || certainty == auditor.Certain || certainty == auditor.Likely, "%s[%d].certainty: %q is neither certain nor likely", list, i, f.Certainty)
	at := whole(r.required(f.ScheduledTime.Time, "%s[%d].scheduledTime", list, i))
	out := auditor.Finding{
		ScheduledTime: at, Workflow: auditor.WorkflowName(r.name, at), Verdict: verdict, Certainty: certainty,
		Reason: auditor.Reason(f.Reason), Cause: auditor.Cause(f.Cause),
		CreatedAt: whole(r.optional(f.CreatedAt.Time, "%s[%d].createdAt", list, i)),
		Deadline:  whole(r.optional(f.Deadline.Time, "%s[%d].deadline", list, i)),
	}
	for _, sentence := range f.Evidence {
		out.Evidence = append(out.Evidence, string(sentence))
	}
	return out
}

// maxDeadlineSeconds is the longest starting deadline that a time.Duration holds with room to spare.
const maxDeadlineSeconds = 9_000_000_000

func (r *reader) epoch(e v1alpha1.SpecEpoch, i int) auditor.Epoch {
	r.check(e.StartingDeadlineSeconds >= 0 && e.StartingDeadlineSeconds <= maxDeadlineSeconds, "specEpochs[%d].startingDeadlineSeconds: %d is out of range", i, e.StartingDeadlineSeconds)
	if e.Unknown {
		return auditor.Epoch{From: r.required(e.From.Time, "specEpochs[%d].from", i), Unknown: true}
	}
	policy := auditor.Policy(e.ConcurrencyPolicy)
	r.check(knownPolicy(policy), "specEpochs[%d].concurrencyPolicy: %q is none", i, e.ConcurrencyPolicy)
	out := auditor.Epoch{From: r.required(e.From.Time, "specEpochs[%d].from", i), Spec: auditor.Spec{
		Timezone: string(e.Timezone), Suspend: e.Suspend, Policy: policy,
		StartingDeadline: time.Duration(e.StartingDeadlineSeconds) * time.Second, When: string(e.When), StopStrategy: e.StopStrategy,
	}}
	if e.TracelessUntil != nil {
		out.Traceless, out.TracelessUntil = true, r.required(e.TracelessUntil.Time, "specEpochs[%d].tracelessUntil", i)
	}
	for _, s := range e.Schedules {
		out.Spec.Schedules = append(out.Spec.Schedules, string(s))
	}
	return out
}

// whole cuts a time to the second: somebody may have written it with a fraction.
func whole(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Unix(t.Unix(), 0).UTC()
}
