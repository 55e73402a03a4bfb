package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

// maxEntries is how many firings a table of a backfill lists one by one.
const maxEntries = 40

// BackfillTable writes a plan, or what became of it, for people: a line per firing that is recovered, then those that are
// left, together where the reason is the same.
func BackfillTable(w io.Writer, r *BackfillReport, style Style) error {
	t := backfillTable{r, style, r.untried()}
	if _, err := fmt.Fprintf(w, "%s: %s\n", t.paint(bold, r.key()), t.summary()); err != nil {
		return err
	}
	if err := t.tried(w); err != nil {
		return err
	}
	if err := t.left(w); err != nil {
		return err
	}
	if !t.plan {
		return nil
	}
	for _, warning := range r.Warnings {
		if _, err := fmt.Fprintf(w, "  %s %s\n", t.paint(yellow, "!"), t.wrap(warning, 4)); err != nil {
			return err
		}
	}
	return nil
}

type backfillTable struct {
	*BackfillReport
	Style
	// plan says that nothing was done yet: how long there is left to do it, and the warnings, still matter.
	plan bool
}

func (t backfillTable) summary() string {
	recovered := t.Count(backfill.Created) + t.Count(backfill.AlreadyThere)
	planned, tried := t.Count(backfill.WouldCreate), t.tries()
	var parts []string
	switch {
	case tried > 0:
		colour := green
		if recovered < tried {
			colour = boldRed
		}
		parts = append(parts, t.paint(colour, fmt.Sprintf("%d of %d recovered", recovered, tried)))
	case planned > 0:
		parts = append(parts, t.paint(bold, count(planned, "run")+" to create"))
	default:
		parts = append(parts, "nothing to recover")
	}
	if n := t.Count(backfill.Left); n > 0 {
		parts = append(parts, fmt.Sprintf("%d left", n))
	}
	if n := t.Count(Ran); n > 0 {
		parts = append(parts, t.paint(dim, fmt.Sprintf("%d ran", n)))
	}
	return strings.Join(parts, ", ")
}

// tried is a line per firing that is or was to be recovered.
func (t backfillTable) tried(w io.Writer) error {
	c := &columns{indent: 2}
	hidden := 0
	for _, f := range t.Firings {
		if f.Outcome == Ran || f.Outcome == backfill.Left {
			continue
		}
		if len(c.rows) == maxEntries {
			hidden++
			continue
		}
		verdict := string(f.Verdict)
		if f.Certainty != "" {
			verdict += ", " + string(f.Certainty)
		}
		row := []cell{text(full(f.ScheduledTime)), t.painted(colour(f.Verdict), verdict)}
		if t.plan {
			row = append(row, t.deadlineOf(f))
		}
		c.add(append(row, text(f.Workflow), t.outcome(f))...)
	}
	if len(c.rows) == 0 {
		return nil
	}
	if err := c.write(w); err != nil {
		return err
	}
	if hidden > 0 {
		if _, err := fmt.Fprintf(w, "  %s\n", t.paint(dim, fmt.Sprintf("%s %d more, -o json lists all", t.pick("…", "..."), hidden))); err != nil {
			return err
		}
	}
	return t.grounds(w)
}

// deadlineOf is how long a firing's starting deadline is ahead.
func (t backfillTable) deadlineOf(f RecoveryEntry) cell {
	switch {
	case f.Deadline.IsZero() && !f.Verdict.Lost():
		return t.painted(dim, "") // an audit gives the deadline of what is lost only
	case f.Deadline.IsZero():
		return t.painted(dim, "no deadline")
	}
	if left := f.Deadline.Sub(t.GeneratedAt); left > 0 {
		return t.painted(yellow, span(left)+" left")
	}
	return t.painted(dim, span(t.GeneratedAt.Sub(f.Deadline))+" too late")
}

