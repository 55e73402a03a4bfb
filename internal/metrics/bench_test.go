package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rollcall.dev/rollcall/auditor"
)

// BenchmarkScrape is one scrape of 10,000 CronWorkflows; live-MiB is what their series keep in memory between scrapes.
func BenchmarkScrape(b *testing.B) {
	registry := prometheus.NewRegistry()
	m, err := New(registry, "v1.2.3", "abcdef0")
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 10_000 {
		m.Set(auditor.Key{Namespace: fmt.Sprintf("team-%d", i%100), Name: fmt.Sprintf("report-%d", i)}, Gauges{Next: at})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		w := httptest.NewRecorder()
		w.Body = nil
		handler.ServeHTTP(discarded{w}, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "live-MiB")
}

type discarded struct{ *httptest.ResponseRecorder }

func (discarded) Write(p []byte) (int, error) { return io.Discard.Write(p) }
