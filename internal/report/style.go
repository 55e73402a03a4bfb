package report

import (
	"strings"
	"unicode/utf8"

	"rollcall.dev/rollcall/auditor"
)

// Style is what the output can show.
type Style struct {
	// Colour allows SGR sequences.
	Colour bool
	// UTF8 allows characters beyond ASCII.
	UTF8 bool
	// Width is the number of columns; 0 for no limit.
	Width int
}

// SGR parameters.
const (
	plain   = ""
	bold    = "1"
	dim     = "2"
	red     = "31"
	green   = "32"
	yellow  = "33"
	blue    = "34"
	magenta = "35"
	boldRed = "1;31"
)

func (s Style) paint(sgr, text string) string {
	if !s.Colour || sgr == plain || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// pick is the first text where the output takes UTF-8, else the second.
func (s Style) pick(text, ascii string) string {
	if s.UTF8 {
		return text
	}
	return ascii
}

// colour is the SGR parameter of a verdict.
func colour(v auditor.Verdict) string {
	switch v {
	case auditor.OnTime:
		return green
	case auditor.Late:
		return yellow
	case auditor.Backfilled:
		return blue
	case auditor.Missed, auditor.Expired, auditor.GaveUp:
		return boldRed
	case auditor.Unknown:
		return magenta
	}
	return dim
}

// wrap breaks text between words so that with the indent no line is wider than the style's width. The first line carries no indent.
func (s Style) wrap(text string, indent int) string {
	width := s.Width - indent
	if s.Width == 0 || width < 20 {
		return oneLine(text)
	}
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
