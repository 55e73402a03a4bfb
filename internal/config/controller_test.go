package config

import (
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"rollcall.dev/rollcall/auditor"
)

// controllerFlags are the flags of the controller after these arguments, in a folder of its own and without any ROLLCALL_ variable.
func controllerFlags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "ROLLCALL_") {
			t.Setenv(name, "") // so that it is put back
			os.Unsetenv(name)
		}
	}
	t.Chdir(t.TempDir())
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddJudging(flags)
	AddController(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func defaults(t *testing.T) Controller {
	t.Helper()
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return Controller{
		Judging:  Judging{Grace: auditor.DefaultGrace, LateAfter: auditor.DefaultLateAfter, ControllerZone: time.UTC, ArgoNamespace: "argo"},
		Backfill: auditor.BackfillOn, MaxParallel: 10, MaxCatchUp: 100, CatchUp: auditor.CatchUpAll,
		LeaderElect: true, LeaderElectName: "rollcall", MetricsAddress: ":9090", HTTPAddress: ":8080",
		LogLevel: slog.LevelInfo, LogFormat: LogJSON, Identity: hostname,
	}
}

func TestLoadController(t *testing.T) {
	alertmanager, err := url.Parse("https://alerts.example.com/base")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		file string
		want func(*Controller)
	}{
		"nothing set gives the defaults": {},
		"flags are read": {
			args: []string{"--backfill=dry-run", "--max-parallel=3", "--max-catch-up=7", "--catch-up=latest", "--default-deadline=2h", "-n", "etl", "--namespace=b,a", "-n=etl",
				"--leader-elect=false", "--leader-elect-namespace=rollcall", "--leader-elect-name=other", "--metrics-address=", "--http-address=127.0.0.1:0",
				"--alertmanager-url=https://alerts.example.com/base", "--log-level=debug", "--log-format=text", "--identity=me", "--grace=1m"},
			want: func(c *Controller) {
				c.Grace, c.Backfill, c.MaxParallel, c.MaxCatchUp, c.CatchUp, c.DefaultDeadline = time.Minute, auditor.BackfillDryRun, 3, 7, auditor.CatchUpLatest, 2*time.Hour
				c.Namespaces, c.LeaderElect, c.LeaderElectNamespace, c.LeaderElectName = []string{"a", "b", "etl"}, false, "rollcall", "other"
				c.MetricsAddress, c.HTTPAddress, c.AlertmanagerURL, c.LogLevel, c.LogFormat, c.Identity = "", "127.0.0.1:0", alertmanager, slog.LevelDebug, LogText, "me"
			},
		},
		"so is the environment": {
			env: map[string]string{
				"ROLLCALL_BACKFILL": "off", "ROLLCALL_MAX_PARALLEL": "4", "ROLLCALL_NAMESPACE": "etl, batch", "ROLLCALL_LEADER_ELECT": "false", "ROLLCALL_HTTP_ADDRESS": ":80", "ROLLCALL_METRICS_ADDRESS": "0",
			},
			want: func(c *Controller) {
				c.Backfill, c.MaxParallel, c.Namespaces, c.LeaderElect, c.HTTPAddress, c.MetricsAddress = auditor.BackfillOff, 4, []string{"batch", "etl"}, false, ":80", ""
			},
		},
		"so is a file, and on is a text in it": {
			args: []string{"--config=rollcall.yaml"},
			file: "backfill: off\nmax-parallel: 4\nmax-catch-up: \"5\"\nnamespace: [etl, batch]\nleader-elect: false\nhttp-address: \"\"\ngrace: 45s\ncatch-up: # as it is\n",
			want: func(c *Controller) {
				c.Backfill, c.MaxParallel, c.MaxCatchUp, c.Namespaces, c.LeaderElect, c.HTTPAddress, c.Grace = auditor.BackfillOff, 4, 5, []string{"batch", "etl"}, false, "", 45*time.Second
			},
		},
		"a file may be JSON, tabs and all": {
			args: []string{"--config=rollcall.yaml"},
			file: "{\n\t\"backfill\": \"on\",\n\t\"max-parallel\": 4,\n\t\"namespace\": \"etl,batch\"\n}\n",
			want: func(c *Controller) { c.MaxParallel, c.Namespaces = 4, []string{"batch", "etl"} },
		},
		"a file of comments has no settings": {args: []string{"--config=rollcall.yaml"}, file: "# nothing\n"},
		"the environment may name the file": {
			env: map[string]string{"ROLLCALL_CONFIG": "rollcall.yaml"}, file: "max-parallel: 4\n",
			want: func(c *Controller) { c.MaxParallel = 4 },
		},
		"a flag beats a variable, and that the file, bad values and all": {
			args: []string{"--config=rollcall.yaml", "--max-parallel=1", "--backfill=on"},
			env:  map[string]string{"ROLLCALL_MAX_PARALLEL": "two", "ROLLCALL_MAX_CATCH_UP": "2"},
			file: "max-parallel: three\nmax-catch-up: []\nbackfill: maybe\n",
			want: func(c *Controller) { c.MaxParallel, c.MaxCatchUp = 1, 2 },
		},
		"a variable that is empty is not set": {env: map[string]string{"ROLLCALL_GRACE": "", "ROLLCALL_NAMESPACE": ""}},
		"with an instanceID there is a Lease of its own": {
			args: []string{"--instance-id=blue"},
			want: func(c *Controller) { c.InstanceID, c.LeaderElectName = "blue", "rollcall-blue" },
		},
		"without leader election its name does not matter": {
			args: []string{"--instance-id=Blue_1", "--leader-elect=false"},
			want: func(c *Controller) {
				c.InstanceID, c.LeaderElectName, c.LeaderElect = "Blue_1", "rollcall-Blue_1", false
			},
		},
		"what Kubernetes sets for Services is none of ours": {
			env: map[string]string{
				"ROLLCALL_PORT": "tcp://10.0.0.1:9090", "ROLLCALL_PORT_9090_TCP": "tcp://10.0.0.1:9090", "ROLLCALL_PORT_9090_TCP_ADDR": "10.0.0.1",
				"ROLLCALL_SERVICE_HOST": "10.0.0.1", "ROLLCALL_SERVICE_PORT": "9090", "ROLLCALL_SERVICE_PORT_HTTP": "8080",
				"ROLLCALL_METRICS_SERVICE_HOST": "10.0.0.2", "ROLLCALL_METRICS_PORT": "tcp://10.0.0.2:9090", "ROLLCALL_METRICS_SERVICE_PORT_HTTP_METRICS": "9090",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			flags := controllerFlags(t, c.args...)
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			if c.file != "" {
				write(t, "rollcall.yaml", c.file)
			}
			got, err := LoadController(flags)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults(t)
			if c.want != nil {
				c.want(&want)
			}
			if c.file != "" {
				want.File, want.Data = "rollcall.yaml", []byte(c.file)
			}
			zones := cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })
			if diff := cmp.Diff(want, got, zones, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestWhatIsWrongIsSaidByTheNameItWasSetBy(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		file string
		want []string
	}{
		"everything at once": {
			args: []string{"--config=rollcall.yaml", "--backfill=yes", "--max-parallel=0", "--metrics-address=9090"},
			env:  map[string]string{"ROLLCALL_MAX_CATCH_UP": "301", "ROLLCALL_GRACE": "soon", "ROLLCALL_MAX_PARALLE": "3", "ROLLCALL_METRICS_PORT": "9090"},
			file: "catch-up: some\nmaxParallel: 3\nfrobnicate: true\nlog-level: 3\nnamespace: [etl, 7, Etl_1]\n",
			want: []string{
				`rollcall.yaml: there is no setting "frobnicate"`,
				`rollcall.yaml: there is no setting "maxParallel": did you mean max-parallel?`,
				"ROLLCALL_MAX_PARALLE: there is no such setting: did you mean ROLLCALL_MAX_PARALLEL?",
				"ROLLCALL_METRICS_PORT: there is no such setting: did you mean ROLLCALL_METRICS_ADDRESS?",
				`ROLLCALL_GRACE: "soon" is not a duration such as 30s, 5m or 1h30m`,
				`--backfill: "yes" is none of on, dry-run, off`,
				"--max-parallel: 0 is not between 1 and 1000",
				"ROLLCALL_MAX_CATCH_UP: 301 is not between 1 and 300",
				`rollcall.yaml: catch-up: "some" is none of all, latest, none`,
				"rollcall.yaml: namespace: 7 is a number, and must be a text",
				`rollcall.yaml: namespace: "Etl_1" cannot be a namespace: a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character`,
				`--metrics-address: "9090" is not an address such as :8080 or 127.0.0.1:8080, with a port up to 65535, nor 0 for none`,
				"rollcall.yaml: log-level: 3 is read as a number: put it in quotes",
			},
		},
		"a file that is not there": {
			args: []string{"--config=missing.yaml", "--max-parallel=x"},
			want: []string{"--config: open missing.yaml: no such file or directory", `--max-parallel: "x" is not a whole number from 1 to 1000`},
		},
		"a file named by the environment that is not there": {
			env:  map[string]string{"ROLLCALL_CONFIG": "missing.yaml"},
			want: []string{"ROLLCALL_CONFIG: open missing.yaml: no such file or directory"},
		},
		"a key that stands there twice": {
			args: []string{"--config=rollcall.yaml"}, file: "grace: 1m\ngrace: 2m\n",
			want: []string{`rollcall.yaml: yaml: unmarshal errors: line 2: mapping key "grace" already defined at line 1`},
		},
		"also in JSON": {
			args: []string{"--config=rollcall.yaml"}, file: "{\t\"grace\": \"1m\", \"grace\": \"2m\"}",
			want: []string{`rollcall.yaml: yaml: unmarshal errors: line 1: mapping key "grace" already defined at line 1`},
		},
		"a file with two documents": {
			args: []string{"--config=rollcall.yaml"}, file: "grace: 1m\n---\ngrace: 2m\n",
			want: []string{"rollcall.yaml: has more than one document: put all settings into one"},
		},
		"a value of any length, and a list of any size": {
			args: []string{"--config=rollcall.yaml"}, file: "grace: " + strings.Repeat("x", 500) + "\nnamespace: [[a, b], null, 2026-11-23]\n",
			want: []string{
				`rollcall.yaml: grace: "` + strings.Repeat("x", 200) + `…" is not a duration such as 30s, 5m or 1h30m`,
				"rollcall.yaml: namespace: one of them is a list, and must be a text",
				"rollcall.yaml: namespace: one of them is a null, and must be a text",
				"rollcall.yaml: namespace: 2026-11-23 00:00:00 +0000 UTC is a date, and must be a text",
			},
		},
		"a number that is none, and a deadline too short": {
			args: []string{"--config=rollcall.yaml"}, file: "max-parallel: 1.5\nmax-catch-up: [1]\ndefault-deadline: 10s\nleader-elect: perhaps\ngrace: {a: b}\n",
			want: []string{
				"rollcall.yaml: grace: is a mapping, and must be a text",
				"rollcall.yaml: max-parallel: 1.5 is not a whole number from 1 to 1000",
				"rollcall.yaml: max-catch-up: a list is not a whole number from 1 to 300",
				"rollcall.yaml: default-deadline: 10s is less than 20s: that is too short to recover anything in",
				`rollcall.yaml: leader-elect: "perhaps" is neither true nor false`,
			},
		},
		"a URL, whose password is not repeated": {
			args: []string{"--alertmanager-url=http://user:secret@host:port"},
			want: []string{`--alertmanager-url: is not a URL: invalid port ":port" after host`},
		},
		"a URL without a scheme": {
			args: []string{"--alertmanager-url=alertmanager:9093"},
			want: []string{"--alertmanager-url: is not an http or https URL such as http://alertmanager.monitoring:9093"},
		},
		"an instanceID of which no Lease can be named": {
			args: []string{"--instance-id=Blue_1"},
			want: []string{`--leader-elect-name: the default, "rollcall-Blue_1" with this instanceID, cannot be the name of a Lease: give one`},
		},
		"an empty name among several": {
			env:  map[string]string{"ROLLCALL_NAMESPACE": "etl,,batch"},
			want: []string{`ROLLCALL_NAMESPACE: "" cannot be a namespace: a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character`},
		},
		"an identity that is too long": {
			args: []string{"--identity=" + strings.Repeat("x", 129)},
			want: []string{"--identity: has 129 characters: use 128 or less"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			flags := controllerFlags(t, c.args...)
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			if c.file != "" {
				write(t, "rollcall.yaml", c.file)
			}
			_, err := LoadController(flags)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestAFileThatIsTooLargeIsNotRead(t *testing.T) {
	flags := controllerFlags(t, "--config=large.yaml")
	write(t, "large.yaml", strings.Repeat("#", maxFile+1))
	if _, err := LoadController(flags); err == nil || err.Error() != "--config: large.yaml is larger than 1048576 bytes" {
		t.Error(err)
	}
}

func TestEverySettingCanBeComparedAndIsAFlag(t *testing.T) {
	flags, values := controllerFlags(t), Controller{}.values()
	for _, key := range controllerKeys() {
		if _, ok := values[key]; !ok {
			t.Errorf("%s cannot be compared", key)
		}
		if flags.Lookup(key) == nil {
			t.Errorf("%s is no flag", key)
		}
	}
	if len(values) != len(controllerKeys()) {
		t.Errorf("%d values of %d settings", len(values), len(controllerKeys()))
	}
}
