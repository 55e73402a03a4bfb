package report

import (
	"io"
	"strings"
	"unicode/utf8"
)

// cell is one field of a table. Its width counts what is seen, not the SGR sequences.
type cell struct {
	text  string
	width int
	right bool
}

func text(s string) cell {
	s = oneLine(s)
	return cell{text: s, width: utf8.RuneCountInString(s)}
}

// oneLine joins the lines of a message that has several, as some of Argo's and of the API server's do.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\n\r") {
		return strings.Join(strings.Fields(s), " ")
	}
	return s
}

func (s Style) painted(sgr, content string) cell {
	c := text(content)
	c.text = s.paint(sgr, c.text)
	return c
}

func (c cell) toTheRight() cell {
	c.right = true
	return c
}

// whole marks a row that is one line across all columns.
const whole = -1

// columns lays out rows of cells, two spaces apart, like kubectl.
type columns struct {
	rows   [][]cell
	indent int
}

func (c *columns) add(row ...cell) { c.rows = append(c.rows, row) }

// addLine adds a line that is no row: it has no part in the widths, and half the indent.
func (c *columns) addLine(line string) { c.rows = append(c.rows, []cell{{text: line, width: whole}}) }

func (c *columns) widths() []int {
	var widths []int
	for _, row := range c.rows {
		for i, cell := range row {
			if cell.width == whole {
				continue
			}
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cell.width)
		}
	}
	return widths
}

// width is how wide the table is without the padding of its last column.
func (c *columns) width() int {
	total := c.indent
	for i, w := range c.widths() {
		if i > 0 {
			total += 2
		}
		total += w
	}
	return total
}

func (c *columns) write(w io.Writer) error {
	widths := c.widths()
	var b strings.Builder
	for _, row := range c.rows {
		if len(row) == 1 && row[0].width == whole {
			b.WriteString(strings.Repeat(" ", c.indent/2) + row[0].text + "\n")
			continue
		}
		var line strings.Builder
		line.WriteString(strings.Repeat(" ", c.indent))
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			padding := strings.Repeat(" ", widths[i]-cell.width)
			if cell.right {
				line.WriteString(padding + cell.text)
			} else {
				line.WriteString(cell.text + padding)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}
