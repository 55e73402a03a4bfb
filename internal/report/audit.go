package report

import (
	"time"

	"rollcall.dev/rollcall/auditor"
)

// AuditReport is the roll of all CronWorkflows that were asked for. Its JSON is what scripts read.
type AuditReport struct {
	Kind
	// GeneratedAt is the present time that the audit judged by.
	GeneratedAt time.Time `json:"generatedAt"`
	// From and To are the window (From, To].
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Truncated says that for at least one CronWorkflow there were more firings than the limit; the oldest were judged.
	Truncated bool `json:"truncated,omitempty"`
	// Notes are what to know of the evidence: what a dump lacks, say, and what is assumed instead.
	Notes         []string       `json:"notes,omitempty"`
	Totals        Totals         `json:"totals"`
	CronWorkflows []CronWorkflow `json:"cronWorkflows"`
}

// CronWorkflow is the roll of one.
type CronWorkflow struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	UID       string   `json:"uid,omitempty"`
	Schedules []string `json:"schedules,omitempty"`
	// Timezone is the one the schedules are read in: the controller's where the spec has none.
	Timezone string `json:"timezone,omitempty"`
	Totals   Totals `json:"totals,omitempty"`
	// Error says why it could not be judged; it then has no firings.
	Error   string            `json:"error,omitempty"`
	Advice  []string          `json:"advice,omitempty"`
	Firings []auditor.Finding `json:"firings,omitempty"`
}

// NewAuditReport begins a report on a window, judged at now.
func NewAuditReport(now time.Time, window auditor.Window) *AuditReport {
	return &AuditReport{
		Kind: kind("AuditReport"), GeneratedAt: utc(now), From: utc(window.From), To: utc(window.To),
		Totals: Totals{}, CronWorkflows: []CronWorkflow{},
	}
}

// Add adds the roll of one CronWorkflow; zone is the controller's local zone.
func (r *AuditReport) Add(cw auditor.CronWorkflow, roll auditor.Report, zone *time.Location) {
	entry := describe(cw, zone)
	entry.Totals, entry.Advice = Totals(roll.Totals), roll.Advice
	for _, f := range roll.Findings {
		entry.Firings = append(entry.Firings, documented(f))
	}
	for v, n := range roll.Totals {
		r.Totals[v] += n
	}
	r.Truncated = r.Truncated || roll.Truncated
	r.CronWorkflows = append(r.CronWorkflows, entry)
}

// AddError adds a CronWorkflow that could not be judged.
func (r *AuditReport) AddError(cw auditor.CronWorkflow, err error, zone *time.Location) {
	entry := describe(cw, zone)
	entry.Error = err.Error()
	r.CronWorkflows = append(r.CronWorkflows, entry)
}

func describe(cw auditor.CronWorkflow, zone *time.Location) CronWorkflow {
	entry := CronWorkflow{Namespace: cw.Namespace, Name: cw.Name, UID: cw.UID}
	var newest auditor.Epoch
	for _, e := range cw.Epochs {
		if newest.Spec.Schedules == nil || e.From.After(newest.From) {
			newest = e
		}
	}
	if newest.Spec.Schedules == nil {
		return entry
	}
	entry.Schedules, entry.Timezone = newest.Spec.Schedules, newest.Spec.Timezone
	if entry.Timezone == "" && zone != nil {
		entry.Timezone = zone.String()
	}
	return entry
}

// Errors counts the CronWorkflows that could not be judged.
func (r *AuditReport) Errors() int {
	var n int
	for _, cw := range r.CronWorkflows {
		if cw.Error != "" {
			n++
		}
	}
	return n
}

// DeepCopyObject implements runtime.Object. Printers only read, so what the fields point to is shared.
func (r *AuditReport) DeepCopyObject() Document {
	c := *r
	return &c
}

func (c CronWorkflow) key() string { return c.Namespace + "/" + c.Name }

func (c CronWorkflow) verdicts() []auditor.Verdict {
	verdicts := make([]auditor.Verdict, len(c.Firings))
	for i, f := range c.Firings {
		verdicts[i] = f.Verdict
	}
	return verdicts
}
