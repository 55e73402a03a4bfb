package schedule

import (
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is the parsed expressions of one CronWorkflow: it fires when any of
// them does. It is an immutable value, safe for concurrent use. The zero value
// has no expressions and never fires.
type Schedule struct {
	specs []spec
}

// Expression is one expression as Parse understood it.
type Expression struct {
	// Text is the expression as written.
	Text string
	// Location is the zone it is evaluated in. It means nothing for @every.
	Location *time.Location
	// Period is the time between runs of an @every expression, in whole seconds
	// and at least one (robfig rounds 1.5 s down and 1 ms up); 0 for all others.
	Period time.Duration
}

// spec is one parsed expression.
type spec struct {
	Expression
	cron *cron.SpecSchedule // nil for @every
}

// fires says whether the expression can contribute firings at all. robfig takes
// a field of nothing but commas for an empty set of values, then searches five
// years minute by minute for a match.
func (s *spec) fires() bool {
	return s.cron != nil &&
		s.cron.Minute&minuteMask != 0 && s.cron.Hour&hourMask != 0 &&
		s.cron.Dom&domMask|s.cron.Dow&dowMask != 0 && s.cron.Month&monthMask != 0
}

// Masks of the bits that stand for values; robfig sets bit 63 for a star.
const (
	minuteMask = 1<<60 - 1
	hourMask   = 1<<24 - 1
	domMask    = 1<<32 - 1<<1
	monthMask  = 1<<13 - 1<<1
	dowMask    = 1<<7 - 1
	starBit    = 1 << 63
)

// everyDay says whether no date is left out.
func (s *spec) everyDay() bool {
	return s.cron.Dom&domMask == domMask && s.cron.Dow&dowMask == dowMask && s.cron.Month&monthMask == monthMask
}

// everyHour says whether the expression names no particular hours.
func (s *spec) everyHour() bool { return s.cron.Hour&hourMask == hourMask }

// Expressions returns the expressions in the order given to Parse.
func (s Schedule) Expressions() []Expression {
	out := make([]Expression, len(s.specs))
	for i, sp := range s.specs {
		out[i] = sp.Expression
	}
	return out
}

// Or returns a schedule that fires when s or other does.
func (s Schedule) Or(other Schedule) Schedule {
	return Schedule{specs: slices.Concat(s.specs, other.specs)}
}

// Every returns the periods of the @every expressions, in the order given to
// Parse. These contribute no firings: Argo restarts their timer at every event
// on the CronWorkflow, so no second can be called due.
func (s Schedule) Every() []time.Duration {
	var out []time.Duration
	for _, sp := range s.specs {
		if sp.Period > 0 {
			out = append(out, sp.Period)
		}
	}
	return out
}

// String lists the expressions with their zones, for messages.
func (s Schedule) String() string {
	parts := make([]string, len(s.specs))
	for i, sp := range s.specs {
		parts[i] = sp.Text
		if sp.cron != nil {
			parts[i] += " (" + sp.Location.String() + ")"
		}
	}
	return strings.Join(parts, ", ")
}
