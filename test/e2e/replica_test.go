package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/cluster/process"
)

// replica is one process of rollcall controller.
type replica struct {
	*process.Process
	s *scenario
}

// gracefully is how long a controller may take to end after SIGTERM; the chart has the kubelet kill it 5 s later.
const gracefully = 15 * time.Second

// controller prepares a replica for the scenario's namespace; it is killed with the scenario.
func (s *scenario) controller(identity string, args ...string) *replica {
	s.Helper()
	return s.program(binary, identity, append([]string{
		"controller", "--leader-elect-namespace", s.namespace, "--identity", identity,
		"--http-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0", "--log-level", "debug",
	}, args...)...)
}

// program prepares a process that takes the flags of rollcall controller. It is ready when its log says where it listens.
func (s *scenario) program(path, identity string, args ...string) *replica {
	s.Helper()
	r := &replica{s: s}
	ready := func(context.Context, time.Time) error { _, err := r.addresses(); return err }
	if path != binary {
		ready = nil
	}
	args = append(args, "--kubeconfig", s.kubeconfig, "--namespace", s.namespace, "--argo-namespace", s.argoNamespace(), "--grace", grace.String())
	if s.instance != "" {
		args = append(args, "--instance-id", s.instance)
	}
	p, err := shared.Process(process.Spec{
		Name: s.namespace + "-" + identity, Path: path, Args: args, Ready: ready, ReadyWithin: time.Minute, StopWithin: gracefully + 5*time.Second,
	})
	s.must(err)
	r.Process = p
	s.Cleanup(func() {
		if p.Running() && s.Failed() {
			s.Logf("the end of the log of %s:\n%s", p.Name(), p.LogTail(60))
		}
		s.must(p.Kill())
	})
	return r
}

func (r *replica) start() {
	r.s.Helper()
	r.s.must(r.Start(r.s.ctx))
}

// started is a replica that was prepared and started.
func (s *scenario) started(identity string, args ...string) *replica {
	s.Helper()
	r := s.controller(identity, args...)
	r.start()
	return r
}

// end stops it as a kubelet does, and expects it to end well and in time.
func (r *replica) end() {
	r.s.Helper()
	if !r.Running() {
		r.s.Errorf("%s has ended before it was told to: %v\n%s", r.Name(), r.Exit(), r.LogTail(60))
		return
	}
	began := time.Now()
	r.s.must(r.Stop())
	if took := time.Since(began); took > gracefully {
		r.s.Errorf("%s took %s to end\n%s", r.Name(), took, r.LogTail(40))
	}
	if err := r.Exit(); err != nil {
		r.s.Errorf("%s ended with %v\n%s", r.Name(), err, r.LogTail(40))
	}
}

// awaitDeath waits until it has killed itself.
func (r *replica) awaitDeath() {
	r.s.Helper()
	r.await("it to kill itself", func() error {
		if r.Running() {
			return errors.New("it still runs")
		}
		return nil
	})
	if exit := r.Exit(); exit == nil || !strings.Contains(exit.Error(), syscall.SIGKILL.String()) {
		r.s.Fatalf("%s was to be killed, and ended with %v\n%s", r.Name(), exit, r.LogTail(60))
	}
}

// await waits for something of this replica's, and shows the end of its log where that does not come.
func (r *replica) await(what string, cond func() error) {
	r.s.Helper()
	if err := cluster.Await(r.s.ctx, what, func(context.Context) error { return cond() }); err != nil {
		r.s.Fatalf("%s: %v\nthe end of its log:\n%s", r.Name(), err, r.LogTail(60))
	}
}

// line is one line of a log.
type line map[string]any

func (l line) text(key string) string { s, _ := l[key].(string); return s }

// lines are those of the present or last run that are JSON; others are not the controller's.
func (r *replica) lines() []line {
	text, err := r.Log()
	r.s.must(err)
	var all []line
	for raw := range strings.Lines(text) {
		var l line
		if json.Unmarshal([]byte(raw), &l) == nil {
			all = append(all, l)
		}
	}
	return all
}

// said says whether one line of its log has all of these in it.
func (r *replica) said(parts ...string) bool {
	text, err := r.Log()
	r.s.must(err)
	for raw := range strings.Lines(text) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(raw, part) }) {
			return true
		}
	}
	return false
}

// addresses are where it listens, by what for: "http" and "metrics".
func (r *replica) addresses() (map[string]string, error) {
	found := map[string]string{}
	for _, l := range r.lines() {
		for _, of := range []string{"http", "metrics"} {
			if host, port, err := net.SplitHostPort(l.text(of + "_address")); err == nil && port != "0" {
				found[of] = net.JoinHostPort(host, port)
			}
		}
	}
	if len(found) < 2 {
		return nil, fmt.Errorf("its log names only these addresses: %v", found)
	}
	return found, nil
}

var outside = &http.Client{Timeout: 20 * time.Second}

// get asks one of its two servers.
func (r *replica) get(of, path string) (status int, body string, err error) {
	addresses, err := r.addresses()
	if err != nil {
		return 0, "", err
	}
	answer, err := outside.Get("http://" + addresses[of] + path)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// awaitReady waits until it says that it is.
func (r *replica) awaitReady() {
	r.s.Helper()
	r.await("/readyz to say yes", func() error {
		status, body, err := r.get("http", "/readyz")
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("it says %d %s (%w)", status, body, err)
		}
		return nil
	})
}
