package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// started is a controller that has said that it runs.
type started struct {
	stop   context.CancelFunc
	status chan status
	// first is its first line, lines are the others.
	first map[string]any
	lines chan map[string]any
}

// startController runs one against the cluster of the kubeconfig, at addresses that are free.
func startController(t *testing.T, args ...string) *started {
	t.Helper()
	env, _, _ := testEnvironment()
	read, write := io.Pipe()
	env.ErrOut = write
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	s := &started{stop: stop, status: make(chan status, 1), lines: make(chan map[string]any, 1000)}
	go func() {
		s.status <- run(ctx, env, append([]string{"controller", "--http-address=127.0.0.1:0", "--metrics-address=127.0.0.1:0"}, args...))
		_ = write.Close()
	}()
	go func() {
		defer close(s.lines)
		for scanner := bufio.NewScanner(read); scanner.Scan(); {
			var line map[string]any
			if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
				t.Errorf("a line that is no JSON: %s", scanner.Text())
			}
			s.lines <- line
		}
	}()
	select {
	case s.first = <-s.lines:
	case <-time.After(30 * time.Second):
		t.Fatal("it says nothing")
	}
	return s
}

func (s *started) get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	host, _ := s.first[address].(string)
	response, err := http.Get("http://" + host + path)
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

func TestTheControllerServesUntilItIsTold(t *testing.T) {
	for name, args := range map[string][]string{
		"alone":               {"--leader-elect=false", "--backfill=dry-run", "-n", "etl"},
		"contending to lead":  {"--leader-elect-namespace=rollcall", "--identity=one"},
		"with all its alerts": {"--alertmanager-url=http://user:secret@127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			kubeconfig(t, pretend(t, nil).URL)
			s := startController(t, args...)
			if s.first["msg"] != "Rollcall controller" || s.first["level"] != "INFO" {
				t.Errorf("first it says %v", s.first)
			}
			if said, _ := s.first["alertmanager"].(string); strings.Contains(said, "secret") {
				t.Errorf("a password is logged: %s", said)
			}
			if code, _ := s.get(t, "http_address", "/healthz"); code != http.StatusOK {
				t.Errorf("/healthz: %d", code)
			}
			if code, _ := s.get(t, "http_address", "/readyz"); code != http.StatusServiceUnavailable {
				t.Errorf("/readyz without a CronWorkflow to be read: %d", code)
			}
			_, metrics := s.get(t, "metrics_address", "/metrics")
			for _, want := range []string{"rollcall_build_info{", "rollcall_leader ", "rollcall_record_write_failures_total ", "go_goroutines ", "process_start_time_seconds "} {
				if !strings.Contains(metrics, want) {
					t.Errorf("no %s in the metrics", want)
				}
			}
			began := time.Now()
			s.stop()
			if got := <-s.status; got != statusDone {
				t.Errorf("status %d", got)
			}
			if d := time.Since(began); d > 10*time.Second {
				t.Errorf("it took %s to stop", d)
			}
			last := s.first
			for line := range s.lines {
				last = line
			}
			if last["msg"] != "stopped" {
				t.Errorf("last it says %v", last)
			}
		})
	}
}

func TestAnAddressThatIsTakenIsSaidInPlainWords(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	kubeconfig(t, pretend(t, nil).URL)
	env, _, errOut := testEnvironment()
	got := run(t.Context(), env, []string{"controller", "--http-address=" + taken.Addr().String(), "--metrics-address=0"})
	if got != statusFailed || !strings.HasPrefix(errOut.String(), "error: listen at --http-address") || strings.Count(errOut.String(), "\n") != 1 {
		t.Errorf("status %d: %s", got, errOut)
	}
}
