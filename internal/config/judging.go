package config

import (
	"time"

	"github.com/spf13/pflag"

	"rollcall.dev/rollcall/auditor"
)

// Names of the flags that every command which judges takes.
const (
	Grace              = "grace"
	LateAfter          = "late-after"
	ControllerTimezone = "controller-timezone"
	InstanceID         = "instance-id"
	ArgoNamespace      = "argo-namespace"
)

// Judging is what an audit judges by.
type Judging struct {
	// Grace is how long after the scheduled time a firing is Pending; positive.
	Grace time.Duration
	// LateAfter is how long after the scheduled time a run may be created and still be OnTime; positive.
	LateAfter time.Duration
	// ControllerZone is the local zone of Argo's controller.
	ControllerZone *time.Location
	// InstanceID is the Argo installation that is looked at; empty for the default one.
	InstanceID string
	// ArgoNamespace is where Argo's controller keeps its lease and settings; not empty.
	ArgoNamespace string
}

// AuditOptions are the auditor's options of these settings.
func (j Judging) AuditOptions() auditor.Options {
	return auditor.Options{Grace: j.Grace, LateAfter: j.LateAfter, ControllerZone: j.ControllerZone}
}

// AddJudging adds the flags of Judging. Durations are read as text, so that LoadJudging can report all that is wrong at once.
func AddJudging(flags *pflag.FlagSet) {
	flags.String(Grace, auditor.DefaultGrace.String(), "How long after its scheduled time a firing may still be Pending; at most half its starting deadline counts, at least 10s")
	flags.String(LateAfter, auditor.DefaultLateAfter.String(), "A run created later than this after its scheduled time is Late")
	flags.String(ControllerTimezone, "UTC", "Local timezone of Argo's controller, in which schedules without a timezone are read")
	flags.String(InstanceID, "", "instanceID of the Argo installation to look at (default: the one without)")
	flags.String(ArgoNamespace, "argo", "Namespace in which Argo's controller keeps its lease and its settings")
	annotate(flags, Grace, "more than 0")
	annotate(flags, LateAfter, "more than 0")
	annotate(flags, ControllerTimezone, "a name of the IANA database")
	annotate(flags, InstanceID, "a label's value")
	annotate(flags, ArgoNamespace, "the name of a namespace")
}

// LoadJudging reads the flags that AddJudging added, and the environment for those that were not given. The error names
// every setting that is wrong, by the flag or the variable that set it.
func LoadJudging(flags *pflag.FlagSet) (Judging, error) {
	s, err := newSettings(flags, Grace, LateAfter, ControllerTimezone, InstanceID, ArgoNamespace)
	if err != nil {
		return Judging{}, err
	}
	j := s.judging()
	return j, s.err()
}

func (s *settings) judging() Judging {
	j := Judging{
		Grace:          s.positive(Grace),
		LateAfter:      s.positive(LateAfter),
		ControllerZone: s.zone(ControllerTimezone),
		InstanceID:     s.text(InstanceID),
		ArgoNamespace:  s.text(ArgoNamespace),
	}
	if j.ArgoNamespace == "" {
		s.wrong(ArgoNamespace, "must not be empty")
	}
	return j
}
