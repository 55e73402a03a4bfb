package auditor

import "time"

// State is what a Watcher knows of one CronWorkflow and must not forget over a restart: a record keeper writes it down after
// each change that matters and gives it back with Watcher.Resume. It is bounded by the constants below. What a record keeper
// leaves out makes later verdicts less sure, never wrong.
type State struct {
	// UID is the CronWorkflow's; a state of another UID is of a former CronWorkflow of the name and is not resumed.
	UID string
	// Epochs are the stretches of unchanged spec seen so far, ascending, the oldest forgotten first.
	Epochs []Epoch
	// Coverage are the stretches in which somebody watched without a gap, ascending; the last one ends when the state was taken.
	Coverage []Stretch
	// AuditedThrough is the scheduled time up to which every firing has a verdict that is counted in Totals, or is in Open or
	// Unsettled.
	AuditedThrough time.Time
	// Totals counts final verdicts since the first look.
	Totals map[Verdict]int64
	// Record is what later verdicts rest on.
	Record Record
	// Accounted is up to how many finished runs status.succeeded and status.failed may count together without one that nobody
	// saw.
	Accounted int64
	// Open are the firings that are Missed: lost, and still to be recovered.
	Open []Finding
	// Unsettled are the other firings whose verdict is not final: Argo may still start what was skipped, given up or could not be
	// judged. A Pending one was found absent, and the API server has not confirmed it yet.
	Unsettled []Finding
	// Notable are the last firings that were anything but OnTime or Skipped, newest last.
	Notable []Finding
	// Strip are the verdicts of the last 60 firings, oldest first.
	Strip []Verdict
}

// TakenAt is when the state was taken, as far as it says: it knows nothing of what came later.
func (s State) TakenAt() time.Time {
	taken := s.AuditedThrough
	for _, c := range s.Coverage {
		taken = later(taken, c.To)
	}
	return taken
}

// The most that a State holds. What it has to forget is the oldest, and nothing that a firing without a final verdict rests on.
const (
	MaxEpochs    = 20
	MaxStretches = 20
	// MaxOpen is how many firings may be Missed; of more, the oldest are given up (TooManyMissed).
	MaxOpen = 300
	// MaxUnsettled is how many others may be without a final verdict; of more, the oldest verdicts are taken for final.
	MaxUnsettled = 200
	// MaxUnconfirmed is how many firings may wait for the API server to confirm their absence; of more, the oldest are Unknown.
	MaxUnconfirmed = 1000
	MaxNotable     = 20
	MaxStrip       = 60
	// MaxSeen bounds the lists of Record: the newest 200, and what firings without a verdict rest on.
	MaxSeen    = 500
	recentSeen = 200
	// MaxCatchUp is how many firings are judged after a time in which nobody did; of more, the oldest are Unknown.
	MaxCatchUp = 1000
)
