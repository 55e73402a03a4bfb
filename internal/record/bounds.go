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

// room is how many bytes of JSON the lists of a status may take together. What else is in a CronAudit, what the API server adds
// to it included, takes less than 12 KiB, so that the whole stays below v1alpha1.MaxBytes.
const room = v1alpha1.MaxBytes - 12<<10

// The most that single lists take of the room. It is given out in the order in which StatusOf fills the lists, first to what it
// would hurt most to forget; only in a record that is at all its bounds at once something is left out for want of room.
const (
	epochBytes    = 24 << 10
	openBytes     = 60 << 10
	settleBytes   = 30 << 10
	recoveryBytes = 30 << 10
	notableBytes  = 8 << 10
	errorBytes    = 6 << 10
)

// Upper bounds for items that hold nothing but times, numbers and verdicts, each with its comma.
const (
	timeSize    = len(`"2026-11-23T12:00:00Z",`)
	runSize     = len(`{"scheduledTime":"2026-11-23T12:00:00Z","createdAt":"2026-11-23T12:00:00Z","verdict":"Backfilled"},`)
	activeSize  = len(`{"at":"2026-11-23T12:00:00.000000Z","runs":2147483647},`)
	stopSize    = len(`{"at":"2026-11-23T12:00:00.000000Z","stopped":false},`)
	stretchSize = len(`{"from":"2026-11-23T12:00:00.000000Z","to":"2026-11-23T12:00:00.000000Z"},`)
)

// budget is how many bytes are left.
type budget int

// take takes n bytes where they are left; it says whether they were.
func (b *budget) take(n int) bool {
	if n > int(*b) {
		return false
	}
	*b -= budget(n)
	return true
}

// newest keeps the end of a list that has at most maxItems items and, of the room, maxBytes of JSON.
func newest[T any](left *budget, items []T, maxItems, maxBytes int, size func(*T) int) []T {
	own := budget(maxBytes)
	first := len(items)
	for first > 0 && len(items)-first < maxItems {
		n := size(&items[first-1])
		if int(own) < n || !left.take(n) {
			break
		}
		own.take(n)
		first--
	}
	return items[first:]
}

// fixed is the size of items that differ little, measured that of others.
func fixed[T any](size int) func(*T) int { return func(*T) int { return size } }

func measured[T any](item *T) int {
	data, err := json.Marshal(item)
	if err != nil {
		return v1alpha1.MaxBytes // never kept
	}
	return len(data) + len(",")
}

// last keeps the end of a list.
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
