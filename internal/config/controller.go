package config

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"rollcall.dev/rollcall/auditor"
)

const (
	// minDeadline is the shortest starting deadline that firings are recovered in.
	minDeadline = 20 * time.Second
	// maxIdentity is how many characters events.k8s.io takes for who reports.
	maxIdentity = 128
)

// Controller are the settings of the add-on.
type Controller struct {
	Judging
	// Backfill is what to do about missed firings.
	Backfill auditor.Backfill
	// MaxParallel is how many recovered runs of one CronWorkflow may be unfinished at once; 1 to 1000.
	MaxParallel int
	// MaxCatchUp is how many missed firings of one CronWorkflow are recovered; 1 to auditor.MaxOpen.
	MaxCatchUp int
	// CatchUp is which of several missed firings are worth recovering.
	CatchUp auditor.CatchUp
	// DefaultDeadline stands in for the starting deadline of CronWorkflows that have none; 0 for none, else at least 20 s.
	DefaultDeadline time.Duration
	// Namespaces are those that are watched, sorted; empty for all.
	Namespaces []string
	// LeaderElect says whether to act only while holding the Lease LeaderElectName, in LeaderElectNamespace or, where that is
	// empty, in the namespace of the pod or the kubeconfig.
	LeaderElect                           bool
	LeaderElectNamespace, LeaderElectName string
	// MetricsAddress and HTTPAddress are host:port; empty for not at all.
	MetricsAddress, HTTPAddress string
	// AlertmanagerURL is an http or https URL; nil for no Alertmanager.
	AlertmanagerURL *url.URL
	LogLevel        slog.Level
	// LogFormat is LogJSON or LogText.
	LogFormat string
	// Identity is the name of this process among its replicas; not empty.
	Identity string
	// File is the file that settings were read from, and Data what was in it; empty for none.
	File string
	Data []byte
}

// AuditOptions are the auditor's options of these settings.
func (c Controller) AuditOptions() auditor.Options {
	options := c.Judging.AuditOptions()
	options.DefaultDeadline, options.CatchUp = c.DefaultDeadline, c.CatchUp
	return options
}

// controllerKeys are the settings that a file may have.
func controllerKeys() []string {
	keys := []string{Grace, LateAfter, ControllerTimezone, InstanceID, ArgoNamespace, Namespace}
	for _, s := range controllerSettings() {
		keys = append(keys, s.name)
	}
	return keys
}

// LoadController reads the flags that AddJudging and AddController added; for those that were not given the environment, for what
// is not set there the file. The error names every setting that is wrong by the flag, the variable or the key that set it,
// and all keys and ROLLCALL_* variables that nobody knows.
func LoadController(flags *pflag.FlagSet) (Controller, error) { return loadController(flags, readFile) }

func loadController(flags *pflag.FlagSet, read func(path string) ([]byte, error)) (Controller, error) {
	keys := controllerKeys()
	s, err := newSettings(flags, append(slices.Clone(keys), File)...)
	if err != nil {
		return Controller{}, err
	}
	c := Controller{File: s.text(File)}
	if c.File != "" {
		if c.Data, err = read(c.File); err != nil {
			s.wrong(File, "%w", err)
		} else {
			s.takeFile(c.File, c.Data, keys)
		}
	}
	s.problems = append(s.problems, unknownVariables(os.Environ(), append(slices.Clone(keys), File))...)
	s.controller(&c)
	return c, s.err()
}

