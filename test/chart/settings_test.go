package chart

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	core "k8s.io/api/core/v1"

	"rollcall.dev/rollcall/internal/config"
)

func controllerFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	config.AddJudging(flags)
	config.AddController(flags)
	return flags
}

// settings is the file of settings that the chart renders.
func settings(t *testing.T, args ...string) string {
	t.Helper()
	for _, m := range ofKind[core.ConfigMap](t, rendered(t, args...), "ConfigMap") {
		if file, ok := m.Data["rollcall.yaml"]; ok {
			return file
		}
	}
	t.Fatal("there is no ConfigMap with rollcall.yaml")
	return ""
}

// load has the controller read a file of settings, and nothing else.
func load(t *testing.T, file string) (config.Controller, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rollcall.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := controllerFlags()
	if err := flags.Set(config.File, path); err != nil {
		t.Fatal(err)
	}
	return config.LoadController(flags)
}

func diff(want, got config.Controller) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }))
}

// property is what the schema says of a value.
type property struct {
	Ref        string `json:"$ref"`
	Type       any
	Enum       []string
	Pattern    string
	MaxLength  int
	Minimum    *int
	Maximum    *int
	Properties map[string]property
	Items      *property
}

// valuesSchema is the chart's, and what it refers to.
func valuesSchema(t *testing.T) (values, defs map[string]property) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(chart, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		property
		Defs map[string]property `json:"$defs"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Properties, file.Defs
}

// settingsSchema is that of the settings, with what is referred to in its place.
func settingsSchema(t *testing.T) map[string]property {
	t.Helper()
	values, defs := valuesSchema(t)
	all := values["config"].Properties
	for name, p := range all {
		if p.Ref != "" {
			all[name] = defs[strings.TrimPrefix(p.Ref, "#/$defs/")]
		}
	}
	return all
}

func TestEverySettingOfTheControllerIsAValueWithTheSameBounds(t *testing.T) {
	properties := settingsSchema(t)
	var names []string
	between := regexp.MustCompile(`^(\d+) to (\d+)$`)
	atMost := regexp.MustCompile(`^at most (\d+) characters$`)
	controllerFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name == config.File {
			return // the chart's own
		}
		names = append(names, f.Name)
		p, ok := properties[f.Name]
		if !ok {
			return
		}
		bounds := strings.Join(f.Annotations[config.Bounds], "")
		wantType := "string"
		switch {
		case f.Value.Type() == "bool":
			wantType = "boolean"
		case f.Value.Type() == "stringSlice":
			wantType = "array"
		case between.MatchString(bounds):
			wantType = "integer"
			m := between.FindStringSubmatch(bounds)
			if p.Minimum == nil || p.Maximum == nil || strconv.Itoa(*p.Minimum) != m[1] || strconv.Itoa(*p.Maximum) != m[2] {
				t.Errorf("config.%s: the schema has other bounds than %s", f.Name, bounds)
			}
		case atMost.MatchString(bounds):
			if got := strconv.Itoa(p.MaxLength); got != atMost.FindStringSubmatch(bounds)[1] {
				t.Errorf("config.%s: the schema takes %s characters, the controller %s", f.Name, got, bounds)
			}
		}
		if p.Type != wantType {
			t.Errorf("config.%s: the schema has type %v, want %s", f.Name, p.Type, wantType)
		}
		if diff := cmp.Diff(config.Choices()[f.Name], p.Enum); diff != "" {
			t.Errorf("config.%s: -the controller's values +the schema's\n%s", f.Name, diff)
		}
	})
	slices.Sort(names)
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(properties))); diff != "" {
		t.Errorf("-settings of the controller +of the schema\n%s", diff)
	}
}

func TestASettingReachesTheController(t *testing.T) {
	for name, c := range map[string]struct {
		set  string // as for --set
		want func(*config.Controller)
	}{
		"a number":                             {"config.max-parallel=3", func(c *config.Controller) { c.MaxParallel = 3 }},
		"a large one":                          {"config.max-parallel=1000", func(c *config.Controller) { c.MaxParallel = 1000 }},
		"a word that YAML takes for a boolean": {"config.backfill=off", func(c *config.Controller) { c.Backfill = "off" }},
		"a duration":                           {"config.default-deadline=1h30m", func(c *config.Controller) { c.DefaultDeadline = 90 * time.Minute }},
		"a list":                               {"config.namespace={etl,batch}", func(c *config.Controller) { c.Namespaces = []string{"batch", "etl"} }},
		"no metrics":                           {"config.metrics-address=0", func(c *config.Controller) { c.MetricsAddress = "" }},
		"a Lease":                              {"config.leader-elect-namespace=argo", func(c *config.Controller) { c.LeaderElectNamespace = "argo" }},
	} {
		t.Run(name, func(t *testing.T) {
			set := "--set"
			if strings.HasSuffix(c.set, "address=0") {
				set = "--set-string"
			}
			got, err := load(t, settings(t, set, c.set))
			if err != nil {
				t.Fatal(err)
			}
			want, err := load(t, settings(t))
			if err != nil {
				t.Fatal(err)
			}
			c.want(&want)
			got.File, got.Data, want.File, want.Data = "", nil, "", nil
			if diff := diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
