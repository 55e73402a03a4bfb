package report

import (
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// Ran is the outcome of a firing that had a run: there was nothing to recover.
const Ran backfill.Outcome = "Ran"

// BackfillReport is what became of the firings of one CronWorkflow that were to be recovered. Before the start, and of a dry
// run, it is the plan: what is to be recovered is WouldCreate.
type BackfillReport struct {
	Kind
	GeneratedAt time.Time `json:"generatedAt"`
	Namespace   string    `json:"namespace"`
	Name        string    `json:"name"`
	UID         string    `json:"uid,omitempty"`
	From        time.Time `json:"from,omitzero"`
	To          time.Time `json:"to,omitzero"`
	// DryRun says that nothing was changed.
	DryRun bool `json:"dryRun,omitempty"`
	// Interrupted says that the work was ended before it was done; the same command completes it.
	Interrupted bool `json:"interrupted,omitempty"`
	// Totals counts the firings by outcome.
	Totals   Totals   `json:"totals"`
	Warnings []string `json:"warnings,omitempty"`
	// Error is why Argo may not know of the runs that were made.
	Error   string          `json:"error,omitempty"`
	Firings []RecoveryEntry `json:"firings"`

	// Named says that the firings were asked for one by one: whatever their verdict, each is wanted.
	Named bool `json:"-"`
	// wanted are the verdicts that were to be recovered.
	wanted []auditor.Verdict
}

// RecoveryEntry is one firing of a BackfillReport.
type RecoveryEntry struct {
	ScheduledTime time.Time         `json:"scheduledTime"`
	Workflow      string            `json:"workflow"`
	Verdict       auditor.Verdict   `json:"verdict"`
	Certainty     auditor.Certainty `json:"certainty,omitempty"`
	Cause         auditor.Cause     `json:"cause,omitempty"`
	Deadline      time.Time         `json:"deadline,omitzero"`
	Outcome       backfill.Outcome  `json:"outcome"`
	Reason        auditor.Reason    `json:"reason,omitempty"`
	// Why says in sentences why it has no run.
	Why       string    `json:"why,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	// MadeBy is who made its run: argo, cli or controller.
	MadeBy   string `json:"madeBy,omitempty"`
	Attempts int    `json:"attempts,omitempty"`
	// Error is the last error of its attempts, also where a later one succeeded.
	Error string `json:"error,omitempty"`
}

// NewPlanReport documents a plan, before anything is done.
func NewPlanReport(now time.Time, window auditor.Window, policy backfill.Policy, plan backfill.Plan) *BackfillReport {
	r := newBackfillReport(now, window, policy, plan)
	for _, s := range plan.Steps {
		entry := recoveryEntry(s.Finding)
		switch {
		case s.Recover:
			entry.Outcome = backfill.WouldCreate
		case entry.Outcome != Ran:
			entry.Outcome, entry.Reason, entry.Why = backfill.Left, s.Reason, s.Why
		}
		r.add(entry)
	}
	return r
}

// NewBackfillReport documents what became of a plan.
func NewBackfillReport(now time.Time, window auditor.Window, policy backfill.Policy, plan backfill.Plan, done backfill.Report) *BackfillReport {
	r := newBackfillReport(now, window, policy, plan)
	r.Interrupted = done.Interrupted
	if done.StatusError != nil {
		r.Error = done.StatusError.Error()
	}
	for _, result := range done.Results {
		entry := recoveryEntry(result.Finding)
		if entry.Outcome != Ran {
			entry.Outcome, entry.Reason, entry.Why = result.Outcome, result.Reason, strings.Join(result.Why, " ")
			entry.CreatedAt, entry.MadeBy, entry.Attempts = utc(result.CreatedAt), result.MadeBy, result.Attempts
			if result.LastError != nil {
				entry.Error = result.LastError.Error()
			}
		}
		r.add(entry)
	}
	return r
}

func newBackfillReport(now time.Time, window auditor.Window, policy backfill.Policy, plan backfill.Plan) *BackfillReport {
	key := plan.CronWorkflow
	return &BackfillReport{
		Kind: kind("BackfillReport"), GeneratedAt: utc(now), Namespace: key.Namespace, Name: key.Name, UID: key.UID,
		From: utc(window.From), To: utc(window.To), Totals: Totals{}, Warnings: plan.Warnings, Firings: []RecoveryEntry{},
		wanted: slices.Concat(policy.Verdicts, policy.Include),
	}
}

func recoveryEntry(f auditor.Finding) RecoveryEntry {
	f = documented(f)
	entry := RecoveryEntry{
		ScheduledTime: f.ScheduledTime, Workflow: f.Workflow, Verdict: f.Verdict, Certainty: f.Certainty, Cause: f.Cause, Deadline: f.Deadline,
	}
	if f.Verdict.Ran() {
		entry.Outcome, entry.CreatedAt = Ran, f.CreatedAt
	}
	return entry
}

func (r *BackfillReport) add(entry RecoveryEntry) {
	r.Totals[auditor.Verdict(entry.Outcome)]++
	r.Firings = append(r.Firings, entry)
}

// Count is how many firings have the outcome.
func (r *BackfillReport) Count(outcome backfill.Outcome) int {
	return r.Totals[auditor.Verdict(outcome)]
}

// tries counts the firings of which something was tried.
func (r *BackfillReport) tries() int {
	return r.Totals.Sum() - r.Count(Ran) - r.Count(backfill.Left) - r.Count(backfill.WouldCreate)
}

func (r *BackfillReport) untried() bool { return r.tries() == 0 }

// Lost counts what was to be recovered and has no run yet. What a dry run would create does not count, nor what a newer firing
// that ran or is recovered makes pointless.
func (r *BackfillReport) Lost() int {
	var n int
	for _, f := range r.Firings {
		wanted := r.Named || slices.Contains(r.wanted, f.Verdict)
		pointless := f.Outcome == backfill.Left && f.Reason == auditor.Superseded
		if wanted && !pointless && f.Outcome != Ran && f.Outcome != backfill.WouldCreate && !f.Outcome.Recovered() {
			n++
		}
	}
	return n
}

// Rejected says whether the API server finds a run invalid: the CronWorkflow itself must be changed first.
func (r *BackfillReport) Rejected() bool {
	return slices.ContainsFunc(r.Firings, func(f RecoveryEntry) bool { return f.Outcome == backfill.GaveUp && f.Reason == auditor.Permanent })
}

// DeepCopyObject implements runtime.Object. Printers only read, so what the fields point to is shared.
func (r *BackfillReport) DeepCopyObject() Document {
	c := *r
	return &c
}

func (r *BackfillReport) key() string { return r.Namespace + "/" + r.Name }