func (s *settings) controller(c *Controller) {
	c.Judging = s.judging()
	if c.ArgoNamespace != "" {
		s.name(ArgoNamespace, c.ArgoNamespace, "namespace", validation.IsDNS1123Label)
	}
	s.name(InstanceID, c.InstanceID, "label's value", validation.IsValidLabelValue)

	c.Backfill = auditor.Backfill(s.oneOf(Backfill, backfills...))
	c.MaxParallel = s.number(MaxParallel, 1, mostParallel)
	c.MaxCatchUp = s.number(MaxCatchUp, 1, mostCatchUp)
	c.CatchUp = auditor.CatchUp(s.oneOf(CatchUp, catchUps...))
	if s.present(DefaultDeadline) {
		c.DefaultDeadline = s.positive(DefaultDeadline)
		if c.DefaultDeadline > 0 && c.DefaultDeadline < minDeadline {
			s.wrong(DefaultDeadline, "%s is less than %s: that is too short to recover anything in", c.DefaultDeadline, minDeadline)
		}
	}
	for _, namespace := range s.list(Namespace) {
		s.name(Namespace, namespace, "namespace", validation.IsDNS1123Label)
		c.Namespaces = append(c.Namespaces, namespace)
	}
	slices.Sort(c.Namespaces)
	c.Namespaces = slices.Compact(c.Namespaces)

	s.election(c)
	c.MetricsAddress, c.HTTPAddress = s.address(MetricsAddress), s.address(HTTPAddress)
	c.AlertmanagerURL = s.url(AlertmanagerURL)
	if level := s.oneOf(LogLevel, logLevels...); slices.Contains(logLevels, level) {
		_ = c.LogLevel.UnmarshalText([]byte(level)) // it knows all of these
	}
	c.LogFormat = s.oneOf(LogFormat, logFormats...)
	c.Identity = s.identity()
}

func (s *settings) election(c *Controller) {
	c.LeaderElect = s.truth(LeaderElect)
	c.LeaderElectNamespace = s.text(LeaderElectNamespace)
	if c.LeaderElectNamespace != "" {
		s.name(LeaderElectNamespace, c.LeaderElectNamespace, "namespace", validation.IsDNS1123Label)
	}
	c.LeaderElectName = s.text(LeaderElectName)
	switch {
	case c.LeaderElectName != "":
		s.name(LeaderElectName, c.LeaderElectName, "Lease", validation.IsDNS1123Subdomain)
	case c.InstanceID == "":
		c.LeaderElectName = leaseName
	default:
		c.LeaderElectName = leaseName + "-" + c.InstanceID
		if wrong := validation.IsDNS1123Subdomain(c.LeaderElectName); c.LeaderElect && len(wrong) > 0 {
			s.wrong(LeaderElectName, "the default, %s with this instanceID, cannot be the name of a Lease: give one", quote(c.LeaderElectName))
		}
	}
}

// present says whether there is a value that is not empty.
func (s *settings) present(name string) bool {
	value := s.values.Get(name)
	return value != nil && value != ""
}

// name checks the name of a Kubernetes object, or what is like one.
func (s *settings) name(setting, value, of string, check func(string) []string) {
	if wrong := check(value); len(wrong) > 0 {
		rule, _, _ := strings.Cut(wrong[0], " (e.g. ") // an example and a regular expression follow
		s.wrong(setting, "%s cannot be a %s: %s", quote(value), of, rule)
	}
}

func (s *settings) address(name string) string {
	value := s.text(name)
	if value == "" || value == "0" {
		return ""
	}
	_, port, err := net.SplitHostPort(value)
	if n, wrong := strconv.Atoi(port); err != nil || wrong != nil || n < 0 || n > 65535 {
		s.wrong(name, `%s is not an address such as :8080 or 127.0.0.1:8080, with a port up to 65535, nor 0 for none`, quote(value))
	}
	return value
}

// url does not repeat the value in what it says: there may be a password in it.
func (s *settings) url(name string) *url.URL {
	value := s.text(name)
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	var parse *url.Error
	switch {
	case errors.As(err, &parse):
		s.wrong(name, "is not a URL: %s", clip(parse.Err.Error()))
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		s.wrong(name, "is not an http or https URL such as http://alertmanager.monitoring:9093")
	case u.RawQuery != "" || u.Fragment != "":
		s.wrong(name, "must end with the path: without ? and #")
	}
	return u
}

func (s *settings) identity() string {
	identity := s.text(Identity)
	if identity == "" {
		hostname, err := os.Hostname()
		if err != nil {
			s.wrong(Identity, "the hostname, which is the default, cannot be read: %w", err)
		}
		return hostname
	}
	if len(identity) > maxIdentity {
		s.wrong(Identity, "has %d characters: use %d or less", len(identity), maxIdentity)
	}
	return identity
}
