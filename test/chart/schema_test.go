package chart

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	core "k8s.io/api/core/v1"
)

// fields are the names that a type of the Kubernetes API has in YAML, sorted.
func fields(of reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestTheSchemaKnowsTheFieldsOfTheKubernetesAPI(t *testing.T) {
	values, _ := valuesSchema(t)
	for value, c := range map[string]struct {
		api    reflect.Type
		schema map[string]property
	}{
		"podSecurityContext":        {reflect.TypeFor[core.PodSecurityContext](), values["podSecurityContext"].Properties},
		"securityContext":           {reflect.TypeFor[core.SecurityContext](), values["securityContext"].Properties},
		"extraVolumes":              {reflect.TypeFor[core.Volume](), values["extraVolumes"].Items.Properties},
		"extraVolumeMounts":         {reflect.TypeFor[core.VolumeMount](), values["extraVolumeMounts"].Items.Properties},
		"extraEnv":                  {reflect.TypeFor[core.EnvVar](), values["extraEnv"].Items.Properties},
		"extraEnvFrom":              {reflect.TypeFor[core.EnvFromSource](), values["extraEnvFrom"].Items.Properties},
		"tolerations":               {reflect.TypeFor[core.Toleration](), values["tolerations"].Items.Properties},
		"topologySpreadConstraints": {reflect.TypeFor[core.TopologySpreadConstraint](), values["topologySpreadConstraints"].Items.Properties},
		"affinity":                  {reflect.TypeFor[core.Affinity](), values["affinity"].Properties},
		"resources":                 {reflect.TypeFor[core.ResourceRequirements](), values["resources"].Properties},
	} {
		if diff := cmp.Diff(fields(c.api), slices.Sorted(maps.Keys(c.schema))); diff != "" {
			t.Errorf("%s: -the API +the schema\n%s", value, diff)
		}
	}
}

// TestNoLabelOfTheAlertsCanBeReplaced: each alert has its own severity, and by the others it is known.
func TestNoLabelOfTheAlertsCanBeReplaced(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join(chart, "files", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	labels := []string{"alertname", "severity"}
	for _, by := range regexp.MustCompile(`\b(?:by|on) \(([a-z, ]+)\)`).FindAllStringSubmatch(string(rules), -1) {
		labels = append(labels, strings.Split(by[1], ", ")...)
	}
	slices.Sort(labels)
	if labels = slices.Compact(labels); len(labels) < 4 {
		t.Fatalf("of the rules, only %v are read", labels)
	}
	for _, label := range labels {
		if _, err := template(t, "--set", "rules.labels."+label+"=x"); err == nil || !strings.Contains(err.Error(), "at '/rules/labels/"+label+"'") {
			t.Errorf("rules.labels.%s: %v", label, err)
		}
	}
	if _, err := template(t, "--set", "rules.labels.team=x"); err != nil {
		t.Error(err)
	}
}

func TestTheSchemaTakesWhatTheAPITakesForAQuantity(t *testing.T) {
	for _, quantity := range []string{"256Mi", "1.5Gi", "1e9", "1E9", ".5G", "100m", "5.", "128974848"} {
		if _, err := template(t, "--set-string", "resources.limits.memory="+quantity); err != nil {
			t.Errorf("%s: %v", quantity, err)
		}
	}
}
