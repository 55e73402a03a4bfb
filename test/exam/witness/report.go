package witness

// A Report is what an exam found.
type Report struct {
	// Firings were due and had time to be judged; Recovered of them were run by Rollcall; Evidenced are those for which evidence
	// existed, and Unknown how many of these were called so, by reason.
	Firings   int            `json:"firings"`
	Ran       int            `json:"ran"`
	Recovered int            `json:"recovered"`
	Evidenced int            `json:"evidenced"`
	Unknown   map[string]int `json:"unknown,omitempty"`
	// Verdicts counts what stands in the end; Accusations how often a loss was called certain in the course of time.
	Verdicts    map[string]int `json:"verdicts"`
	Accusations int            `json:"accusations"`
	// Faults counts them by what was hit and how.
	Faults   map[string]int `json:"faults,omitempty"`
	Mistakes []Mistake      `json:"mistakes,omitempty"`
}
