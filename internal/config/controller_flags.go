package config

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"rollcall.dev/rollcall/auditor"
)

// Names of the flags of the controller, beside those of Judging. They are also the keys of its file.
const (
	File                 = "config"
	Backfill             = "backfill"
	MaxParallel          = "max-parallel"
	MaxCatchUp           = "max-catch-up"
	CatchUp              = "catch-up"
	DefaultDeadline      = "default-deadline"
	Namespace            = "namespace"
	LeaderElect          = "leader-elect"
	LeaderElectNamespace = "leader-elect-namespace"
	LeaderElectName      = "leader-elect-name"
	MetricsAddress       = "metrics-address"
	HTTPAddress          = "http-address"
	AlertmanagerURL      = "alertmanager-url"
	LogLevel             = "log-level"
	LogFormat            = "log-format"
	Identity             = "identity"
)

// Bounds is the annotation of a flag that says which values are accepted.
const Bounds = "rollcall_bounds"

// The most that a user may ask for: more recovered runs at once than any cluster of runs that were missed makes sense for, and
// as many missed firings as are kept (auditor.MaxOpen).
const (
	mostParallel = 1000
	mostCatchUp  = auditor.MaxOpen
)

var (
	backfills  = []string{string(auditor.BackfillOn), string(auditor.BackfillDryRun), string(auditor.BackfillOff)}
	catchUps   = []string{string(auditor.CatchUpAll), string(auditor.CatchUpLatest), string(auditor.CatchUpNone)}
	logLevels  = []string{"debug", "info", "warn", "error"}
	logFormats = []string{LogJSON, LogText}
)

// Formats of the log.
const (
	LogJSON = "json"
	LogText = "text"
)

const leaseName = "rollcall"

// setting is one setting of the controller.
type setting struct {
	name string
	// kind is what stands for the value in --help.
	kind    string
	value   string
	bounds  string
	meaning string
}

func controllerSettings() []setting {
	const namespace = "the name of a namespace"
	name := "a DNS name (RFC 1123 subdomain)"
	address := "host:port, :port, or 0 for none"
	return []setting{
		{Backfill, strings.Join(backfills, "|"), backfills[0], "", "What to do about missed firings: recover them, only say what would be recovered, or nothing"},
		{MaxParallel, "number", "10", fmt.Sprintf("1 to %d", mostParallel), "Most recovered runs of one CronWorkflow that may be unfinished at once (concurrencyPolicy Allow)"},
		{MaxCatchUp, "number", "100", fmt.Sprintf("1 to %d", mostCatchUp), "Recover at most this many missed firings of one CronWorkflow, the newest"},
		{CatchUp, strings.Join(catchUps, "|"), catchUps[0], "", "Which of several missed firings are worth recovering"},
		{DefaultDeadline, "duration", "", "at least " + minDeadline.String(), "Starting deadline for recoveries of CronWorkflows that have none (default: those are not recovered)"},
		{LeaderElect, "bool", "true", "", "Act only as long as a Lease is held, so that several replicas can run"},
		{LeaderElectNamespace, "string", "", namespace, "Namespace of that Lease (default: the pod's, else the kubeconfig's)"},
		{LeaderElectName, "string", "", name, fmt.Sprintf("Name of that Lease (default: %s, with an instanceID %s-<instance-id>)", leaseName, leaseName)},
		{MetricsAddress, "address", ":9090", address, "Where to serve /metrics"},
		{HTTPAddress, "address", ":8080", address, "Where to serve the page, /healthz and /readyz"},
		{AlertmanagerURL, "url", "", "an http or https URL", "Post what was lost or is blocked to this Alertmanager (default: nowhere)"},
		{LogLevel, strings.Join(logLevels, "|"), "info", "", "Least severe messages to log"},
		{LogFormat, strings.Join(logFormats, "|"), LogJSON, "", "Format of the log, which goes to stderr"},
		{Identity, "string", "", fmt.Sprintf("at most %d characters", maxIdentity), "Name of this process among the replicas (default: the hostname, which is the pod's name)"},
	}
}

// AddController adds the flags of Controller, but for those of Judging, which AddJudging adds. Values are read as text, so that
// LoadController can report all that is wrong at once.
func AddController(flags *pflag.FlagSet) {
	flags.String(File, "", "File with settings: a mapping of these names (without --) to values, in YAML or JSON; a flag or variable beats it")
	flags.StringSliceP(Namespace, "n", nil, "Watch only this namespace; may be repeated, or name several with commas (default: all)")
	annotate(flags, Namespace, "names of namespaces")
	annotate(flags, File, "a path")
	for _, s := range controllerSettings() {
		usage := s.meaning
		if s.bounds != "" {
			usage += "; " + s.bounds
		}
		flag := flags.VarPF(&text{s.value, s.kind}, s.name, "", usage)
		if s.kind == "bool" {
			flag.NoOptDefVal, s.bounds = "true", "true, false"
		}
		if s.bounds == "" && strings.Contains(s.kind, "|") {
			s.bounds = strings.ReplaceAll(s.kind, "|", ", ")
		}
		annotate(flags, s.name, s.bounds)
	}
}

// Choices are the values of the settings that have only a few.
func Choices() map[string][]string {
	return map[string][]string{Backfill: backfills, CatchUp: catchUps, LogLevel: logLevels, LogFormat: logFormats}
}

func annotate(flags *pflag.FlagSet, name, bounds string) {
	if bounds == "" {
		return
	}
	flag := flags.Lookup(name)
	if flag.Annotations == nil {
		flag.Annotations = map[string][]string{}
	}
	flag.Annotations[Bounds] = []string{bounds}
}

// text is the value of a flag that is not looked at before all are.
type text struct{ value, kind string }

func (t *text) String() string     { return t.value }
func (t *text) Type() string       { return t.kind }
func (t *text) Set(s string) error { t.value = s; return nil }
