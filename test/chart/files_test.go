package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/test/binaries"
)

// TestSuites runs the chart's own tests, charts/rollcall/tests.
func TestSuites(t *testing.T) {
	out, err := command(t, binaries.HelmUnittest, "--strict", chart)
	if err != nil || strings.Contains(out, "0 passed, 0 total\nSnapshot") {
		t.Errorf("%v\n%s", err, out)
	}
}

// undocumented is a row of the table of values without a description.
var undocumented = regexp.MustCompile(`(?m)^\| (\S+) \|.*\|\s*\|$`)

func TestTheREADMEIsWhatTheValuesSay(t *testing.T) {
	path := filepath.Join(chart, "README.md")
	out, err := command(t, binaries.HelmDocs, "--chart-search-root", chart, "--dry-run", "--sort-values-order", "file", "--log-level", "error")
	if err != nil || out == "" {
		t.Fatal("helm-docs writes nothing", err)
	}
	for _, row := range undocumented.FindAllStringSubmatch(out, -1) {
		t.Errorf("values.yaml does not say what %s is for", row[1])
	}
	want := strings.TrimSpace(out) + "\n"
	got, err := os.ReadFile(path)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil || string(got) != want {
		t.Errorf("%s is out of date: run go test ./test/chart -run README -update (%v)", path, err)
	}
}

// file is a file of the chart, in JSON's terms.
func file(t *testing.T, path string) (content map[string]any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(chart, "files", path))
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, string(data))
}

func parsed(t *testing.T, text string) (content map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &content); err != nil || len(content) == 0 {
		t.Fatal("there is nothing in it", err)
	}
	return content
}

func TestWhatIsRenderedOfAFileIsWhatIsInIt(t *testing.T) {
	got := map[string]any{}
	for _, o := range rendered(t, "--set", "rules.prometheusRule.enabled=true,rules.configMap.enabled=true,dashboard.enabled=true") {
		switch o.GetKind() + " " + o.GetName() {
		case "CustomResourceDefinition cronaudits.rollcall.dev":
			got["CRD"] = o.Object["spec"]
		case "PrometheusRule rollcall":
			got["rules for the operator"] = o.Object["spec"]
		case "ConfigMap rollcall-rules":
			text, _, _ := unstructured.NestedString(o.Object, "data", "rollcall.rules.yaml")
			got["rules"] = parsed(t, text)
		case "ConfigMap rollcall-dashboard":
			text, _, _ := unstructured.NestedString(o.Object, "data", "rollcall.json")
			got["dashboard"] = parsed(t, text)
		}
	}
	rules := file(t, "rules.yaml")
	want := map[string]any{
		"CRD": file(t, "crds/rollcall.dev_cronaudits.yaml")["spec"], "rules for the operator": rules, "rules": rules, "dashboard": file(t, "dashboard.json"),
	}
	// Whole numbers are float64 in one and int64 in the other.
	number := cmp.FilterValues(func(a, b any) bool { _, is := asFloat(a); _, are := asFloat(b); return is && are },
		cmp.Comparer(func(a, b any) bool { x, _ := asFloat(a); y, _ := asFloat(b); return x == y }))
	if diff := cmp.Diff(want, got, number); diff != "" {
		t.Errorf("-in the file +rendered\n%s", diff)
	}
}

func asFloat(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

func TestThePackageHasWhatAUserNeedsAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	if _, err := command(t, binaries.Helm, "package", chart, "--destination", dir); err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(archives) != 1 {
		t.Fatal(archives, err)
	}
	files := contents(t, archives[0])
	for _, there := range []string{"Chart.yaml", "README.md", "values.schema.json", "templates/tests/service.yaml", "files/rules.yaml", "files/dashboard.json", "files/crds/rollcall.dev_cronaudits.yaml"} {
		if !slices.Contains(files, "rollcall/"+there) {
			t.Errorf("%s is missing", there)
		}
	}
	for _, file := range files {
		for _, never := range []string{"rollcall/ci/", "rollcall/tests/", "gotmpl"} {
			if strings.Contains(file, never) {
				t.Errorf("%s is in it", file)
			}
		}
	}
}
