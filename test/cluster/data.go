package cluster

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dataPrefix starts the name of a data folder; the id of the process that owns
// it follows.
const dataPrefix = "rollcall-cluster-"

// keepMark is a file in a data folder that is not to be removed.
const keepMark = "keep"

func (c *Cluster) makeDataDir() error {
	parent := c.options.Dir
	if parent == "" {
		parent = os.TempDir()
	}
	sweep(parent)
	dir, err := os.MkdirTemp(parent, fmt.Sprintf("%s%d-", dataPrefix, os.Getpid()))
	if err != nil {
		return fmt.Errorf("make data folder (Options.Dir): %w", err)
	}
	c.data = dir
	if c.options.Keep {
		return os.WriteFile(c.path(keepMark), nil, 0o644)
	}
	return nil
}

// sweep removes data folders whose owner was killed before it could. What it
// cannot remove is for somebody else.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, dataPrefix+"*"))
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dataPrefix), "-")
		id, err := strconv.Atoi(pid)
		if err != nil || alive(id) {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, keepMark)); err == nil {
			continue
		}
		_ = os.RemoveAll(dir)
	}
}

// alive reports whether a process with this id exists, also another user's.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || err == syscall.EPERM
}

// stopOnSignal does what Options.StopOnSignal says, until the returned function
// is called.
func (c *Cluster) stopOnSignal() (cancel func()) {
	ch := make(chan os.Signal, 1)
	quit := make(chan struct{})
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-quit:
		case s := <-ch:
			fmt.Fprintf(c.options.Progress, "cluster: %s, stopping\n", s)
			signal.Stop(ch)
			_ = c.Stop()
			signal.Reset(s)
			_ = syscall.Kill(os.Getpid(), s.(syscall.Signal))
		}
	}()
	return func() { signal.Stop(ch); close(quit) }
}
