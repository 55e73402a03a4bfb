package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"rollcall.dev/rollcall/auditor"
)

const (
	// maxStretches is how many stretches of lost firings a table shows per CronWorkflow.
	maxStretches = 8
	// maxCommands is how many CronWorkflows get a command of their own to recover them with; more get one together.
	maxCommands = 3
	// maxGrounds is how many different grounds of causes are said.
	maxGrounds = 5
	// maxAdvice is how many sentences of advice a table has, those first that are for most CronWorkflows.
	maxAdvice = 5
	// minStrip is the shortest strip worth a column, goodStrip one worth leaving other things out for.
	minStrip, goodStrip = 12, 30
)

// AuditTable writes a report for people. recoverAll is the command that recovers all that is Missed in the report.
func AuditTable(w io.Writer, r *AuditReport, style Style, recoverAll string) error {
	t := auditTable{r, style}
	if err := t.heading(w); err != nil {
		return err
	}
	if len(r.CronWorkflows) == 0 {
		return nil
	}
	for _, part := range []func(io.Writer) error{t.overview, t.lost, t.advice} {
		if err := part(w); err != nil {
			return err
		}
	}
	return t.next(w, recoverAll)
}

type auditTable struct {
	*AuditReport
	Style
}

func (t auditTable) heading(w io.Writer) error {
	outcome := t.paint(green, "none lost")
	if lost := t.Totals.Lost(); lost > 0 {
		outcome = t.paint(boldRed, fmt.Sprintf("%d lost", lost))
	}
	if t.Totals.Lost() == 0 && t.Totals[auditor.Unknown] > 0 {
		outcome = "none known to be lost"
	}
	if n := t.Totals[auditor.Unknown]; n > 0 {
		outcome += ", " + t.paint(magenta, fmt.Sprintf("%d unknown", n))
	}
	if n := t.Errors(); n > 0 {
		outcome += ", " + t.paint(boldRed, fmt.Sprintf("%d could not be judged", n))
	}
	_, err := fmt.Fprintf(w, "%s %s %s UTC (%s)\n%s, %s: %s\n",
		t.paint(bold, stamp(t.From)), t.pick("→", "to"), t.paint(bold, stamp(t.To)), span(t.To.Sub(t.From)),
		count(len(t.CronWorkflows), "CronWorkflow"), count(t.Totals.Sum(), "firing"), outcome)
	return err
}

func (t auditTable) advice(w io.Writer) error { return t.adviceUpTo(w, maxAdvice) }

// adviceUpTo lists each sentence once, with the CronWorkflows that it is for.
func (t auditTable) adviceUpTo(w io.Writer, most int) error {
	var sentences []string
	whom := map[string][]string{}
	for _, cw := range t.CronWorkflows {
		for _, sentence := range cw.Advice {
			if whom[sentence] == nil {
				sentences = append(sentences, sentence)
			}
			whom[sentence] = append(whom[sentence], cw.key())
		}
	}
	if len(sentences) == 0 {
		return nil
	}
	slices.SortStableFunc(sentences, func(a, b string) int { return cmp.Compare(len(whom[b]), len(whom[a])) })
	if _, err := fmt.Fprintf(w, "\n%s\n", t.paint(bold, "Advice")); err != nil {
		return err
	}
	for i, sentence := range sentences {
		if i == most {
			_, err := fmt.Fprintf(w, "  %s\n", t.paint(dim, fmt.Sprintf("And %d more: -o wide shows all.", len(sentences)-i)))
			return err
		}
		if _, err := fmt.Fprintf(w, "  %s\n", t.wrap(abridged(whom[sentence])+": "+sentence, 4)); err != nil {
			return err
		}
	}
	return nil
}

// abridged names up to three, and counts the rest.
func abridged(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if strings.HasSuffix(thing, "h") {
		return fmt.Sprintf("%d %ses", n, thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
