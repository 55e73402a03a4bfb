package metrics

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	// queried is a metric in a query, with what stands in braces behind it.
	queried = regexp.MustCompile(`\b(rollcall_\w+)(?:\{([^}]*)\})?`)
	// matched is a label in braces, in an expression or, with its quotes escaped, in JSON or a format string.
	matched = regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)\\?"`)
	// grouped are the labels that an aggregation or a join goes by.
	grouped = regexp.MustCompile(`\b(?:by|on|without|ignoring) \(([^)]*)\)`)
)

// scraped are labels that a scrape adds, and the one of the buckets of a histogram.
var scraped = []string{"job", "instance", "namespace", "pod", "le"}

func TestRulesAndDashboardUseMetricsAndLabelsThatThereAre(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m, err := New(registry, "v1.2.3", "abcdef0")
	if err != nil {
		t.Fatal(err)
	}
	fill(m)
	recovery(t, registry)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	labels, all := map[string][]string{}, slices.Clone(scraped)
	for _, family := range families {
		names := slices.Clone(scraped)
		for _, label := range family.GetMetric()[0].GetLabel() {
			names, all = append(names, label.GetName()), append(all, label.GetName())
		}
		labels[family.GetName()] = names
		if family.GetMetric()[0].GetHistogram() != nil {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				labels[family.GetName()+part] = names
			}
		}
	}
	for _, file := range []string{"rules.yaml", "dashboard.json"} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile("../../charts/rollcall/files/" + file)
			if err != nil {
				t.Fatal(err)
			}
			found := queried.FindAllStringSubmatch(string(text), -1)
			if len(found) < 10 {
				t.Fatalf("it uses only %d metrics", len(found))
			}
			for _, use := range found {
				has, ok := labels[use[1]]
				if !ok {
					t.Errorf("there is no metric %s", use[1])
				}
				for _, label := range matched.FindAllStringSubmatch(use[2], -1) {
					if ok && !slices.Contains(has, label[1]) {
						t.Errorf("%s has no label %s", use[1], label[1])
					}
				}
			}
			for _, use := range grouped.FindAllStringSubmatch(string(text), -1) {
				for _, label := range strings.FieldsFunc(use[1], func(r rune) bool { return strings.ContainsRune(", ", r) }) {
					if !slices.Contains(all, label) {
						t.Errorf("no metric has the label %s", label)
					}
				}
			}
		})
	}
}
