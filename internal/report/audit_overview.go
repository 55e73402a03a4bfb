package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

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
