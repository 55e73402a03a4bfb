package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// testEnvironment is one without terminal, locale or settings.
func testEnvironment() (env environment, out, errOut *bytes.Buffer) {
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	return environment{
		IOStreams: streams,
		now:       func() time.Time { return time.Date(2026, 11, 23, 4, 45, 0, 0, time.UTC) },
		getenv:    func(string) string { return "" },
		terminal:  func(any) bool { return false },
	}, out, errOut
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		walk(sub, visit)
	}
}

func TestEveryCommandSaysWhatItDoesWithAnExample(t *testing.T) {
	env, _, _ := testEnvironment()
	walk(newRoot(env), func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s lacks one of Short, Long and Example", cmd.CommandPath())
		}
		if strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("the Short of %s ends with a full stop", cmd.CommandPath())
		}
	})
}

func TestEveryExampleOfACommandIsOneOfRollcall(t *testing.T) {
	env, _, _ := testEnvironment()
	walk(newRoot(env), func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "--") {
				continue
			}
			if !strings.Contains(line, "rollcall ") && !strings.HasPrefix(line, "kubectl ") {
				t.Errorf("%s: example %q", cmd.CommandPath(), line)
			}
		}
	})
}

func TestEveryFlagSaysWhatItIsFor(t *testing.T) {
	env, _, _ := testEnvironment()
	walk(newRoot(env), func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no usage", cmd.CommandPath(), f.Name)
			}
		})
	})
}

// The flags that users script against.
func TestTheFlagsOfEachCommandAreThoseOfTheDesign(t *testing.T) {
	judging := []string{"grace", "late-after", "controller-timezone", "instance-id", "argo-namespace"}
	connection := []string{"kubeconfig", "context", "namespace", "as", "as-group", "server", "token", "request-timeout"}
	for name, want := range map[string][]string{
		"audit":    append(append([]string{"all-namespaces", "since", "from", "to", "filename", "now", "backfill", "dry-run", "yes", "limit", "output"}, judging...), connection...),
		"backfill": append(append([]string{"from", "to", "at", "dry-run", "max-parallel", "order", "include", "ignore-deadline", "detached", "yes", "output"}, judging...), connection...),
		"controller": append([]string{"config", "backfill", "max-parallel", "max-catch-up", "catch-up", "default-deadline", "leader-elect", "leader-elect-namespace", "leader-elect-name",
			"metrics-address", "http-address", "alertmanager-url", "log-level", "log-format", "identity", "kubeconfig", "context", "namespace", "as", "server", "token"}, judging...),
		"explain":  append(append([]string{"at", "filename", "now", "output"}, judging...), connection...),
		"schedule": {"timezone", "from", "to", "limit", "output"},
		"version":  {"output"},
	} {
		t.Run(name, func(t *testing.T) {
			env, _, _ := testEnvironment()
			cmd, _, err := newRoot(env).Find([]string{name})
			if err != nil {
				t.Fatal(err)
			}
			for _, flag := range want {
				if cmd.Flags().Lookup(flag) == nil {
					t.Errorf("no --%s", flag)
				}
			}
		})
	}
}

func TestParseSince(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour, "0d30s": 30 * time.Second,
	} {
		got, err := parseSince("--since", value)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v", value, got, err)
		}
	}
	for _, value := range []string{"", "d", "-1h", "0s", "1w", "1dd", "99999999999999999999d", "36501d", "1d-48h"} {
		if got, err := parseSince("--since", value); err == nil || !strings.HasPrefix(err.Error(), "--since: ") {
			t.Errorf("%q: got %s, %v", value, got, err)
		}
	}
}

func TestStatusesTogether(t *testing.T) {
	for name, c := range map[string]struct{ a, b, want status }{
		"nothing wrong":                        {statusDone, statusDone, statusDone},
		"something lost":                       {statusDone, statusLost, statusLost},
		"what failed goes before what is lost": {statusLost, statusFailed, statusFailed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.a.and(c.b); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
			if got := c.b.and(c.a); got != c.want {
				t.Errorf("the other way round: got %d, want %d", got, c.want)
			}
		})
	}
}

func TestLocaleDecidesOnUTF8(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want bool
	}{
		"none set":              {nil, false},
		"the usual":             {map[string]string{"LANG": "en_GB.UTF-8"}, true},
		"macOS":                 {map[string]string{"LC_CTYPE": "UTF-8"}, true},
		"LC_ALL beats LANG":     {map[string]string{"LANG": "en_GB.UTF-8", "LC_ALL": "C"}, false},
		"another character set": {map[string]string{"LANG": "de_DE.ISO-8859-1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := takesUTF8(func(v string) string { return c.env[v] }); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
