package record

import (
	"strings"

	"rollcall.dev/rollcall/auditor"
)

// letters stand for verdicts in status.strip; reports use the same where they may not go beyond ASCII.
var letters = map[auditor.Verdict]byte{
	auditor.OnTime:     '.',
	auditor.Late:       'L',
	auditor.Backfilled: 'b',
	auditor.Pending:    '_',
	auditor.Skipped:    's',
	auditor.Missed:     'M',
	auditor.Expired:    'E',
	auditor.GaveUp:     'G',
	auditor.Unknown:    '?',
}

func strip(verdicts []auditor.Verdict) string {
	var b strings.Builder
	for _, v := range verdicts {
		letter, ok := letters[v]
		if !ok {
			letter = letters[auditor.Unknown]
		}
		b.WriteByte(letter)
	}
	return b.String()
}

// verdicts reads a strip; a letter that stands for nothing is Unknown.
func verdicts(strip string) []auditor.Verdict {
	var all []auditor.Verdict
	for _, letter := range []byte(strip) {
		verdict := auditor.Unknown
		for v, l := range letters {
			if l == letter {
				verdict = v
			}
		}
		all = append(all, verdict)
	}
	return all
}
