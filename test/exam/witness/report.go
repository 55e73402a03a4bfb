package witness

import "slices"

// A Report is what an exam found.
type Report struct {
	// Firings had time to be judged. Ran are those of them that had a run, Recovered those whose run Rollcall made.
	Firings   int `json:"firings"`
	Ran       int `json:"ran"`
	Recovered int `json:"recovered"`
	// ByHand are those of the recovered that somebody made with the command line.
	ByHand int `json:"byHand,omitempty"`
	// Verdicts counts what stands in the end; Accusations are the firings that were called lost for certain at any time.
	Verdicts    map[string]int `json:"verdicts"`
	Accusations int            `json:"accusations"`
	// Evidenced are the firings for which evidence existed; Unknown are those of them that are called so, by reason.
	Evidenced int            `json:"evidenced"`
	Unknown   map[string]int `json:"unknown,omitempty"`
	// Faults counts them by what was hit and how.
	Faults   map[string]int `json:"faults,omitempty"`
	Mistakes []Mistake      `json:"mistakes,omitempty"`
}

// Passed says whether none of the mistakes is Rollcall's.
func (r Report) Passed() bool {
	return !slices.ContainsFunc(r.Mistakes, func(m Mistake) bool { return m.Kind.Rollcalls() })
}
