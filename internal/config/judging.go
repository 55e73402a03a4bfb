package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"rollcall.dev/rollcall/auditor"
)

// envPrefix begins the names of all environment variables that are read: --late-after is ROLLCALL_LATE_AFTER.
const envPrefix = "ROLLCALL"

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
}

// LoadJudging reads the flags that AddJudging added, and the environment for those that were not given. The error names
// every setting that is wrong, by the flag or the variable that set it.
func LoadJudging(flags *pflag.FlagSet) (Judging, error) {
	s, err := newSettings(flags, Grace, LateAfter, ControllerTimezone, InstanceID, ArgoNamespace)
	if err != nil {
		return Judging{}, err
	}
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
	return j, s.err()
}

// settings reads values by the names of their flags and gathers what is wrong with them.
type settings struct {
	flags    *pflag.FlagSet
	values   *viper.Viper
	problems []error
}

func newSettings(flags *pflag.FlagSet, names ...string) (*settings, error) {
	s := &settings{flags: flags, values: viper.New()}
	for _, name := range names {
		flag := flags.Lookup(name)
		if flag == nil {
			return nil, fmt.Errorf("flag --%s is not defined", name)
		}
		if err := s.values.BindPFlag(name, flag); err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
		if err := s.values.BindEnv(name, variable(name)); err != nil {
			return nil, fmt.Errorf("%s: %w", variable(name), err)
		}
	}
	return s, nil
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (s *settings) text(name string) string { return s.values.GetString(name) }

func (s *settings) positive(name string) time.Duration {
	value := s.text(name)
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		s.wrong(name, "%q is not a duration such as 30s, 5m or 1h30m", value)
	case d <= 0:
		s.wrong(name, "%s is not more than 0", value)
	}
	return d
}

func (s *settings) zone(name string) *time.Location {
	value := s.text(name)
	zone, err := LoadZone(value)
	if err != nil {
		s.wrong(name, "%w", err)
	}
	return zone
}

// LoadZone reads the name of a timezone. Unlike time.LoadLocation it takes neither the empty name nor "Local", which mean
// another zone on every machine.
func LoadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not the name of a timezone such as UTC or Europe/Berlin", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a timezone of the IANA database (such as UTC or Europe/Berlin)", name)
	}
	return zone, nil
}

// wrong notes a problem under the name that the user knows the setting by.
func (s *settings) wrong(name, problem string, args ...any) {
	who := "--" + name
	if flag := s.flags.Lookup(name); !flag.Changed {
		who = variable(name)
	}
	s.problems = append(s.problems, fmt.Errorf(who+": "+problem, args...))
}

func (s *settings) err() error { return errors.Join(s.problems...) }
