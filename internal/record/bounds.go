package record

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// The most bytes of JSON that each list of a status takes; of more, the newest are kept. Their sum, and what else is in a
// CronAudit, stays below v1alpha1.MaxBytes.
const (
	epochBytes      = 32 << 10
	openBytes       = 60 << 10
	openEvidence    = 10 << 10
	openErrors      = 16 << 10
	notableBytes    = 20 << 10
	recoveryBytes   = 20 << 10
	recoveryErrors  = 10 << 10
	submissionBytes = 8 << 10
)

// newest keeps the end of a list that has at most maxItems items and maxBytes of JSON.
func newest[T any](items []T, maxItems, maxBytes int) []T {
	first := len(items)
	for first > 0 && len(items)-first < maxItems {
		data, err := json.Marshal(items[first-1])
		if maxBytes -= len(data) + len(","); err != nil || maxBytes < 0 {
			break
		}
		first--
	}
	return items[first:]
}

// last keeps the end of a list whose items are all small.
func last[T any](items []T, maxItems int) []T { return items[max(0, len(items)-maxItems):] }

// ascending is a copy of a list in the order of the times of its items; those of one time keep theirs. Items without a time
// that can be written are left out.
func ascending[T any](items []T, at func(T) time.Time) []T {
	kept := make([]T, 0, len(items))
	for _, item := range items {
		if writable(at(item)) {
			kept = append(kept, item)
		}
	}
	slices.SortStableFunc(kept, func(a, b T) int { return at(a).Compare(at(b)) })
	return kept
}

// writable says whether a time can be one of a firing and survives RFC 3339 in any zone.
func writable(t time.Time) bool { return t.Unix() > 0 && t.Year() < 9999 }

// text makes a message one line of at most limit bytes.
func text(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= limit {
		return s
	}
	const cut = "…"
	end := limit - len(cut)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cut
}

// quoted is how many bytes a text takes as JSON, as Go's encoders and so the API server's write it.
func quoted(s string) int {
	n := 2
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t':
			n += 2
		case r < 0x20 || r == 0x7f || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError:
			n += 6
		default:
			n += utf8.RuneLen(r)
		}
	}
	return n
}

// word is a reason or cause; empty when it is not one word.
func word(s string) v1alpha1.Word {
	if len(s) > 64 || strings.IndexFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) >= 0 {
		return ""
	}
	return v1alpha1.Word(s)
}
