package report

import (
	"bytes"
	"testing"
	"time"

	"rollcall.dev/rollcall/auditor"
)

func TestStrip(t *testing.T) {
	all := auditor.Verdicts()
	outage := []auditor.Verdict{auditor.OnTime, auditor.OnTime, auditor.Missed, auditor.Missed, auditor.Backfilled}
	for name, c := range map[string]struct {
		style    Style
		verdicts []auditor.Verdict
		n        int
		want     string
	}{
		"each verdict has a glyph of its own":        {Style{UTF8: true}, all, 60, "•◐↺…–✗✘⊘?"},
		"and a letter where there is only ASCII":     {Style{}, all, 60, ".Lb_sMEG?"},
		"only the newest are shown, oldest first":    {Style{UTF8: true}, outage, 3, "✗✗↺"},
		"colour changes only where the verdict does": {Style{Colour: true}, outage, 60, "\x1b[32m..\x1b[0m\x1b[1;31mMM\x1b[0m\x1b[34mb\x1b[0m"},
		"nothing gives nothing":                      {Style{UTF8: true}, nil, 60, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.style.Strip(c.verdicts, c.n); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestNoTwoVerdictsShareAGlyph(t *testing.T) {
	for _, style := range []Style{{}, {UTF8: true}} {
		seen := map[string]auditor.Verdict{}
		for _, v := range auditor.Verdicts() {
			if other, taken := seen[style.Glyph(v)]; taken {
				t.Errorf("%s and %s share %q", v, other, style.Glyph(v))
			}
			seen[style.Glyph(v)] = v
		}
	}
}

func TestWrap(t *testing.T) {
	for name, c := range map[string]struct {
		width, indent int
		want          string
	}{
		"no width, no break":             {0, 4, "one two three four five six seven"},
		"breaks between words":           {24, 4, "one two three four\n    five six seven"},
		"too narrow to wrap, left as is": {20, 10, "one two three four five six seven"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (Style{Width: c.width}).wrap("one two three four five six seven", c.indent); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestColumnsAlignWhatIsSeen(t *testing.T) {
	s := Style{Colour: true}
	c := &columns{indent: 2}
	c.addLine("heading")
	c.add(text("a"), s.painted(red, "10").toTheRight(), text("end"))
	c.add(text("long"), text("7").toTheRight(), text(""))
	var b bytes.Buffer
	if err := c.write(&b); err != nil {
		t.Fatal(err)
	}
	want := " heading\n  a     \x1b[31m10\x1b[0m  end\n  long   7\n"
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
	if c.width() != 2+4+2+2+2+3 {
		t.Errorf("width %d", c.width())
	}
}

func TestTimesForPeople(t *testing.T) {
	day := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for name, c := range map[string]struct {
		windowFrom, windowTo, from, to, want string
	}{
		"within a day the clock is enough": {
			"2026-11-23T00:00:00Z", "2026-11-23T05:00:00Z", "2026-11-23T04:40:00Z", "2026-11-23T04:42:00Z", "04:40-04:42",
		},
		"over midnight the day is said": {
			"2026-11-22T05:00:00Z", "2026-11-23T05:00:00Z", "2026-11-23T04:40:00Z", "2026-11-23T04:42:00Z", "Nov 23 04:40-04:42",
		},
		"and twice where the stretch goes over it": {
			"2026-11-22T05:00:00Z", "2026-11-23T05:00:00Z", "2026-11-22T23:59:00Z", "2026-11-23T00:01:00Z", "Nov 22 23:59-Nov 23 00:01",
		},
		"over New Year the year is said": {
			"2026-12-31T05:00:00Z", "2027-01-01T05:00:00Z", "2027-01-01T04:40:00Z", "2027-01-01T04:40:00Z", "2027-01-01 04:40",
		},
		"seconds where a firing has some": {
			"2026-11-23T00:00:00Z", "2026-11-23T05:00:00Z", "2026-11-23T04:40:30Z", "2026-11-23T04:42:00Z", "04:40:30-04:42:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := day(c.from), day(c.to)
			if got := clockFor(day(c.windowFrom), day(c.windowTo), from, to).between(from, to, "-"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 60 * time.Second: "1m", 372 * time.Second: "6m12s", -372 * time.Second: "6m12s",
		time.Hour: "1h", 90 * time.Minute: "1h30m", 24 * time.Hour: "1d", 76 * time.Hour: "3d4h", time.Hour + time.Second: "1h",
		1499 * time.Millisecond: "1s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}
