package alert

import (
	"maps"
	"os"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"
)

// by is what a rule aggregates by, and so the labels that its alerts have besides its own.
var by = regexp.MustCompile(`\bby \(([^)]*)\)`)

func TestTheRulesOfPrometheusRaiseTheSameAlerts(t *testing.T) {
	text, err := os.ReadFile("../../charts/rollcall/files/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{RunLost, BackfillBlocked} {
		found := false
		for _, group := range file.Groups {
			for _, r := range group.Rules {
				if r.Alert != name {
					continue
				}
				found = true
				ours := Alert{Name: name}
				labels := map[string]string{"alertname": name, "namespace": tick.Namespace, "cronworkflow": tick.Name}
				maps.Copy(labels, r.Labels)
				same(t, labels, ours.labels(tick))
				same(t, r.Annotations["runbook_url"], ours.annotations()["runbook_url"])
				for _, in := range by.FindAllStringSubmatch(r.Expr, -1) {
					same(t, "namespace, cronworkflow", in[1])
				}
				if !by.MatchString(r.Expr) {
					t.Errorf("%s has the labels of whatever is scraped", name)
				}
				for _, what := range []string{"summary", "description"} {
					if r.Annotations[what] == "" {
						t.Errorf("%s has no %s", name, what)
					}
				}
			}
		}
		if !found {
			t.Errorf("there is no rule %s", name)
		}
	}
}
