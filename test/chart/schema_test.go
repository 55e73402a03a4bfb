package chart

import (
	"maps"
	"reflect"
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

func TestTheSchemaTakesWhatTheAPITakesForAQuantity(t *testing.T) {
	for _, quantity := range []string{"256Mi", "1.5Gi", "1e9", "1E9", ".5G", "100m", "5.", "128974848"} {
		if _, err := template(t, "--set-string", "resources.limits.memory="+quantity); err != nil {
			t.Errorf("%s: %v", quantity, err)
		}
	}
}
