//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/node"
)

// inTheBackground is the argument of the process that keeps the cluster.
const inTheBackground = "keep-in-the-background"

// start starts the cluster in the background and waits until it can be used.
func (s *state) start(ctx context.Context, out io.Writer, images []string) error {
	if s.pid() != 0 && s.ready() {
		if err := s.answers(ctx); err != nil {
			return fmt.Errorf("a cluster was started and does not answer; make cluster-down ends what is left of it: %w", err)
		}
		if err := s.refresh(ctx, out, images); err != nil {
			return err
		}
		s.explain(out)
		return nil
	}
	if s.pid() != 0 {
		return errors.New("one is being started; if that hangs, end it: make cluster-down")
	}
	if err := node.ForNode.Missing(); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("a node needs root: containers and network namespaces are made")
	}
	// What is inside later cannot reach the Go module proxy.
	needed := slices.Concat(cluster, binaries.Node())
	paths, err := binaries.Ensure(ctx, out, needed...)
	if err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	if err := s.writeEnv(paths); err != nil {
		return err
	}
	log, err := os.Create(s.path(logFile))
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{inTheBackground}
	for _, image := range images {
		if image, err = filepath.Abs(image); err != nil {
			return err
		}
		args = append(args, "-image="+image)
	}
	args = append(args, "--") // the argument that names the process never comes last
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C in this terminal, and its end, are not for the cluster
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(s.path(pidFile), fmt.Appendln(nil, cmd.Process.Pid), 0o644); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := s.awaitReady(ctx, out, ended); err != nil {
		return errors.Join(err, s.stop(context.WithoutCancel(ctx), io.Discard))
	}
	s.explain(out)
	return nil
}

// cluster is what runs, and what users of it run.
var cluster = []binaries.Binary{binaries.Etcd, binaries.KubeAPIServer, binaries.Kubectl, binaries.Argo37, binaries.Helm}

// writeEnv writes what a shell has to know.
func (s *state) writeEnv(paths binaries.Paths) error {
	for _, b := range []binaries.Binary{binaries.Kubectl, binaries.Helm} {
		if err := os.Symlink(paths.Exe(b), s.path(filepath.Join(binFolder, string(b)))); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("export KUBECONFIG=%q\nexport PATH=%q:$PATH\n", s.path(kubeconfigFile), s.path(binFolder))
	return os.WriteFile(s.path(envFile), []byte(text), 0o644)
}

// startWithin is how long the cluster may take to come up, once everything is built.
const startWithin = 3 * time.Minute

// awaitReady shows what the process in the background says until that has everything up.
func (s *state) awaitReady(ctx context.Context, out io.Writer, ended <-chan error) error {
	log, err := os.Open(s.path(logFile))
	if err != nil {
		return err
	}
	defer log.Close()
	lines := bufio.NewReader(log)
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		ready := s.ready()
		for line := ""; ; {
			more, err := lines.ReadString('\n')
			line += more
			if err != nil {
				break
			}
			fmt.Fprint(out, line)
			line = ""
		}
		if ready {
			return nil
		}
		select {
		case err := <-ended:
			_, _ = io.Copy(out, lines)
			return fmt.Errorf("it did not come up: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("it did not come up: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
