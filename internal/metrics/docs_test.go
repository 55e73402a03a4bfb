package metrics

import (
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"rollcall.dev/rollcall/backfill"
)

// described is what can be known of a metric without seeing it: the rest of a row of the table.
type described struct {
	Type   string
	Labels []string
}

// row is of one metric in the table of docs/metrics.md.
var row = regexp.MustCompile("(?m)^\\| `(rollcall_[a-z_]+)` \\| (counter|gauge|histogram) \\| ([^|]*) \\|")

func TestTheTableInTheDocsIsWhatIsRegistered(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented, names := map[string]described{}, []string(nil)
	for _, cells := range row.FindAllStringSubmatch(strings.ReplaceAll(string(text), "| | ", "|  | "), -1) {
		labels := strings.FieldsFunc(cells[3], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		slices.Sort(labels)
		names = append(names, cells[1])
		documented[cells[1]] = described{cells[2], append([]string(nil), labels...)}
	}
	if !slices.IsSorted(names) {
		t.Errorf("the table is not in order: %v", names)
	}

	registry := prometheus.NewPedanticRegistry()
	m, err := New(registry, "v1.2.3", "abcdef0")
	if err != nil {
		t.Fatal(err)
	}
	fill(m)
	recovery(t, registry)
	// What is described and has no series here would be missing from the comparison.
	descs := make(chan *prometheus.Desc)
	go func() {
		m.Describe(descs)
		close(descs)
	}()
	count := 0
	for range descs {
		count++
	}
	if ours := 18; count != ours {
		t.Errorf("%d metrics are described, and this test shows something in %d: extend fill", count, ours)
	}

	registered := map[string]described{}
	all, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}
		slices.Sort(labels)
		registered[family.GetName()] = described{strings.ToLower(family.GetType().String()), labels}
	}
	if diff := cmp.Diff(registered, documented); diff != "" {
		t.Errorf("registered (-) and documented (+): %s", diff)
	}
}

// recovery registers the counters of an Executor and has them shown.
func recovery(t *testing.T, registry prometheus.Registerer) {
	t.Helper()
	executor, err := backfill.NewExecutor(backfill.Options{
		Submitter: struct{ backfill.Submitter }{},
		Policy:    backfill.Policy{By: "controller", MaxParallel: 1, MaxCatchUp: 1},
		Log:       slog.New(slog.DiscardHandler), Metrics: registry, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	executor.Expect(backfill.Key{Namespace: "default", Name: "tick"})
}