func (t backfillTable) outcome(f RecoveryEntry) cell {
	switch {
	case f.Outcome == backfill.WouldCreate:
		return t.painted(blue, "create")
	case f.Outcome == backfill.AlreadyThere && f.MadeBy != "":
		return t.painted(green, "already there (by "+f.MadeBy+")")
	case f.Outcome.Recovered():
		return t.painted(green, string(f.Outcome))
	case f.Reason != "" && string(f.Reason) != string(f.Outcome):
		return t.painted(boldRed, fmt.Sprintf("%s (%s)", f.Outcome, f.Reason))
	}
	return t.painted(boldRed, string(f.Outcome))
}

// grounds says why firings that were tried have no run, each ground once.
func (t backfillTable) grounds(w io.Writer) error {
	said := map[string]bool{}
	for _, f := range t.Firings {
		if f.Outcome == Ran || f.Outcome == backfill.Left || f.Outcome.Recovered() || f.Why == "" || said[f.Why] {
			continue
		}
		said[f.Why] = true
		if _, err := fmt.Fprintf(w, "  %s\n", t.wrap(f.Why, 2)); err != nil {
			return err
		}
	}
	return nil
}

// left lists what is not recovered: neighbours with the same reason together, with the reason of the first.
func (t backfillTable) left(w io.Writer) error {
	type group struct {
		first, last RecoveryEntry
		count       int
	}
	var groups []group
	for _, f := range t.Firings {
		if f.Outcome != backfill.Left {
			continue
		}
		if n := len(groups); n > 0 && groups[n-1].last.Reason == f.Reason && groups[n-1].last.Verdict == f.Verdict {
			groups[n-1].last = f
			groups[n-1].count++
			continue
		}
		groups = append(groups, group{f, f, 1})
	}
	if len(groups) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(w, "  %s\n", t.paint(bold, "Left")); err != nil {
		return err
	}
	hidden := max(0, len(groups)-maxStretches)
	for _, g := range groups[hidden:] {
		when := full(g.first.ScheduledTime)
		if g.count > 1 {
			when += " " + t.pick("–", "-") + " " + full(g.last.ScheduledTime)
		}
		line := fmt.Sprintf("%s: %d %s. %s", when, g.count, g.first.Verdict, g.first.Why)
		if _, err := fmt.Fprintf(w, "    %s\n", t.wrap(line, 6)); err != nil {
			return err
		}
	}
	if hidden > 0 {
		_, err := fmt.Fprintf(w, "    %s\n", t.paint(dim, fmt.Sprintf("%d more before these, -o json lists all", hidden)))
		return err
	}
	return nil
}

// BackfillNames writes the CronWorkflow where something of it is not recovered, as kubectl's -o name does.
func BackfillNames(w io.Writer, r *BackfillReport) error {
	if r.Lost() == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "cronworkflow.argoproj.io/%s\n", r.Name)
	return err
}

// Problems are the errors for which firings have no run, each once with how many it stands for; in the order of the firings.
func (r *BackfillReport) Problems() []string {
	counts := map[string]int{}
	var order []string
	for _, f := range r.Firings {
		if f.Error == "" || f.Outcome.Recovered() || f.Outcome == Ran {
			continue
		}
		if counts[f.Error] == 0 {
			order = append(order, f.Error)
		}
		counts[f.Error]++
	}
	for i, problem := range order {
		order[i] = fmt.Sprintf("CronWorkflow %s: %s not recovered: %s", r.key(), count(counts[problem], "firing"), problem)
	}
	if r.Error != "" {
		order = append(order, fmt.Sprintf("CronWorkflow %s: %s", r.key(), r.Error))
	}
	return order
}

// Refused says why nothing of a CronWorkflow may be recovered at all: it is suspended or stopped. It is empty otherwise.
func (r *BackfillReport) Refused() string {
	for _, f := range r.Firings {
		if f.Outcome == backfill.Left && slices.Contains(r.wanted, f.Verdict) && (f.Reason == auditor.Suspended || f.Reason == auditor.Stopped) {
			return fmt.Sprintf("CronWorkflow %s: %s", r.key(), f.Why)
		}
	}
	return ""
}
