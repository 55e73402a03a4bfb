package report

import (
	"time"

	"rollcall.dev/rollcall/auditor"
)

// stretch is a run of neighbouring firings that were lost in the same way.
type stretch struct {
	first, last auditor.Finding
	count       int
	// soonest is the earliest starting deadline of them; zero when they have none.
	soonest time.Time
}

// lostStretches groups what was lost. Firings are ascending; a firing that was not lost ends a stretch.
func lostStretches(firings []auditor.Finding) []stretch {
	var stretches []stretch
	open := false
	for _, f := range firings {
		if !f.Verdict.Lost() {
			open = false
			continue
		}
		if open && alike(stretches[len(stretches)-1].last, f) {
			s := &stretches[len(stretches)-1]
			s.last = f
			s.count++
			continue
		}
		stretches = append(stretches, stretch{first: f, last: f, count: 1, soonest: f.Deadline})
		open = true
	}
	return stretches
}

func alike(a, b auditor.Finding) bool {
	return a.Verdict == b.Verdict && a.Reason == b.Reason && a.Cause == b.Cause && a.Certainty == b.Certainty &&
		a.Deadline.IsZero() == b.Deadline.IsZero()
}
