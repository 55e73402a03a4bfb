package e2e

import (
	"fmt"
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape is what a replica's /metrics said at one time.
type scrape map[string]*dto.MetricFamily

func (r *replica) scrape() (scrape, error) {
	status, body, err := r.get("metrics", "/metrics")
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("/metrics says %d %s", status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(strings.NewReader(body))
}

func (r *replica) mustScrape() scrape {
	r.s.Helper()
	got, err := r.scrape()
	if err != nil {
		r.s.Fatalf("%s: %v\n%s", r.Name(), err, r.LogTail(40))
	}
	return got
}

// value is that of the series that have all of these labels ("verdict=OnTime"), added up; ok is false when there is none. A
// histogram's is its sum, and with "count" for a label how many it has seen.
func (m scrape) value(name string, labels ...string) (sum float64, ok bool) {
	count := false
	for _, metric := range m[name].GetMetric() {
		has := map[string]bool{}
		for _, label := range metric.GetLabel() {
			has[label.GetName()+"="+label.GetValue()] = true
		}
		matches := true
		for _, label := range labels {
			if label == "count" {
				count = true
				continue
			}
			matches = matches && has[label]
		}
		if !matches {
			continue
		}
		ok = true
		switch {
		case metric.GetHistogram() != nil && count:
			sum += float64(metric.GetHistogram().GetSampleCount())
		case metric.GetHistogram() != nil:
			sum += metric.GetHistogram().GetSampleSum()
		default:
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + metric.GetUntyped().GetValue()
		}
	}
	return sum, ok
}

// awaitMetric waits until a metric has a value.
func (r *replica) awaitMetric(want float64, name string, labels ...string) {
	r.s.Helper()
	r.await(fmt.Sprintf("%s%v to be %v", name, labels, want), func() error {
		m, err := r.scrape()
		if err != nil {
			return err
		}
		if got, ok := m.value(name, labels...); !ok || got != want {
			return fmt.Errorf("it is %v (there is one: %t)", got, ok)
		}
		return nil
	})
}

// verdicts is how often a replica gave a verdict on the firings of a CronWorkflow.
func (m scrape) verdicts(cron, verdict string) int64 {
	n, _ := m.value("rollcall_firings_total", "cronworkflow="+cron, "verdict="+verdict)
	return int64(n)
}
