package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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
	if n := t.Totals[auditor.Unknown]; n > 0 {
		outcome += ", " + t.paint(magenta, fmt.Sprintf("%d unknown", n))
	}
	_, err := fmt.Fprintf(w, "%s %s %s UTC (%s)\n%s, %s: %s\n",
		t.paint(bold, stamp(t.From)), t.pick("→", "to"), t.paint(bold, stamp(t.To)), span(t.To.Sub(t.From)),
		count(len(t.CronWorkflows), "CronWorkflow"), count(t.Totals.Sum(), "firing"), outcome)
	return err
}

// overview is one line per CronWorkflow: the counts of verdicts that occur anywhere, and the strip. The narrower the output,
// the less it shows beside the strip: glyphs for the names of verdicts, then no schedules.
func (t auditTable) overview(w io.Writer) error {
	longest := 0
	for _, cw := range t.CronWorkflows {
		longest = max(longest, len(cw.Firings))
	}
	var c *columns
	for _, l := range []layout{{}, {glyphs: true}, {glyphs: true, noSchedule: true}} {
		c = t.counts(l)
		room := StripLength
		if t.Width > 0 {
			room = min(room, t.Width-c.width()-2)
		}
		if length := min(room, longest); length >= min(longest, goodStrip) || l.noSchedule {
			t.addStrips(c, length, longest)
			break
		}
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := c.write(w); err != nil {
		return err
	}
	if t.Totals.Sum() == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", t.legend(t.Totals))
	return err
}

// layout is what the overview leaves out.
type layout struct{ glyphs, noSchedule bool }

func (t auditTable) counts(l layout) *columns {
	occurring := t.Totals.Ordered()
	c := &columns{}
	head := []cell{t.painted(dim, "NAMESPACE"), t.painted(dim, "NAME")}
	if !l.noSchedule {
		head = append(head, t.painted(dim, "SCHEDULE"))
	}
	head = append(head, t.painted(dim, "FIRINGS").toTheRight())
	for _, v := range occurring {
		name := t.painted(dim, strings.ToUpper(string(v)))
		if l.glyphs {
			name = t.painted(colour(v), t.Glyph(v))
		}
		head = append(head, name.toTheRight())
	}
	c.add(head...)
	for _, cw := range t.CronWorkflows {
		row := []cell{text(cw.Namespace), text(cw.Name)}
		if cw.Totals.Lost() > 0 {
			row[1] = t.painted(bold, cw.Name)
		}
		if !l.noSchedule {
			row = append(row, text(scheduleOf(cw)))
		}
		row = append(row, t.number(cw.Totals.Sum(), plain).toTheRight())
		for _, v := range occurring {
			row = append(row, t.number(cw.Totals[v], colour(v)).toTheRight())
		}
		c.add(row...)
	}
	return c
}

// addStrips appends the column of strips, of this length at the most.
func (t auditTable) addStrips(c *columns, length, longest int) {
	if length < min(minStrip, longest) {
		length = 0
	}
	if length == 0 && t.Errors() == 0 {
		return
	}
	head := "OLDEST FIRST"
	switch {
	case length < longest:
		head = fmt.Sprintf("LAST %d", length)
	case length < len(head):
		head = ""
	}
	c.rows[0] = append(c.rows[0], t.painted(dim, head))
	for i, cw := range t.CronWorkflows {
		strip := t.strip(cw.verdicts(), length)
		if cw.Error != "" {
			strip = t.painted(boldRed, "error")
		}
		c.rows[i+1] = append(c.rows[i+1], strip)
	}
}

func (t auditTable) number(n int, sgr string) cell {
	if n == 0 {
		return t.painted(dim, t.pick("·", "-"))
	}
	return t.painted(sgr, strconv.Itoa(n))
}

func scheduleOf(cw CronWorkflow) string {
	s := strings.Join(cw.Schedules, ", ")
	if r := []rune(s); len(r) > 24 {
		s = string(r[:21]) + "..."
	}
	return s
}

// lost lists the stretches of what each CronWorkflow lost. Its name stands beside them, or where that is too wide, above.
func (t auditTable) lost(w io.Writer) error {
	clock := t.clock()
	c, beside := &columns{indent: 2}, true
	for again := true; again; {
		for _, cw := range t.CronWorkflows {
			t.addLost(c, cw, clock, beside)
		}
		again = beside && t.Width > 0 && c.width() > t.Width
		if again {
			c, beside = &columns{indent: 2}, false
		}
	}
	if len(c.rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", t.paint(bold, "Lost")); err != nil {
		return err
	}
	if err := c.write(w); err != nil {
		return err
	}
	return t.why(w)
}

func (t auditTable) addLost(c *columns, cw CronWorkflow, clock clock, beside bool) {
	stretches := lostStretches(cw.Firings)
	if len(stretches) == 0 {
		return
	}
	name := t.painted(bold, cw.key())
	row := func(cells ...cell) {
		if beside {
			cells = append([]cell{name}, cells...)
		}
		c.add(cells...)
		name = text("")
	}
	if !beside {
		c.addLine(t.paint(bold, cw.key()))
		c.indent = 4
	}
	shown := stretches[max(0, len(stretches)-maxStretches):]
	if hidden := len(stretches) - len(shown); hidden > 0 {
		row(t.painted(dim, fmt.Sprintf("%d before", hidden)), text(""), t.painted(dim, "-o wide"))
	}
	for _, s := range shown {
		verdict := string(s.first.Verdict)
		if s.first.Reason != "" {
			verdict += " (" + string(s.first.Reason) + ")"
		}
		row(
			text(clock.between(s.first.ScheduledTime, s.last.ScheduledTime, t.pick("–", "-"))),
			t.painted(boldRed, strconv.Itoa(s.count)).toTheRight(),
			t.painted(colour(s.first.Verdict), verdict),
			text(string(s.first.Cause)),
			text(string(s.first.Certainty)),
			t.deadline(s),
		)
	}
}

// clock shows seconds where any of the lost firings has some.
func (t auditTable) clock() clock {
	var times []time.Time
	for _, cw := range t.CronWorkflows {
		for _, f := range cw.Firings {
			if f.Verdict.Lost() {
				times = append(times, f.ScheduledTime)
			}
		}
	}
	return clockFor(t.From, t.To, times...)
}

func (t auditTable) deadline(s stretch) cell {
	if s.soonest.IsZero() {
		return t.painted(dim, "no deadline")
	}
	if left := s.soonest.Sub(t.GeneratedAt); left > 0 {
		return t.painted(yellow, span(left)+" left")
	}
	return t.painted(dim, span(t.GeneratedAt.Sub(s.last.Deadline))+" too late")
}

// why says each ground for a cause once: the sentence that the auditor puts last in the evidence of a lost firing.
func (t auditTable) why(w io.Writer) error {
	var said []string
	for _, cw := range t.CronWorkflows {
		for _, s := range lostStretches(cw.Firings) {
			if n := len(s.last.Evidence); n > 0 && s.last.Cause != auditor.Undetermined && !slices.Contains(said, s.last.Evidence[n-1]) {
				said = append(said, s.last.Evidence[n-1])
			}
		}
	}
	for i, sentence := range said {
		if i == maxGrounds {
			sentence = fmt.Sprintf("And %d more grounds: -o wide shows them.", len(said)-i)
		}
		if _, err := fmt.Fprintf(w, "  %s\n", t.paint(dim, t.wrap(sentence, 2))); err != nil {
			return err
		}
		if i == maxGrounds {
			break
		}
	}
	return nil
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

// next is what to type next.
func (t auditTable) next(w io.Writer, recoverAll string) error {
	var commands, late []string
	for _, cw := range t.CronWorkflows {
		command, missed := BackfillCommand(cw)
		switch {
		case missed:
			commands = append(commands, command)
		case command != "":
			late = append(late, command)
		}
	}
	missed := len(commands) > 0
	commands = append(commands, late...)
	if len(commands) == 0 {
		return nil
	}
	if len(commands) > maxCommands {
		commands = []string{"rollcall backfill NAME -n NAMESPACE --from TIME --to TIME"}
		if missed {
			commands = []string{recoverAll}
		}
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", t.paint(bold, "Next")); err != nil {
		return err
	}
	for _, command := range commands {
		if _, err := fmt.Fprintf(w, "  %s\n", t.paint(green, command)); err != nil {
			return err
		}
	}
	return nil
}

// BackfillCommand is the command that recovers what a CronWorkflow lost: what is Missed, if anything is, else all of it, past
// the deadline. It is empty when nothing was lost; missed says which.
func BackfillCommand(cw CronWorkflow) (command string, missed bool) {
	var first, last, firstMissed, lastMissed time.Time
	var late bool
	extend := func(first, last *time.Time, at time.Time) {
		if first.IsZero() {
			*first = at
		}
		*last = at
	}
	for _, f := range cw.Firings {
		if !f.Verdict.Lost() {
			continue
		}
		extend(&first, &last, f.ScheduledTime)
		late = late || f.Verdict == auditor.Expired && !f.Deadline.IsZero()
		if f.Verdict == auditor.Missed {
			extend(&firstMissed, &lastMissed, f.ScheduledTime)
		}
	}
	missed = !firstMissed.IsZero()
	if missed {
		first, last, late = firstMissed, lastMissed, false
	}
	if first.IsZero() {
		return "", false
	}
	// The window begins after --from.
	command = fmt.Sprintf("rollcall backfill %s -n %s --from %s --to %s", cw.Name, cw.Namespace, full(first.Add(-time.Second)), full(last))
	if late {
		command += " --ignore-deadline"
	}
	return command, missed
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
	return "+" + span(f.CreatedAt.Sub(f.ScheduledTime))
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
