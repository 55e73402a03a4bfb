package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/cluster/process"
)

// shell makes a process of a shell script.
func shell(t *testing.T, script string, change ...func(*process.Spec)) *process.Process {
	t.Helper()
	spec := process.Spec{
		Name: "script", Path: "/bin/sh", Args: []string{"-c", script},
		Log: filepath.Join(t.TempDir(), "log"), StopWithin: 10 * time.Second,
	}
	for _, f := range change {
		f(&spec)
	}
	p, err := process.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	return p
}

// saying makes a process ready once its log contains text.
func saying(text string, p **process.Process) func(*process.Spec) {
	return func(s *process.Spec) {
		s.Ready = func(context.Context, time.Time) error {
			log, err := (*p).Log()
			if err == nil && !strings.Contains(log, text) {
				err = fmt.Errorf("it has not said %q", text)
			}
			return err
		}
	}
}

func start(t *testing.T, p *process.Process) {
	t.Helper()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestStartWaitsUntilTheProcessIsReady(t *testing.T) {
	var p *process.Process
	p = shell(t, "sleep 0.1; echo up; exec sleep 1000", saying("up", &p))
	start(t, p)
	if log, err := p.Log(); log != "up\n" || err != nil {
		t.Errorf("log is %q, %v", log, err)
	}
	if err := p.Start(t.Context()); !errors.Is(err, process.ErrRunning) {
		t.Errorf("a second start: %v", err)
	}
}

func TestAFailedStartSaysWhyAndShowsTheLog(t *testing.T) {
	var p *process.Process
	for name, tc := range map[string]struct {
		script string
		want   []string
	}{
		"it ended":          {"echo no port; exit 3", []string{"start script", "exit status 3", `has not said "up"`, "no port"}},
		"it never is ready": {"echo dawdling; exec sleep 1000", []string{"not ready after", `has not said "up"`, "dawdling"}},
	} {
		t.Run(name, func(t *testing.T) {
			p = shell(t, tc.script, saying("up", &p), func(s *process.Spec) { s.ReadyWithin = time.Second })
			err := p.Start(t.Context())
			if err == nil {
				t.Fatal("it started")
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if p.Running() {
				t.Error("it was left running")
			}
		})
	}
}

func TestAProgramThatIsNotThereDoesNotStart(t *testing.T) {
	p := shell(t, "", func(s *process.Spec) { s.Path = "/nowhere/at/all" })
	if err := p.Start(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	<-p.Done()
}

func TestStopEndsAProcessInGoodOrder(t *testing.T) {
	var p *process.Process
	p = shell(t, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done", saying("up", &p))
	start(t, p)
	done := p.Done()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	<-done
	if log, _ := p.Log(); !strings.Contains(log, "bye") || p.Exit() != nil {
		t.Errorf("it ended with %v and the log %q", p.Exit(), log)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopped again: %v", err)
	}
}

func TestStopKillsAProcessThatDoesNotListen(t *testing.T) {
	var p *process.Process
	p = shell(t, "trap '' TERM; echo up; while :; do sleep 0.01; done", saying("up", &p),
		func(s *process.Spec) { s.StopWithin = 100 * time.Millisecond })
	start(t, p)
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if p.Exit() == nil || p.Running() {
		t.Errorf("exit %v, running %t", p.Exit(), p.Running())
	}
}

func TestAPausedProcessRunsNoCodeUntilItIsResumed(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	p := shell(t, "while :; do echo >>"+count+"; sleep 0.01; done")
	start(t, p)
	size := func() int64 {
		st, err := os.Stat(count)
		if err != nil {
			return 0
		}
		return st.Size()
	}
	growsBeyond(t, size, 0)
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	// A stopped process is shown as T; its children finish what they do.
	before := size()
	time.Sleep(100 * time.Millisecond) // an absence cannot be polled for
	if after := size(); after > before+1 {
		t.Errorf("it wrote on: %d, then %d", before, after)
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	growsBeyond(t, size, before+1)
}

func growsBeyond(t *testing.T, size func() int64, than int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); size() <= than; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not grow beyond %d", than)
		}
	}
}

func TestAPausedProcessCanBeEnded(t *testing.T) {
	for name, end := range map[string]func(*process.Process) error{
		"stopped": (*process.Process).Stop,
		"killed":  (*process.Process).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			p := shell(t, "exec sleep 1000")
			start(t, p)
			pid := p.Pid()
			if err := p.Pause(); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			if err := end(p); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d: %v", pid, err)
			}
		})
	}
}

func TestAKilledProcessTakesItsChildrenAlong(t *testing.T) {
	var p *process.Process
	p = shell(t, "sleep 1000 & echo child $!.; wait", saying(".", &p))
	start(t, p)
	log, _ := p.Log()
	var child int
	if _, err := fmt.Sscanf(log, "child %d.", &child); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(10 * time.Second); runs(child); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("child %d lives", child)
		}
	}
}

// runs reports whether a process is there and not a zombie that nobody reaps.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	return !strings.Contains(string(stat), ") Z")
}

func TestARestartedProcessKeepsItsCommandLineAndShowsOnlyItsOwnLog(t *testing.T) {
	var p *process.Process
	p = shell(t, "echo up $$; exec sleep 1000", saying("up", &p))
	start(t, p)
	first := p.Pid()
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if p.Pid() != 0 {
		t.Errorf("pid is %d after the end", p.Pid())
	}
	start(t, p)
	if log, _ := p.Log(); log != fmt.Sprintf("up %d\n", p.Pid()) {
		t.Errorf("log of the second run is %q", log)
	}
	all, err := os.ReadFile(p.LogFile())
	if err != nil || !strings.Contains(string(all), fmt.Sprintf("up %d\n", first)) {
		t.Errorf("the log file is %q, %v", all, err)
	}
}

func TestDoneTellsOfAnEndNobodyAskedFor(t *testing.T) {
	p := shell(t, "exit 7")
	start(t, p)
	<-p.Done()
	if err := p.Exit(); err == nil || err.Error() != "exit status 7" {
		t.Errorf("exit is %v", err)
	}
	if err := p.Pause(); err == nil {
		t.Error("a process that ended can be paused")
	}
}

func TestAForgottenProcessDoesNotStartAgain(t *testing.T) {
	p := shell(t, "exec sleep 1000")
	start(t, p)
	p.Forget()
	if p.Running() {
		t.Error("it runs")
	}
	if err := p.Start(t.Context()); err == nil {
		t.Error("it started")
	}
}

func TestASpecThatLacksSomethingIsRefused(t *testing.T) {
	for field, spec := range map[string]process.Spec{
		"Spec.Name": {Path: "a", Log: "b"},
		"Spec.Path": {Name: "a", Log: "b"},
		"Spec.Log":  {Name: "a", Path: "b"},
	} {
		t.Run(field, func(t *testing.T) {
			if _, err := process.New(spec); err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("got %v", err)
			}
		})
	}
}
