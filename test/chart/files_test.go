package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

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
