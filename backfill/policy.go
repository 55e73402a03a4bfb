package backfill

import (
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// Policy is what the user allows a recovery to do.
type Policy struct {
	// By is who recovers: ByCLI, which is by hand, or ByController, which is automatic.
	By string
	// MaxParallel is how many recovered runs of one CronWorkflow may be unfinished at once (policy Allow); at least 1.
	MaxParallel int
	// MaxCatchUp is how many firings of one CronWorkflow are recovered at the most, the newest kept; at least 1.
	MaxCatchUp int
	// CatchUp is which of several missed firings are worth it; empty for all. For an automatic recovery the CronWorkflow's own
	// annotation goes before it; by hand the firings were named, so the annotation does not count.
	CatchUp auditor.CatchUp
	// Order is the order of creation under policy Allow; Forbid and a stopStrategy always take the oldest first.
	Order Order
	// Include adds the verdicts Skipped and Unknown to those recovered by hand.
	Include []auditor.Verdict
	// Verdicts are those that are recovered without being included: Missed for an automatic recovery; Missed, Expired and GaveUp by hand.
	Verdicts []auditor.Verdict
	// CertainOnly leaves findings whose absence is only likely: an automatic recovery does.
	CertainOnly bool
	// IgnoreDeadline recovers past the starting deadline too.
	IgnoreDeadline bool
	// Detached makes runs that history limits and the concurrency policy do not see. They take no live run's place, so neither
	// the room of Forbid and Replace nor a stopStrategy's one at a time is kept for them; the quiet zone and MaxParallel are.
	Detached bool
	// Grace, DefaultDeadline and ControllerZone are those of the audit.
	Grace           time.Duration
	DefaultDeadline time.Duration
	ControllerZone  *time.Location
	// ArgoAway says that Argo's controller is away. A plan says so for itself.
	ArgoAway bool
}

// Who recovers: the value of the label rollcall.dev/backfilled-by.
const (
	ByCLI        = "cli"
	ByController = "controller"
)

// Order is the order in which firings are recovered.
type Order string

const (
	OldestFirst Order = "oldest"
	NewestFirst Order = "newest"
)

// automatic says that nobody asked for this recovery by hand.
func (p Policy) automatic() bool { return p.By == ByController }

func (p Policy) takes(v auditor.Verdict) bool {
	return slices.Contains(p.Verdicts, v) || slices.Contains(p.Include, v)
}

// judgesWhen says that the user takes it upon himself whether a when expression holds.
func (p Policy) judgesWhen() bool {
	return !p.automatic() && slices.Contains(p.Include, auditor.Unknown)
}

func (p Policy) catchUp(settings auditor.Settings) auditor.CatchUp {
	switch {
	case p.automatic() && settings.CatchUp != "":
		return settings.CatchUp
	case p.CatchUp != "":
		return p.CatchUp
	}
	return auditor.CatchUpAll
}

// concurrency is the concurrency policy that the recovered runs are subject to.
func (p Policy) concurrency(spec auditor.Spec) auditor.Policy {
	if p.Detached || spec.Policy == "" {
		return auditor.Allow
	}
	return spec.Policy
}

// oneAtATime says that each recovered run has to end before the next begins, and the oldest goes first.
func (p Policy) oneAtATime(spec auditor.Spec) bool {
	return !p.Detached && (spec.StopStrategy || p.concurrency(spec) != auditor.Allow)
}

// deadline is the starting deadline of a firing as an absolute time; zero when there is none.
func (p Policy) deadline(cw auditor.CronWorkflow, spec auditor.Spec, at time.Time) time.Time {
	if d := auditor.EffectiveDeadline(spec, cw.Settings, p.DefaultDeadline); d > 0 {
		return at.Add(d)
	}
	return time.Time{}
}

func (p Policy) grace(cw auditor.CronWorkflow, spec auditor.Spec) time.Duration {
	configured := p.Grace
	if cw.Settings.Grace > 0 {
		configured = cw.Settings.Grace
	}
	return auditor.EffectiveGrace(configured, auditor.EffectiveDeadline(spec, cw.Settings, p.DefaultDeadline))
}

// presentSpec is the spec in force: that of the last epoch. ok is false when none is known.
func presentSpec(cw auditor.CronWorkflow) (spec auditor.Spec, ok bool) {
	var last auditor.Epoch
	for _, e := range cw.Epochs {
		if !ok || e.From.After(last.From) {
			last, ok = e, true
		}
	}
	return last.Spec, ok
}
