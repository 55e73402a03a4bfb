package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// Explanation is the verdict of one firing with all that was weighed.
type Explanation struct {
	Kind
	GeneratedAt time.Time       `json:"generatedAt"`
	Namespace   string          `json:"namespace"`
	Name        string          `json:"name"`
	UID         string          `json:"uid,omitempty"`
	Firing      auditor.Finding `json:"firing"`
	Steps       []auditor.Step  `json:"steps"`
}

// NewExplanation documents an explanation given at now.
func NewExplanation(now time.Time, cw auditor.CronWorkflow, e auditor.Explanation) *Explanation {
	return &Explanation{
		Kind: kind("Explanation"), GeneratedAt: utc(now), Namespace: cw.Namespace, Name: cw.Name, UID: cw.UID,
		Firing: documented(e.Finding), Steps: e.Steps,
	}
}

// DeepCopyObject implements runtime.Object. Printers only read, so what the fields point to is shared.
func (e *Explanation) DeepCopyObject() Document {
	c := *e
	return &c
}

// ExplanationText writes an explanation for people: the verdict, each row that was considered, then the evidence.
func ExplanationText(w io.Writer, e *Explanation, style Style) error {
	var b strings.Builder
	f := e.Firing
	fmt.Fprintf(&b, "%s at %s UTC: %s", style.paint(bold, e.Namespace+"/"+e.Name), style.paint(bold, stamp(f.ScheduledTime)), style.paint(colour(f.Verdict), string(f.Verdict)))
	for _, detail := range []string{string(f.Reason), string(f.Certainty), string(f.Cause)} {
		if detail != "" {
			fmt.Fprintf(&b, ", %s", detail)
		}
	}
	fmt.Fprintf(&b, "\nWorkflow %s", f.Workflow)
	if !f.CreatedAt.IsZero() {
		fmt.Fprintf(&b, ", created at %s UTC (%s)", stamp(f.CreatedAt), after(f))
	}
	if !f.Deadline.IsZero() {
		left := span(f.Deadline.Sub(e.GeneratedAt)) + " left"
		if !f.Deadline.After(e.GeneratedAt) {
			left = "passed " + span(e.GeneratedAt.Sub(f.Deadline)) + " ago"
		}
		fmt.Fprintf(&b, ", starting deadline %s UTC (%s)", stamp(f.Deadline), left)
	}
	fmt.Fprintf(&b, "\n\n%s\n", style.paint(bold, "Questions, in order"))
	for _, s := range e.Steps {
		mark, sgr := " ", plain
		if s.Decides {
			mark, sgr = style.pick("▶", ">"), colour(f.Verdict)
		}
		fmt.Fprintf(&b, "%s %2d  %s\n", style.paint(sgr, mark), s.Row, style.paint(sgr, s.Question))
		if s.Answer != "" {
			answer := style.wrap(s.Answer, 6)
			if !s.Decides {
				answer = style.paint(dim, answer)
			}
			fmt.Fprintf(&b, "      %s\n", answer)
		}
	}
	if len(f.Evidence) > 0 {
		fmt.Fprintf(&b, "\n%s\n", style.paint(bold, "Evidence"))
		for _, fact := range f.Evidence {
			fmt.Fprintf(&b, "  %s %s\n", style.pick("•", "*"), style.wrap(fact, 4))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
