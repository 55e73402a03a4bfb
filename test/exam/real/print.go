package real

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"rollcall.dev/rollcall/test/exam/witness"
)

// Print writes the result for people.
func (r Result) Print(out io.Writer) {
	fmt.Fprintf(out, "\nExam with Argo %s, seed %d, %.0f minutes from %s on\n\n", strings.TrimPrefix(r.Argo, "argo-"), r.Seed, r.Minutes, r.Began.Format("2006-01-02 15:04:05 UTC"))
	fmt.Fprintf(out, "  firings       %5d judged: %d ran, %d of them made by Rollcall; %d were called lost for certain at some time\n", r.Firings, r.Ran, r.Recovered, r.Accusations)
	fmt.Fprintf(out, "  verdicts      %5s\n", counts(r.Verdicts))
	fmt.Fprintf(out, "  unknown       %5s of %d for which evidence existed\n", counts(r.Unknown), r.Evidenced)
	faults := 0
	for _, n := range r.Faults {
		faults += n
	}
	fmt.Fprintf(out, "  faults        %5d: %s\n", faults, counts(r.Faults))
	for _, odd := range r.Oddities {
		fmt.Fprintf(out, "  odd           %s\n", odd)
	}
	mistakes := map[witness.Kind]int{}
	for _, m := range r.Mistakes {
		if m.Kind.Rollcalls() {
			mistakes[m.Kind]++
		}
	}
	if len(mistakes) == 0 {
		fmt.Fprintf(out, "  mistakes          0\n")
	} else {
		fmt.Fprintf(out, "  mistakes      %5s\n", counts(mistakes))
	}
	for _, m := range r.Mistakes {
		fmt.Fprintf(out, "\n  %s  %s/%s at %s\n    %s\n", m.Kind, m.Namespace, m.Name, m.ScheduledTime.Format("15:04:05"), m.Why)
	}
}

// counts writes what was counted, the most frequent first.
func counts[K ~string](of map[K]int) string {
	if len(of) == 0 {
		return "none"
	}
	keys := slices.Sorted(maps.Keys(of))
	slices.SortStableFunc(keys, func(a, b K) int { return of[b] - of[a] })
	var said []string
	for _, k := range keys {
		said = append(said, fmt.Sprintf("%d %s", of[k], k))
	}
	return strings.Join(said, ", ")
}
