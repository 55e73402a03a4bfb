//go:build linux

package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// own are the folders that get contents of their own inside.
var own = []string{"/var/log", "/var/lib/cni", "/var/lib/kubelet"}

// initialize is the first process of the namespaces. When it ends, the kernel ends all others.
func initialize() (int, error) {
	if err := prepare(os.Getenv(dirVariable)); err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	env := append(os.Environ(), stageVariable+"="+stageProgram)
	cmd := again(env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the parent-death signal is tied to the thread
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("isolate: start the program: %w", err)
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	// Orphans become children of this process, and stay zombies until somebody asks how they ended.
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("isolate: wait: %w", err)
		case pid == cmd.Process.Pid:
			return shellStatus(status), nil
		}
	}
}

// prepare makes the namespaces what a program expects.
func prepare(dir string) error {
	// Nothing that is mounted here may show outside.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("isolate: make mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("isolate: mount /proc: %w", err)
	}
	// Sockets, locks and the network namespaces of pods.
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("isolate: mount /run: %w", err)
	}
	for _, path := range own {
		behind := filepath.Join(dir, "own", path)
		for _, d := range []string{path, behind} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return fmt.Errorf("isolate: %w", err)
			}
		}
		if err := syscall.Mount(behind, path, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("isolate: mount %s: %w", path, err)
		}
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("isolate: ip link set lo up: %w: %s (apt-get install iproute2)", err, out)
	}
	return nil
}

// start starts a command from a thread that lives as long as the command: the kernel sends the parent-death signal when the
// thread ends that forked. The end comes on the channel.
func start(cmd *exec.Cmd) (<-chan error, error) {
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return ended, <-started
}
