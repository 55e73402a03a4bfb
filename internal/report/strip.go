package report

import (
	"strings"

	"rollcall.dev/rollcall/auditor"
)

// StripLength is how many verdicts a strip shows at the most.
const StripLength = 60

// Glyph is the one character that stands for a verdict in a strip.
func (s Style) Glyph(v auditor.Verdict) string {
	switch v {
	case auditor.OnTime:
		return s.pick("•", ".")
	case auditor.Late:
		return s.pick("◐", "L")
	case auditor.Backfilled:
		return s.pick("↺", "b")
	case auditor.Pending:
		return s.pick("…", "_")
	case auditor.Skipped:
		return s.pick("–", "s")
	case auditor.Missed:
		return s.pick("✗", "M")
	case auditor.Expired:
		return s.pick("✘", "E")
	case auditor.GaveUp:
		return s.pick("⊘", "G")
	}
	return "?"
}

// Strip shows the last n verdicts, oldest first, one glyph each.
func (s Style) Strip(verdicts []auditor.Verdict, n int) string { return s.strip(verdicts, n).text }

func (s Style) strip(verdicts []auditor.Verdict, n int) cell {
	verdicts = verdicts[max(0, len(verdicts)-n):]
	var b strings.Builder
	for i := 0; i < len(verdicts); {
		v, stretch := verdicts[i], 0
		for i < len(verdicts) && verdicts[i] == v {
			stretch++
			i++
		}
		b.WriteString(s.paint(colour(v), strings.Repeat(s.Glyph(v), stretch)))
	}
	return cell{text: b.String(), width: len(verdicts)}
}

// legend explains the glyphs of the verdicts that occur.
func (s Style) legend(totals Totals) string {
	var parts []string
	for _, v := range totals.Ordered() {
		parts = append(parts, s.paint(colour(v), s.Glyph(v))+" "+string(v))
	}
	return strings.Join(parts, "  ")
}
