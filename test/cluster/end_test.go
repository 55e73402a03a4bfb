package cluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/cluster"
)

// startChild runs this test binary as a process that owns a cluster with its
// data in dir, and returns it with the ids of the cluster's processes.
func startChild(ctx context.Context, t *testing.T, dir string) (*exec.Cmd, []int) {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), asChild+"="+dir)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	check(t, err)
	var pids []int
	for _, f := range strings.Fields(line) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatalf("the child says: %s", line)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 3 {
		t.Fatalf("the child runs %v, want etcd, kube-apiserver and argo", pids)
	}
	return cmd, pids
}

func awaitGone(ctx context.Context, t *testing.T, pids []int) {
	t.Helper()
	check(t, cluster.Await(ctx, "the cluster's processes to end", func(context.Context) error {
		for _, pid := range pids {
			if exists(pid) {
				return fmt.Errorf("process %d lives", pid)
			}
		}
		return nil
	}))
}

// exists reports whether a process with this id is there and not a zombie: who
// reaps an orphan, and when, depends on the machine.
func exists(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		_, state, _ := strings.Cut(string(stat), ") ") // after the name, which may hold anything
		return !strings.HasPrefix(state, "Z")
	}
	return syscall.Kill(pid, 0) == nil
}

func TestNoProcessOutlivesAnOwnerThatIsKilled(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	dir := t.TempDir()
	owner, pids := startChild(ctx, t, dir)
	check(t, owner.Process.Kill())
	_ = owner.Wait()
	awaitGone(ctx, t, pids)

	t.Run("and its data goes with the next start", func(t *testing.T) {
		if len(dataFolders(t, dir)) != 1 {
			t.Fatalf("want one data folder left behind, have %v", dataFolders(t, dir))
		}
		c, err := cluster.Start(ctx, cluster.Options{Dir: dir, WithoutArgo: true})
		check(t, err)
		t.Cleanup(func() { check(t, c.Stop()) })
		if got := dataFolders(t, dir); len(got) != 1 || got[0] != c.DataDir() {
			t.Errorf("there are %v, want only %s", got, c.DataDir())
		}
	})
}

func TestASignalStopsTheClusterAndThenItsOwner(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	dir := t.TempDir()
	owner, pids := startChild(ctx, t, dir)
	check(t, owner.Process.Signal(os.Interrupt))
	var exit *exec.ExitError
	if err := owner.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("the owner ended with %v, want by SIGINT", err)
	}
	awaitGone(ctx, t, pids)
	if got := dataFolders(t, dir); len(got) > 0 {
		t.Errorf("data is left: %v", got)
	}
}

func dataFolders(t *testing.T, dir string) []string {
	t.Helper()
	got, err := filepath.Glob(filepath.Join(dir, "rollcall-cluster-*"))
	check(t, err)
	return got
}
