package witness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// A firing is one scheduled time of a CronWorkflow.
type firing struct {
	at   time.Time
	spec *Spec
	// settled says that the spec had been the same for a while then, and stayed so for a while: nothing is in doubt.
	settled bool
}

// mostFirings bounds what one CronWorkflow may have in an exam, so that a wrong fact ends it and does not hang it.
const mostFirings = 2_000_000

// expressions parses the schedules of a spec. Those of "@every" are left out: Argo starts their timer anew at every event, so that
// they are due at no certain time.
func expressions(s *Spec) ([]cron.Schedule, error) {
	zone := s.Timezone
	if zone == "" {
		zone = "UTC"
	}
	var all []cron.Schedule
	for _, expression := range s.Schedules {
		if strings.TrimSpace(expression) == "" {
			return nil, fmt.Errorf("a schedule is empty")
		}
		parsed, err := cron.ParseStandard("CRON_TZ=" + zone + " " + expression)
		if err != nil {
			return nil, fmt.Errorf("schedule %q: %w", expression, err)
		}
		if _, every := parsed.(cron.ConstantDelaySchedule); !every {
			all = append(all, parsed)
		}
	}
	return all, nil
}

// firingsBetween are the times of (from, to] that the schedules name, ascending and each once.
func firingsBetween(schedules []cron.Schedule, from, to time.Time) []time.Time {
	var all []time.Time
	for _, s := range schedules {
		for t := s.Next(from); !t.IsZero() && !t.After(to) && len(all) < mostFirings; t = s.Next(t) {
			all = append(all, t.UTC())
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// nextFiring is the first time after t; zero where there is none.
func nextFiring(schedules []cron.Schedule, t time.Time) (next time.Time) {
	for _, s := range schedules {
		if n := s.Next(t).UTC(); !n.IsZero() && (next.IsZero() || n.Before(next)) {
			next = n
		}
	}
	return next
}
