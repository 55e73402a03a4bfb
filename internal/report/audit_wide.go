package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// AuditWide writes a line per firing.
func AuditWide(w io.Writer, r *AuditReport, style Style) error {
	t := auditTable{r, style}
	if err := t.heading(w); err != nil {
		return err
	}
	c := &columns{}
	var head []cell
	for _, h := range []string{"NAMESPACE", "NAME", "SCHEDULED", "VERDICT", "WHY", "CERTAINTY", "CREATED", "DEADLINE", "WORKFLOW", "EVIDENCE"} {
		head = append(head, style.painted(dim, h))
	}
	c.add(head...)
	for _, cw := range r.CronWorkflows {
		if cw.Error != "" {
			c.add(text(cw.Namespace), text(cw.Name), text(""), style.painted(boldRed, "error"), text(""), text(""), text(""), text(""), text(""), text(cw.Error))
		}
		for _, f := range cw.Firings {
			c.add(text(cw.Namespace), text(cw.Name), text(full(f.ScheduledTime)), style.painted(colour(f.Verdict), string(f.Verdict)),
				text(string(cmp.Or(auditor.Cause(f.Reason), f.Cause))), text(string(f.Certainty)), text(after(f)), text(moment(f.Deadline)),
				text(f.Workflow), text(strings.Join(f.Evidence, " ")))
		}
	}
	if len(c.rows) > 1 {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if err := c.write(w); err != nil {
			return err
		}
	}
	return t.adviceUpTo(w, math.MaxInt)
}

// after says how long after the scheduled time the run was created.
func after(f auditor.Finding) string {
	if f.CreatedAt.IsZero() {
		return ""
	}
	sign := "+"
	if f.CreatedAt.Before(f.ScheduledTime) { // Argo's clock was ahead
		sign = "-"
	}
	return sign + span(f.CreatedAt.Sub(f.ScheduledTime))
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return full(t)
}

// AuditNames writes the CronWorkflows that lost something, as kubectl's -o name does. With several namespaces in the report
// the names alone would not tell them apart, but kubectl's form has no room for one.
func AuditNames(w io.Writer, r *AuditReport) error {
	for _, cw := range r.CronWorkflows {
		if cw.Totals.Lost() == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "cronworkflow.argoproj.io/%s\n", cw.Name); err != nil {
			return err
		}
	}
	return nil
}
