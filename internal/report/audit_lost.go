package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"rollcall.dev/rollcall/auditor"
)

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
