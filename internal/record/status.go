package record

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// StatusOf is the state as the status of a CronAudit, without conditions, revision and writer. It shares no memory with s.
//
// What later verdicts rest on comes back unchanged from StateOf but for this:
//   - scheduled times, deadlines and times of creation are cut to seconds, other times to microseconds; lists are put in ascending
//     order;
//   - of an unsettled Pending firing, which is judged again, only the scheduled time is kept;
//   - texts are shortened, and left out of the oldest firings where they take too much room;
//   - of lists over the bounds of package v1alpha1 the newest items stay. Where that would make something look surer than it is,
//     it is widened instead: the oldest stretches in which runs went unseen become one, and a spec that is too long becomes a
//     stretch in which the spec is not known.
func StatusOf(s auditor.State) v1alpha1.CronAuditStatus {
	left := budget(room)
	strip := strip(last(s.Strip, v1alpha1.MaxStrip))
	status := v1alpha1.CronAuditStatus{
		ObservedUID:    s.UID,
		AuditedThrough: second(s.AuditedThrough),
		Totals:         totalsOf(s.Totals),
		Strip:          strip,
	}
	pending, unsettled := split(s.Unsettled)
	recoveries := recoveriesOf(s.Record.Recoveries)

	status.SpecEpochs = newest(&left, epochs(s.Epochs), v1alpha1.MaxEpochs, epochBytes, measured)
	status.Open = newest(&left, open(s.Open, recoveries), v1alpha1.MaxOpen, openBytes, measured)
	status.Unconfirmed = newest(&left, seconds(pending), v1alpha1.MaxUnconfirmed, room, fixed[metav1.Time](timeSize))
	status.Unsettled = newest(&left, firingsOf(unsettled), v1alpha1.MaxUnsettled, settleBytes, measured)
	status.Notable = newest(&left, notable(s.Notable), v1alpha1.MaxNotable, notableBytes, measured)
	status.Record = recordOf(s, recoveries, &left)
	say(&status, s, &left)

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

func count(n int) int64 { return int64(min(max(n, 0), maxCount)) }

// split takes apart what is not confirmed, by scheduled time, and what has a verdict.
func split(unsettled []auditor.Finding) (pending []time.Time, others []auditor.Finding) {
	for _, f := range unsettled {
		if f.Verdict == auditor.Pending {
			pending = append(pending, f.ScheduledTime)
		} else {
			others = append(others, f)
		}
	}
	return pending, others
}

// recoveriesOf are the recoveries by scheduled time, without what their last attempts ended with.
func recoveriesOf(recoveries []auditor.Recovery) map[int64]v1alpha1.Recovery {
	all := make(map[int64]v1alpha1.Recovery, len(recoveries))
	for _, r := range recoveries {
		if writable(r.ScheduledTime) {
			all[r.ScheduledTime.Unix()] = v1alpha1.Recovery{
				ScheduledTime: second(r.ScheduledTime), Attempts: v1alpha1.Attempts{Attempts: count(r.Attempts), Ended: word(string(r.Ended))},
			}
		}
	}
	return all
}

// open takes the recoveries of open firings out of recoveries.
func open(findings []auditor.Finding, recoveries map[int64]v1alpha1.Recovery) []v1alpha1.Firing {
	firings := last(firingsOf(findings), v1alpha1.MaxOpen)
	for i := range firings {
		at := firings[i].ScheduledTime.Unix()
		if r, ok := recoveries[at]; ok {
			firings[i].Recovery = &r.Attempts
			delete(recoveries, at)
		}
	}
	return firings
}

// firingsOf are findings without their evidence.
func firingsOf(findings []auditor.Finding) []v1alpha1.Firing {
	var firings []v1alpha1.Firing
	for _, f := range ascending(findings, scheduledTime) {
		firings = append(firings, firing(f))
	}
	return firings
}

func scheduledTime(f auditor.Finding) time.Time { return f.ScheduledTime }

func firing(f auditor.Finding) v1alpha1.Firing {
	out := v1alpha1.Firing{
		ScheduledTime: second(f.ScheduledTime), Verdict: verdictOf(f.Verdict), Reason: word(string(f.Reason)), Cause: word(string(f.Cause)),
		CreatedAt: second(f.CreatedAt), Deadline: second(f.Deadline),
	}
	if f.Certainty == auditor.Certain || f.Certainty == auditor.Likely {
		out.Certainty = string(f.Certainty)
	}
	return out
}

// notable stays in its order: that in which the firings became notable.
func notable(findings []auditor.Finding) []v1alpha1.Firing {
	var firings []v1alpha1.Firing
	for _, f := range last(findings, v1alpha1.MaxNotable) {
		if writable(f.ScheduledTime) {
			n := firing(f)
			n.Evidence = evidence(f)
			firings = append(firings, n)
		}
	}
	return firings
}

func evidence(f auditor.Finding) []v1alpha1.Evidence {
	var sentences []v1alpha1.Evidence
	for _, sentence := range f.Evidence[:min(len(f.Evidence), v1alpha1.MaxEvidence)] {
		sentences = append(sentences, v1alpha1.Evidence(text(sentence, v1alpha1.MaxEvidenceBytes)))
	}
	return sentences
}

// say adds the texts that there is room for, the newest first: what attempts ended with, then evidence.
func say(status *v1alpha1.CronAuditStatus, s auditor.State, left *budget) {
	errors := map[int64]string{}
	for _, r := range s.Record.Recoveries {
		errors[r.ScheduledTime.Unix()] = text(r.LastError, v1alpha1.MaxErrorBytes)
	}
	said := func(a *v1alpha1.Attempts, at metav1.Time) {
		if e := errors[at.Unix()]; e != "" && left.take(len(`"lastError":,`)+quoted(e)) {
			a.LastError = e
		}
	}
	for i := range slices.Backward(status.Open) {
		if a := status.Open[i].Recovery; a != nil {
			said(a, status.Open[i].ScheduledTime)
		}
	}
	for i := range slices.Backward(status.Record.Recoveries) {
		said(&status.Record.Recoveries[i].Attempts, status.Record.Recoveries[i].ScheduledTime)
	}
	for _, list := range []struct {
		firings  []v1alpha1.Firing
		findings []auditor.Finding
	}{{status.Open, s.Open}, {status.Unsettled, s.Unsettled}} {
		findings := map[int64]auditor.Finding{}
		for _, f := range list.findings {
			findings[f.ScheduledTime.Unix()] = f
		}
		for i := range slices.Backward(list.firings) {
			f := &list.firings[i]
			sentences := evidence(findings[f.ScheduledTime.Unix()])
			if len(sentences) > 0 && left.take(len(`"evidence":[],`)+measured(&sentences)) {
				f.Evidence = sentences
			}
		}
	}
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

// left over recoveries, ascending.
func remaining(recoveries map[int64]v1alpha1.Recovery) []v1alpha1.Recovery {
	return ascending(slices.Collect(maps.Values(recoveries)), func(r v1alpha1.Recovery) time.Time { return r.ScheduledTime.Time })
}
