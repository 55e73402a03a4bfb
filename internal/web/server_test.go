package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// options are of a Server with everything, at a free port each.
func options() Options {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "answer"}, func() float64 { return 42 }))
	return Options{
		Address: "127.0.0.1:0", MetricsAddress: "localhost:0", Gatherer: registry,
		Ready: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
	}
}

// serving listens, serves until the test ends, and requires that it ends well.
func serving(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func ask(t *testing.T, method, address, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestEachAddressHasItsEndpoints(t *testing.T) {
	apart := serving(t, options())
	o := options()
	o.MetricsAddress = o.Address
	together := serving(t, o)
	if together.Address() != together.MetricsAddress() {
		t.Errorf("equal addresses are two servers: %s and %s", together.Address(), together.MetricsAddress())
	}
	for name, want := range map[string]struct {
		method, address, path string
		code                  int
		body                  string
	}{
		"alive":                            {"GET", apart.Address(), "/healthz", 200, "ok\n"},
		"ready":                            {"GET", apart.Address(), "/readyz", 200, "ok\n"},
		"asked for the head only":          {"HEAD", apart.Address(), "/healthz", 200, ""},
		"metrics":                          {"GET", apart.MetricsAddress(), "/metrics", 200, "answer 42\n"},
		"metrics are not beside the page":  {"GET", apart.Address(), "/metrics", 404, "not found"},
		"health is not beside the metrics": {"GET", apart.MetricsAddress(), "/healthz", 404, "not found"},
		"a list of what there is":          {"GET", apart.Address(), "/", 200, "/readyz "},
		"a list where the metrics are":     {"GET", apart.MetricsAddress(), "/", 200, "/metrics "},
		"an unknown path":                  {"GET", apart.Address(), "/debug/pprof/", 404, "not found"},
		"below a known path":               {"GET", apart.Address(), "/healthz/x", 404, "not found"},
		"a method that changes things":     {"POST", apart.Address(), "/healthz", 405, "only GET"},
		"one server, alive":                {"GET", together.Address(), "/healthz", 200, "ok\n"},
		"one server, metrics":              {"GET", together.Address(), "/metrics", 200, "answer 42\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := ask(t, want.method, want.address, want.path)
			if code != want.code || !strings.Contains(body, want.body) {
				t.Errorf("%d %q, want %d with %q", code, body, want.code, want.body)
			}
		})
	}
}

func TestAnAddressCanBeSwitchedOff(t *testing.T) {
	for _, off := range []string{"", "0"} {
		o := options()
		o.MetricsAddress = off
		s := serving(t, o)
		if code, _ := ask(t, "GET", s.Address(), "/healthz"); code != 200 || s.MetricsAddress() != "" {
			t.Errorf("%q: %d, and metrics at %q", off, code, s.MetricsAddress())
		}
		o.Address = off
		if s := serving(t, o); s.Address() != "" {
			t.Errorf("%q: listens at %s", off, s.Address())
		}
	}
}

func TestNotReadyIsSaidWithTheReasons(t *testing.T) {
	o := options()
	o.Ready = func(context.Context) error { return errors.Join(errors.New("no list yet"), errors.New("no answer")) }
	s := serving(t, o)
	if code, body := ask(t, "GET", s.Address(), "/readyz"); code != 503 || body != "no list yet\nno answer\n" {
		t.Errorf("%d %q", code, body)
	}
	if code, _ := ask(t, "GET", s.Address(), "/healthz"); code != 200 {
		t.Errorf("not ready, and %d: it would be restarted", code)
	}
}

func TestAReadinessThatDoesNotAnswerIsAskedOnceAndNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		release := make(chan struct{})
		q := question{log: slog.New(slog.DiscardHandler), ask: func(context.Context) error {
			asked.Add(1)
			<-release // not even when its time is over
			return nil
		}}
		began := time.Now()
		answers := make(chan error)
		for range 10 {
			go func() { answers <- q.answer(t.Context()) }()
		}
		for range 10 {
			if err := <-answers; err == nil || !strings.Contains(err.Error(), "no answer within 5s") {
				t.Errorf("error %v", err)
			}
		}
		if n, took := asked.Load(), time.Since(began); n != 1 || took != readyWithin {
			t.Errorf("asked %d times, answered after %s", n, took)
		}
		close(release)
		synctest.Wait()
		if err := q.answer(t.Context()); err != nil || asked.Load() != 2 {
			t.Errorf("afterwards: %v, asked %d times", err, asked.Load())
		}
	})
}

func TestAPanicIsNotReadyAndNoCrash(t *testing.T) {
	q := question{log: slog.New(slog.DiscardHandler), ask: func(context.Context) error { panic("nil map") }}
	if err := q.answer(t.Context()); err == nil || !strings.Contains(err.Error(), "nil map") {
		t.Errorf("error %v", err)
	}
}

func TestAnErrorNamesTheFlagToChange(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, wrong := range map[string]struct {
		address, metrics string
		want             []string
	}{
		"the page's address is taken":        {taken.Addr().String(), "127.0.0.1:0", []string{"--http-address", "choose another"}},
		"the metrics' address is taken":      {"127.0.0.1:0", taken.Addr().String(), []string{"--metrics-address", "choose another"}},
		"a port only":                        {"8080", "0", []string{"--http-address", `"8080"`, "host:port"}},
		"a port that there is not":           {"127.0.0.1:0", "127.0.0.1:99999", []string{"--metrics-address"}},
		"the metrics' address is not a port": {"0", "9090", []string{"--metrics-address", "host:port"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.Address, o.MetricsAddress = wrong.address, wrong.metrics
			_, err := Listen(o)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range wrong.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %s", err, want)
				}
			}
		})
	}
}

func TestOneWrongMetricIsLoggedAndHidesNoOther(t *testing.T) {
	var log bytes.Buffer
	o := options()
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	registry := o.Gatherer.(*prometheus.Registry)
	registry.MustRegister(broken{prometheus.NewDesc("broken", "", nil, nil)})
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx) }()
	code, body := ask(t, "GET", s.MetricsAddress(), "/metrics")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if code != 200 || !strings.Contains(body, "answer 42") || !strings.Contains(log.String(), "out of order") {
		t.Errorf("%d %q, log %q", code, body, log.String())
	}
}

type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(to chan<- *prometheus.Desc) { to <- b.desc }
func (b broken) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.NewInvalidMetric(b.desc, errors.New("out of order"))
}

func TestARequestUnderWayIsAnsweredBeforeServeEnds(t *testing.T) {
	o := options()
	asked, release := make(chan struct{}), make(chan struct{})
	o.Ready = func(context.Context) error { close(asked); <-release; return nil }
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	answered := make(chan int, 1)
	go func() {
		code, _ := ask(t, "GET", s.Address(), "/readyz")
		answered <- code
	}()
	<-asked
	stop()
	close(release)
	if code, err := <-answered, <-ended; code != 200 || err != nil {
		t.Errorf("answered %d, ended with %v", code, err)
	}
	if _, err := net.Dial("tcp", s.MetricsAddress()); err == nil {
		t.Error("still listens")
	}
}

func TestServeEndsWhenAnAddressIsLost(t *testing.T) {
	s, err := Listen(options())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.listeners[0].Close()
	if err := s.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), s.Address()) {
		t.Errorf("error %v", err)
	}
}
