package alerts

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/test/binaries"
)

const (
	rulesFile     = "../../charts/rollcall/files/rules.yaml"
	dashboardFile = "../../charts/rollcall/files/dashboard.json"
	runbooks      = "../../docs/runbooks"
	examples      = "../../docs/examples"
)

// rule is an alerting rule of the file.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.Unmarshal([]byte(read(t, rulesFile)), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no rules")
	}
	return all
}

// trial is a file of tests for promtool.
type trial struct {
	Tests []struct {
		Name        string `json:"name"`
		InputSeries []struct {
			Series string `json:"series"`
			Values string `json:"values"`
		} `json:"input_series"`
		AlertRuleTest []struct {
			Alertname string           `json:"alertname"`
			ExpAlerts []map[string]any `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	} `json:"tests"`
}

// trials are the tests of the rules, by file.
func trials(t *testing.T) map[string]trial {
	t.Helper()
	files, err := filepath.Glob("rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no tests of the rules (%v)", err)
	}
	all := map[string]trial{}
	for _, file := range files {
		var one trial
		if err := yaml.Unmarshal([]byte(read(t, file)), &one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[file] = one
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// promtool runs the pinned promtool, and fails with what it says.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	built, err := binaries.Ensure(t.Context(), t.Output(), binaries.Promtool)
	if err != nil {
		t.Fatal(err)
	}
	succeeds(t, built.Exe(binaries.Promtool), args...)
}

// succeeds runs a program, and fails with what it says.
func succeeds(t *testing.T, exe string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), exe, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(exe), strings.Join(args, " "), err, out)
	}
}

func TestTheRulesAreValid(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", rulesFile)
}

func TestTheRulesFireWhenTheyShouldAndNotOtherwise(t *testing.T) {
	for file := range trials(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) { promtool(t, "test", "rules", file) })
	}
}

func TestEveryTestOfTheRulesBeginsWithoutAnySeries(t *testing.T) {
	for name, file := range trials(t) {
		for _, test := range file.Tests {
			for _, input := range test.InputSeries {
				if !strings.HasPrefix(input.Values, "_") {
					t.Errorf("%s: %s: %s begins with %.10s", name, test.Name, input.Series, input.Values)
				}
			}
		}
	}
}

func TestEveryAlertIsTriedFiringWithAllThatItSays(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, file := range trials(t) {
		for _, test := range file.Tests {
			for _, at := range test.AlertRuleTest {
				if len(at.ExpAlerts) > 0 {
					fires[at.Alertname] = true
				} else {
					silent[at.Alertname] = true
				}
			}
		}
	}
	for _, r := range rules(t) {
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s: tried firing: %t, silent: %t", r.Alert, fires[r.Alert], silent[r.Alert])
		}
		delete(fires, r.Alert)
	}
	for name := range fires {
		t.Errorf("%s is tried, and there is no such rule", name)
	}
}

func TestEveryAlertSaysHowSevereItIsAndWhatToDo(t *testing.T) {
	var names []string
	for _, r := range rules(t) {
		names = append(names, r.Alert)
		if s := r.Labels["severity"]; s != "warning" && s != "critical" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		for _, what := range []string{"summary", "description"} {
			if strings.TrimSpace(r.Annotations[what]) == "" {
				t.Errorf("%s has no %s", r.Alert, what)
			}
		}
		if want := "https://rollcall.dev/runbooks/" + r.Alert; r.Annotations["runbook_url"] != want {
			t.Errorf("%s has the runbook %q, not %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !strings.HasPrefix(r.Alert, "Rollcall") {
			t.Errorf("%s does not say whose alert it is", r.Alert)
		}
	}
	if slices.Sort(names); len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("some rules have the same name: %v", names)
	}
}

// sections are those that every runbook has, in this order.
var sections = []string{"Meaning", "Impact", "Diagnosis", "Mitigation", "Silence"}

func TestEveryAlertHasARunbookAndEveryRunbookAnAlert(t *testing.T) {
	files, err := filepath.Glob(runbooks + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	index := read(t, runbooks+"/README.md")
	written := map[string]bool{}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".md"); name != "README" {
			written[name] = true
		}
	}
	for _, r := range rules(t) {
		if !written[r.Alert] {
			t.Errorf("%s has no runbook", r.Alert)
			continue
		}
		delete(written, r.Alert)
		text := read(t, filepath.Join(runbooks, r.Alert+".md"))
		if !strings.HasPrefix(text, "# "+r.Alert+"\n") {
			t.Errorf("the runbook of %s has another title", r.Alert)
		}
		var found []string
		for _, heading := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(text, -1) {
			found = append(found, heading[1])
		}
		if !slices.Equal(found, sections) {
			t.Errorf("the runbook of %s has the sections %q, not %q", r.Alert, found, sections)
		}
		if row := fmt.Sprintf("| [%s](%s.md) | %s |", r.Alert, r.Alert, r.Labels["severity"]); !strings.Contains(index, row) {
			t.Errorf("the index of the runbooks lacks %q", row)
		}
	}
	for name := range written {
		t.Errorf("%s.md is of an alert that there is not", name)
	}
}

// variables of Grafana that stand in queries, and something of their kind.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$namespace", ".*", "$cronworkflow", ".*")

func TestEveryQueryOfTheDashboardIsValid(t *testing.T) {
	queries := queries(t)
	if len(queries) < 10 {
		t.Fatalf("there are only %d queries", len(queries))
	}
	var all []map[string]string
	for i, query := range queries {
		all = append(all, map[string]string{"record": fmt.Sprintf("query:%d", i), "expr": variables.Replace(query)})
		if strings.Contains(variables.Replace(query), "$") {
			t.Errorf("a variable that this test does not know: %s", query)
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": all}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

// queries are those of the panels, those in rows included.
func queries(t *testing.T) []string {
	t.Helper()
	type panel struct {
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
		Panels []json.RawMessage `json:"panels"`
	}
	var dashboard panel
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &dashboard); err != nil {
		t.Fatal(err)
	}
	var found []string
	for todo := dashboard.Panels; len(todo) > 0; todo = todo[1:] {
		var p panel
		if err := json.Unmarshal(todo[0], &p); err != nil {
			t.Fatal(err)
		}
		for _, target := range p.Targets {
			found = append(found, target.Expr)
		}
		todo = append(todo, p.Panels...)
	}
	return found
}

func TestTheDashboardFitsAnyGrafana(t *testing.T) {
	var dashboard struct {
		ID         *int   `json:"id"`
		UID        string `json:"uid"`
		Templating struct {
			List []struct {
				Name string `json:"name"`
			} `json:"list"`
		} `json:"templating"`
	}
	text := read(t, dashboardFile)
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.ID != nil {
		t.Errorf("it has the id %d of some database", *dashboard.ID)
	}
	var names []string
	for _, v := range dashboard.Templating.List {
		names = append(names, v.Name)
	}
	if want := []string{"datasource", "namespace", "cronworkflow"}; !slices.Equal(names, want) {
		t.Errorf("it has the variables %q, not %q", names, want)
	}
	for _, uid := range regexp.MustCompile(`"datasource":\s*\{[^}]*"uid":\s*"([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if uid[1] != "${datasource}" && uid[1] != "-- Grafana --" {
			t.Errorf("it asks the datasource %q of somebody's", uid[1])
		}
	}
}

func TestTheExampleConfigurationOfPrometheusIsValid(t *testing.T) {
	// It names the rule file as it is mounted, so that is put beside a copy of it.
	dir := t.TempDir()
	for name, from := range map[string]string{"prometheus.yml": examples + "/prometheus.yml", "rollcall.rules.yaml": rulesFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(read(t, from)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	promtool(t, "check", "config", "--lint=all", "--lint-fatal", filepath.Join(dir, "prometheus.yml"))
}
