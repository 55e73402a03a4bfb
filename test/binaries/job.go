package binaries

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A job is one build, fully determined: its key changes when its result would.
type job struct {
	recipe
	dir     string // of the pinning module
	args    []string
	version string // of the upstream module
	key     string // 16 hex digits
}

func newJob(ctx context.Context, dir string, r recipe) (*job, error) {
	goMod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, err
	}
	goSum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return nil, err
	}
	// Asked in the module's folder: its go.mod may select another toolchain.
	goVersion, err := goTool(ctx, dir, "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	j := &job{recipe: r, dir: dir}
	if j.version, err = required(goMod, r.module); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "go.mod"), err)
	}
	ldflags := []string{"-s", "-w"}
	if r.stamp != nil {
		ldflags = append(ldflags, r.stamp(j.version)...)
	}
	j.args = []string{"-trimpath", "-buildvcs=false", "-ldflags=" + strings.Join(ldflags, " ")}
	if len(r.tags) > 0 {
		j.args = append(j.args, "-tags="+strings.Join(r.tags, ","))
	}
	j.args = append(j.args, r.pkg)
	h := sha256.New()
	for _, part := range []string{
		string(goMod), string(goSum), strings.TrimSpace(goVersion), runtime.GOOS, runtime.GOARCH,
		strings.Join(j.args, "\x00"), r.exe, r.crdsDir,
	} {
		fmt.Fprintf(h, "%d\n%s", len(part), part)
	}
	j.key = hex.EncodeToString(h.Sum(nil))[:16]
	return j, nil
}

// required is the version of module that a go.mod asks for. Looked up as text:
// asking the go command would load the module graph at every start of a test.
func required(goMod []byte, module string) (string, error) {
	for line := range strings.Lines(string(goMod)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) >= 2 && f[0] == module && strings.HasPrefix(f[1], "v") {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("does not require %s", module)
}

// run builds into the folder into.
func (j *job) run(ctx context.Context, tell func(string, ...any), into string) error {
	begun := time.Now()
	tell("building %s; the first time this takes minutes", j.version)
	stop := every(heartbeat, func() { tell("still building, %s", time.Since(begun).Round(time.Second)) })
	defer stop()
	args := append([]string{"build", "-o", filepath.Join(into, j.exe)}, j.args...)
	if _, err := goTool(ctx, j.dir, args...); err != nil {
		return err
	}
	if j.crdsDir != "" {
		if err := j.copyCRDs(ctx, filepath.Join(into, "crds")); err != nil {
			return fmt.Errorf("copy CRDs: %w", err)
		}
	}
	tell("built %s in %s", j.version, time.Since(begun).Round(time.Second))
	return nil
}

func (j *job) copyCRDs(ctx context.Context, to string) error {
	out, err := goTool(ctx, j.dir, "list", "-m", "-json=Dir", j.module)
	if err != nil {
		return err
	}
	var m struct{ Dir string }
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		return fmt.Errorf("go list -m %s: %w", j.module, err)
	}
	return copyTree(to, filepath.Join(m.Dir, filepath.FromSlash(j.crdsDir)))
}

// goTool runs the go command in dir and returns its stdout. On failure the
// error carries the end of its stderr. The command and all it started are
// killed when ctx ends, and when this process dies.
func goTool(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = goEnv(os.Environ(), dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	ownGroup(cmd)
	// The parent-death signal is tied to the thread that forks, not to the
	// process: hold on to that thread until the command has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return "", fmt.Errorf("go %s in %s: %w%s", strings.Join(args, " "), dir, err, tail(stderr.String(), 20))
	}
	return stdout.String(), nil
}

// goEnv is env with the settings that would change a build made explicit. Not
// one of them may be left empty: an empty value falls back to what `go env -w`
// has stored.
func goEnv(env []string, dir string) []string {
	set := []string{
		"GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE=on", "CGO_ENABLED=0",
		"GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH, "PWD=" + dir,
	}
	out := make([]string, 0, len(env)+len(set))
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "GOFLAGS", "GOWORK", "GO111MODULE", "CGO_ENABLED", "GOOS", "GOARCH", "PWD", "GOEXPERIMENT", "GOCOVERDIR":
			continue
		}
		out = append(out, kv)
	}
	return append(out, set...)
}

// tail is the last n lines of s, indented and on a line of its own; empty for
// an empty s.
func tail(s string, n int) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	lines := strings.Split(s, "\n")
	lines = lines[max(0, len(lines)-n):]
	return "\n\t" + strings.Join(lines, "\n\t")
}

// every calls f each d until stop is called, which waits for a running f.
func every(d time.Duration, f func()) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
				f()
			}
		}
	}()
	return func() { close(quit); <-done }
}
