package binaries

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pinned is a folder like those beside this file, with an upstream module small
// enough to build in a test.
type pinned struct {
	source, cache string
	recipe        recipe

	mu   sync.Mutex
	told []string
}

func newPinned(t *testing.T, program string) *pinned {
	t.Helper()
	p := &pinned{source: t.TempDir(), cache: t.TempDir(), recipe: recipe{
		folder: "fake", module: "example.com/up", pkg: "example.com/up/cmd/tool", exe: "tool", crdsDir: "crds",
		stamp: func(v string) []string { return []string{"-X", "main.version=" + v} },
	}}
	p.write(t, "go.mod", "module fake\n\ngo 1.26.0\n\nrequire example.com/up v1.2.3\n\nreplace example.com/up => ./up\n")
	p.write(t, "go.sum", "")
	p.write(t, "up/go.mod", "module example.com/up\n\ngo 1.26.0\n")
	p.write(t, "up/cmd/tool/main.go", program)
	p.write(t, "up/crds/minimal/a.yaml", "kind: A\n")
	return p
}

func (p *pinned) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(p.source, "fake", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *pinned) ensure(ctx context.Context) (string, error) {
	return ensureOne(ctx, func(format string, args ...any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told = append(p.told, fmt.Sprintf(format, args...))
	}, p.cache, p.source, "fake", p.recipe)
}

// builds is how many builds were begun.
func (p *pinned) builds() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Count(strings.Join(p.told, "\n"), "building v1.2.3")
}

// left is what is in the cache beside locks.
func (p *pinned) left(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(p.cache)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			out = append(out, e.Name())
		}
	}
	return out
}

const printsVersion = "package main\n\nvar version string\n\nfunc main() { print(version) }\n"

func TestABinaryIsBuiltOnceAndStampedWithThePinnedVersion(t *testing.T) {
	p := newPinned(t, printsVersion)
	dir, err := p.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "tool")).CombinedOutput(); string(out) != "v1.2.3" || err != nil {
		t.Errorf("it says %q, %v", out, err)
	}
	if crd, err := os.ReadFile(filepath.Join(dir, "crds", "minimal", "a.yaml")); string(crd) != "kind: A\n" {
		t.Errorf("CRD is %q, %v", crd, err)
	}
	if again, err := p.ensure(t.Context()); again != dir || err != nil || p.builds() != 1 {
		t.Errorf("the second time: %s, %v, %d builds", again, err, p.builds())
	}
}

func TestABinaryIsRebuiltWhenItsPinsChange(t *testing.T) {
	p := newPinned(t, printsVersion)
	first, err := p.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "go.sum", "\n")
	second, err := p.ensure(t.Context())
	if err != nil || second == first || p.builds() != 2 {
		t.Errorf("%s, then %s, %v, %d builds", first, second, err, p.builds())
	}
}

func TestOfSeveralAtOnceOneBuilds(t *testing.T) {
	p := newPinned(t, printsVersion)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := p.ensure(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if p.builds() != 1 || len(p.left(t)) != 1 {
		t.Errorf("%d builds left %v", p.builds(), p.left(t))
	}
}

func TestAFailedBuildShowsTheCompilersWordsAndLeavesNothing(t *testing.T) {
	p := newPinned(t, "package main\n\nfunc main() { undefinedThing() }\n")
	_, err := p.ensure(t.Context())
	if err == nil || !strings.Contains(err.Error(), "undefined: undefinedThing") {
		t.Errorf("got %v", err)
	}
	if left := p.left(t); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestWhatAKilledBuildLeftIsRemovedByTheNext(t *testing.T) {
	p := newPinned(t, printsVersion)
	dir, err := p.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".tmp-123"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := p.left(t); len(left) != 1 || left[0] != filepath.Base(dir) {
		t.Errorf("left %v, want only %s", left, filepath.Base(dir))
	}
}

func TestWaitingForAnotherBuildEndsWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path, func(time.Duration) {})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path, func(time.Duration) {}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is held: %v", err)
	}
	unlock()
	if unlock, err = lock(t.Context(), path, func(time.Duration) {}); err != nil {
		t.Fatalf("once it is free: %v", err)
	}
	unlock()
}

func TestTheEndOfTheContextKillsTheGoCommandAndWhatItStarted(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	p := newPinned(t, fmt.Sprintf(`package main

import (
	"os"
	"strconv"
	"time"
)

func main() {
	os.WriteFile(%q, []byte(strconv.Itoa(os.Getpid())+"."), 0o644)
	time.Sleep(time.Hour)
}
`, pidFile))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := goTool(ctx, filepath.Join(p.source, "fake"), "run", p.recipe.pkg)
		done <- err
	}()
	var pid int
	poll(t, "the program to run", func() bool {
		data, _ := os.ReadFile(pidFile)
		_, err := fmt.Sscanf(string(data), "%d.", &pid)
		return err == nil
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	poll(t, "the program to end", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && strings.Contains(string(stat), ") Z") {
			return true // a zombie that nobody reaps
		}
		return syscall.Kill(pid, 0) != nil
	})
}

func poll(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
