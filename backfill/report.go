package backfill

import (
	"time"

	"rollcall.dev/rollcall/auditor"
)

// Outcome is what became of one firing. The zero value is no outcome.
type Outcome string

const (
	// Created: its run exists, and this recovery made it.
	Created Outcome = "Created"
	// AlreadyThere: its run exists; Argo or an earlier recovery made it.
	AlreadyThere Outcome = "AlreadyThere"
	// WouldCreate: a dry run found nothing against it.
	WouldCreate Outcome = "WouldCreate"
	// Left: it was not tried.
	Left Outcome = "Left"
	// GaveUp: it was tried and will not be again.
	GaveUp Outcome = "GaveUp"
	// Blocked: somebody has to act before it can be created. With Options.Patience it is to be tried again at Report.Again, unless
	// StopWhenBlocked is set; so are the firings that were not tried because of it.
	Blocked Outcome = "Blocked"
	// Uncertain: its run may have been made, but that can no longer be told, so it is not made a second time.
	Uncertain Outcome = "Uncertain"
	// Interrupted: the user ended the work before.
	Interrupted Outcome = "Interrupted"
	// Requeued: it is to be tried again later. Without Options.Patience that is the outcome of an attempt only, never of a firing.
	Requeued Outcome = "Requeued"
)

// Recovered says whether the firing has a run.
func (o Outcome) Recovered() bool { return o == Created || o == AlreadyThere }

// attemptOutcomes are what an attempt may end in.
func attemptOutcomes() []Outcome {
	return []Outcome{Created, AlreadyThere, Requeued, Left, GaveUp, Blocked, Uncertain, Interrupted}
}

// Result is what became of one step of a plan.
type Result struct {
	Finding auditor.Finding
	// Planned says that the plan was to recover it.
	Planned bool
	Outcome Outcome
	Reason  auditor.Reason
	// Why are sentences: why it was left, what stood against it, what to do.
	Why []string
	// Attempts is how often it was tried, earlier plans included (Step.Attempts); each attempt makes up to 1 + MaxRetries requests.
	// Creates counts the create requests of this plan.
	Attempts, Creates int
	// LastError is the last error of an attempt, also where a later one succeeded or it was an earlier plan's; nil when there was
	// none.
	LastError error
	// Workflow and UID are its run's; UID is empty when there is none. MadeBy is "argo", "cli" or "controller".
	Workflow, UID, MadeBy string
	// CreatedAt is when the run was created.
	CreatedAt time.Time
}

// Report is what became of a plan.
type Report struct {
	CronWorkflow Key
	// Results are one per step of the plan, ascending.
	Results []Result
	// Interrupted says that the user ended the work; the same plan again completes it.
	Interrupted bool
	// StatusError is why the CronWorkflow's status may not show the newest run, in which case Argo may not fire it again; nil when
	// the status was seen to be right at the end, or there was nothing to check. The same plan again repairs it.
	StatusError error
	// Again is when a fresh plan is worth carrying out: for what is Requeued or Blocked, and for a StatusError. It is exact where
	// what is waited for has a time (a live firing, a delay, a deadline), and a few seconds ahead where it is a run. It is set
	// only with Options.Patience, and zero when nothing is left to do or the work was interrupted.
	Again time.Time
}

// Totals counts the results that were planned by outcome.
func (r Report) Totals() map[Outcome]int {
	totals := map[Outcome]int{}
	for _, result := range r.Results {
		if result.Planned {
			totals[result.Outcome]++
		}
	}
	return totals
}

// Complete says whether every firing that was to be recovered has a run, and the status shows it.
func (r Report) Complete() bool {
	for _, result := range r.Results {
		if result.Planned && !result.Outcome.Recovered() && result.Outcome != WouldCreate {
			return false
		}
	}
	return r.StatusError == nil && !r.Interrupted
}
