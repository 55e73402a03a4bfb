package main

import (
	"bytes"
	"io"
	"regexp"
	"unicode"

	"rollcall.dev/rollcall/internal/report"
)

// harmless writes text for people. What a terminal would obey is replaced: whoever may write a CronWorkflow can put it into a message or
// a when expression, and whoever reads the report may have more rights. Where there are colours, the sequences for these pass: the
// worst they do is paint. Each Write is of whole sequences.
type harmless struct {
	to    io.Writer
	style report.Style
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

func (h harmless) Write(text []byte) (int, error) {
	instead := '?'
	if h.style.UTF8 {
		instead = unicode.ReplacementChar
	}
	shown := func(r rune) rune {
		if obeyed(r) {
			return instead
		}
		return r
	}
	var b bytes.Buffer
	from := 0
	if h.style.Colour {
		for _, paint := range sgr.FindAllIndex(text, -1) {
			b.Write(bytes.Map(shown, text[from:paint[0]]))
			b.Write(text[paint[0]:paint[1]])
			from = paint[1]
		}
	}
	b.Write(bytes.Map(shown, text[from:]))
	if _, err := h.to.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// obeyed says whether a terminal takes a character for more than itself: to move, to change something, to turn the direction around.
func obeyed(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}
