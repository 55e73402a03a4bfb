package main

import (
	"bytes"
	"testing"

	"rollcall.dev/rollcall/internal/report"
)

func TestWhatATerminalWouldObeyIsNotWritten(t *testing.T) {
	const text = "\x1b[31mred\x1b[0m \x1b]0;title\a \x1b[2J\r\x9b1m \u009b \u202e\u2066\x7f\tä\n"
	for name, c := range map[string]struct {
		style report.Style
		want  string
	}{
		"without colours": {report.Style{}, "?[31mred?[0m ?]0;title? ?[2J?\ufffd1m ? ???\tä\n"},
		"with colours":    {report.Style{Colour: true, UTF8: true}, "\x1b[31mred\x1b[0m \ufffd]0;title\ufffd \ufffd[2J\ufffd\ufffd1m \ufffd \ufffd\ufffd\ufffd\tä\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if n, err := (harmless{&b, c.style}).Write([]byte(text)); n != len(text) || err != nil {
				t.Error(n, err)
			}
			if got := b.String(); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
