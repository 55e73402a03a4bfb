package witness

import "time"

// A Kind of mistake.
type Kind string

const (
	// FalseMiss: called Missed, Expired or GaveUp, for certain or in the end, though it ran or was rightly not run.
	FalseMiss Kind = "FalseMiss"
	// FalseRun: called OnTime, Late or Backfilled without a run.
	FalseRun Kind = "FalseRun"
	// WrongRun: it ran, but the verdict says that of another kind of run: OnTime for a late one, Backfilled for Argo's.
	WrongRun Kind = "WrongRun"
	// FalseSkip: called Skipped in the end though it ran, or though nothing kept it from running.
	FalseSkip Kind = "FalseSkip"
	// DoubleRun: it ran twice, and Rollcall made one of the runs.
	DoubleRun Kind = "DoubleRun"
	// DoubledByArgo: it ran twice, and Rollcall made neither. Not Rollcall's mistake.
	DoubledByArgo Kind = "DoubledByArgo"
	// TwoAtOnce: a run that Rollcall made under Forbid ran beside another one.
	TwoAtOnce Kind = "TwoAtOnce"
	// NotRecovered: it was recoverable by the rules for two minutes, and was not recovered.
	NotRecovered Kind = "NotRecovered"
	// WrongRecovery: a run was made that the rules forbid: for a firing that was not lost, or too late.
	WrongRecovery Kind = "WrongRecovery"
	// LiveFiringLost: a live firing was skipped, or its run stopped, because of a recovery.
	LiveFiringLost Kind = "LiveFiringLost"
	// RecoveryKilled: Argo stopped a recovered run, though no live firing replaced it.
	RecoveryKilled Kind = "RecoveryKilled"
	// StoppedByArgo: Argo stopped it, having just written an older lastScheduledTime over the one that kept it from that. Not Rollcall's
	// mistake.
	StoppedByArgo Kind = "StoppedByArgo"
	// LeftUnscheduled: due after the faults had ended, and Argo ran neither it nor what was due a minute and more before.
	LeftUnscheduled Kind = "LeftUnscheduled"
	// UnknownTooOften: more than the allowed share of the firings for which evidence existed.
	UnknownTooOften Kind = "UnknownTooOften"
	// NoVerdict: nothing was said of a firing in the end.
	NoVerdict Kind = "NoVerdict"
)

// Rollcalls says whether the mistake is Rollcall's, and not Argo's own.
func (k Kind) Rollcalls() bool { return k != DoubledByArgo && k != StoppedByArgo }

// A Mistake is one promise that was not kept.
type Mistake struct {
	Kind Kind `json:"kind"`
	// Namespace, Name and UID are those of the CronWorkflow, ScheduledTime is the firing's; empty if it is of all of them.
	Namespace     string    `json:"namespace,omitempty"`
	Name          string    `json:"name,omitempty"`
	UID           string    `json:"uid,omitempty"`
	ScheduledTime time.Time `json:"scheduledTime,omitzero"`
	// Why says in a sentence what was seen, and when.
	Why string `json:"why"`
}

// Rules are the settings that Rollcall ran with. See doc.go for what is promised under them.
type Rules struct {
	// Grace is how long a firing is Pending; a starting deadline halves it, down to 10 s.
	Grace time.Duration
	// LateAfter is from when on a run is Late.
	LateAfter time.Duration
	// MaxParallel and MaxCatchUp bound what is recovered per CronWorkflow.
	MaxParallel, MaxCatchUp int
	// Recoverable is how long a firing has to be recoverable for its recovery to be due.
	Recoverable time.Duration
	// UnknownShare is how many of the firings for which evidence existed may be Unknown, 0.01 for 1 %.
	UnknownShare float64
}

// DefaultRules are those of Rollcall's default settings, and of what is promised.
func DefaultRules() Rules {
	return Rules{
		Grace: 30 * time.Second, LateAfter: time.Minute, MaxParallel: 10, MaxCatchUp: 100,
		Recoverable: 2 * time.Minute, UnknownShare: 0.01,
	}
}
