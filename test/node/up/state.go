//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rollcall.dev/rollcall/test/node"
)

// state is what is known of the cluster that runs in the background: files in a folder of the user's cache.
type state struct{ dir string }

func newState() (*state, error) {
	cache := os.Getenv("ROLLCALL_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("no cache folder (set ROLLCALL_CACHE): %w", err)
		}
		cache = filepath.Join(user, "rollcall")
	}
	cache, err := filepath.Abs(cache)
	return &state{filepath.Join(cache, "cluster")}, err
}

func (s *state) path(name string) string { return filepath.Join(s.dir, name) }

// The files: the id of the process that keeps the cluster, what it says, whom the API server takes for an administrator, what a
// shell has to know, and, once everything is there, where containerd listens.
const (
	pidFile        = "pid"
	logFile        = "log"
	kubeconfigFile = "kubeconfig"
	envFile        = "env"
	readyFile      = "ready"
	binFolder      = "bin"
)

// answers is nil when the API server does.
func (s *state) answers(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, s.path(filepath.Join(binFolder, "kubectl")), "--kubeconfig", s.path(kubeconfigFile), "--request-timeout=5s", "get", "--raw", "/readyz").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// refresh gives the cluster that is up the images anew.
func (s *state) refresh(ctx context.Context, out io.Writer, images []string) error {
	socket, err := os.ReadFile(s.path(readyFile))
	if err != nil {
		return err
	}
	for _, image := range images {
		if err := node.Import(ctx, string(socket), image); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "A cluster is up already; it has the new image now. Pods take it when they start: kubectl -n rollcall rollout restart deployment/rollcall")
	return nil
}

// pid is that of the process that keeps the cluster; 0 when there is none.
func (s *state) pid() int {
	text, err := os.ReadFile(s.path(pidFile))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || syscall.Kill(pid, 0) != nil {
		return 0
	}
	// Ids are given again: this must be a process of this program.
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(command), "\x00"+inTheBackground+"\x00") {
		return 0
	}
	return pid
}

func (s *state) ready() bool {
	_, err := os.Stat(s.path(readyFile))
	return err == nil
}

// stop ends the cluster with all that is in it.
func (s *state) stop(ctx context.Context, out io.Writer) error {
	pid := s.pid()
	if pid == 0 {
		fmt.Fprintln(out, "No cluster is up.")
		return os.RemoveAll(s.dir)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for s.pid() != 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d does not end: see %s", pid, s.path(logFile))
		case <-time.After(100 * time.Millisecond):
		}
	}
	fmt.Fprintln(out, "The cluster is gone, with everything that was in it. A shell that sourced its env: unset KUBECONFIG")
	return os.RemoveAll(s.dir)
}

// explain says how to use the cluster.
func (s *state) explain(out io.Writer) {
	fmt.Fprintf(out, `
The cluster is up: Kubernetes with one node, without DNS, and Argo's controller (kubectl -n argo get pods). To use it in this shell:

  source %s        # KUBECONFIG, and kubectl and helm of the right versions
  kubectl get nodes

It has Rollcall's image; the README says how to install it. It runs until: make cluster-down
`, s.path(envFile))
}

// begin makes an empty folder for a new cluster.
func (s *state) begin() error {
	return errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.path(binFolder), 0o755))
}
