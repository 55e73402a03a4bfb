package auditor

import "time"

// Verdict says what became of one firing. The zero value is no verdict.
type Verdict string

const (
	// OnTime: its Workflow was created within Options.LateAfter of the scheduled time.
	OnTime Verdict = "OnTime"
	// Late: its Workflow was created by Argo, but later than that.
	Late Verdict = "Late"
	// Backfilled: Rollcall created its Workflow.
	Backfilled Verdict = "Backfilled"
	// Pending: the scheduled time plus grace has not passed yet.
	Pending Verdict = "Pending"
	// Missed: it did not run, and its starting deadline is still ahead.
	Missed Verdict = "Missed"
	// Expired: it did not run, nobody tried to recover it, and it has no starting deadline or that has passed.
	Expired Verdict = "Expired"
	// GaveUp: its recovery ended without a run.
	GaveUp Verdict = "GaveUp"
	// Skipped: Argo was right not to run it.
	Skipped Verdict = "Skipped"
	// Unknown: the evidence does not allow any of the others.
	Unknown Verdict = "Unknown"
)

// Verdicts lists every verdict in the order in which reports show them.
func Verdicts() []Verdict {
	return []Verdict{OnTime, Late, Backfilled, Pending, Skipped, Missed, Expired, GaveUp, Unknown}
}

// Ran says whether the verdict stands for a run that exists or existed.
func (v Verdict) Ran() bool { return v == OnTime || v == Late || v == Backfilled }

// Lost says whether the verdict stands for a run that should have been and was not.
func (v Verdict) Lost() bool { return v == Missed || v == Expired || v == GaveUp }

// Reason refines a verdict.
type Reason string

const (
	// ZeroTimeName: the run carries the name of the zero time, a slip of Argo's when it re-registers a schedule as it fires.
	ZeroTimeName Reason = "ZeroTimeName"
	// Archived: only the workflow archive has the run.
	Archived Reason = "Archived"
	// StatusOnly: only status.lastScheduledTime tells of the run.
	StatusOnly Reason = "StatusOnly"
	// NameTaken: a Workflow under the firing's name belongs to somebody else.
	NameTaken Reason = "NameTaken"
	// SpecUnknown: what the CronWorkflow said at that time is not known.
	SpecUnknown Reason = "SpecUnknown"
	// Suspended: spec.suspend was true.
	Suspended Reason = "Suspended"
	// Stopped: the stopStrategy had ended the schedule.
	Stopped Reason = "Stopped"
	// Forbidden: concurrencyPolicy Forbid, and another run was active.
	Forbidden Reason = "Forbidden"
	// ForbidUnclear: concurrencyPolicy Forbid, and whether another run was still active cannot be told.
	ForbidUnclear Reason = "ForbidUnclear"
	// When: the when expression was false.
	When Reason = "When"
	// WhenUnknown: the when expression cannot be judged for that time.
	WhenUnknown Reason = "WhenUnknown"
	// Superseded: a newer firing ran, which makes this one pointless.
	Superseded Reason = "Superseded"
	// EvidenceGone: a run could have been deleted since.
	EvidenceGone Reason = "EvidenceGone"
	// EvidenceOlder: the evidence was read before Argo's time to start it was over.
	EvidenceOlder Reason = "EvidenceOlder"
	// Permanent: the API server will never accept the run.
	Permanent Reason = "Permanent"
	// DeadlinePassed: recovery was tried until the starting deadline passed.
	DeadlinePassed Reason = "DeadlinePassed"
	// TooManyMissed: more firings were missed than catch-up allows.
	TooManyMissed Reason = "TooManyMissed"
)

// Certainty says how sure the absence of a run is. It is empty where a verdict does not rest on absence.
type Certainty string

const (
	// Certain: no run can have come and gone unseen.
	Certain Certainty = "certain"
	// Likely: a run may have come and been deleted, but one of two independent signs speaks against it.
	Likely Certainty = "likely"
)

// Cause says why a firing was lost, as far as the evidence goes.
type Cause string

const (
	// ControllerDown: Argo's controller gave no sign of life around the scheduled time.
	ControllerDown Cause = "ControllerDown"
	// SubmissionError: Argo tried and its create failed.
	SubmissionError Cause = "SubmissionError"
	// SpecError: Argo finds the CronWorkflow invalid.
	SpecError Cause = "SpecError"
	// Unscheduled: the controller was alive, and still nothing was created.
	Unscheduled Cause = "Unscheduled"
	// Unserved: no controller has ever looked after this CronWorkflow.
	Unserved Cause = "Unserved"
	// Undetermined: the evidence does not tell.
	Undetermined Cause = "Undetermined"
)

// Finding is what was found out about one firing.
type Finding struct {
	// ScheduledTime is the firing's time, UTC, in whole seconds.
	ScheduledTime time.Time `json:"scheduledTime"`
	// Workflow is the name that Argo gives the run of this firing.
	Workflow string  `json:"workflow"`
	Verdict  Verdict `json:"verdict"`
	Reason   Reason  `json:"reason,omitempty"`
	// Certainty and Cause are set where a firing is Missed, Expired or GaveUp.
	Certainty Certainty `json:"certainty,omitempty"`
	Cause     Cause     `json:"cause,omitempty"`
	// CreatedAt is when the run was created; zero when there is none or its time is not known.
	CreatedAt time.Time `json:"createdAt,omitzero"`
	// Deadline is the starting deadline of a lost firing, as an absolute time; zero when there is none.
	Deadline time.Time `json:"deadline,omitzero"`
	// Evidence is what the verdict rests on, one sentence each, the most telling first.
	Evidence []string `json:"evidence,omitempty"`
}
