//go:build linux

package isolate

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// What the program finds in its environment when it is run again.
const (
	stageVariable = "ROLLCALL_ISOLATE_STAGE"
	dirVariable   = "ROLLCALL_ISOLATE_DIR"
	portVariable  = "ROLLCALL_ISOLATE_PORT"
)

// The stages: the first process of the namespaces prepares them and looks after orphans, the second is the program.
const (
	stageInit    = "init"
	stageProgram = "program"
)

// Options say what outside keeps for inside.
type Options struct {
	// Forward opens a port on the loopback interface outside. What connects to it is led to the address that Inside.Serve names.
	Forward bool
}

// Inside is what the program has inside.
type Inside struct {
	// Dir is a folder that outside sees too. It is removed at the end.
	Dir string
	// Port is that of Options.Forward; 0 without.
	Port int
}

// IsInside reports whether Enter would return.
func IsInside() bool { return os.Getenv(stageVariable) == stageProgram }

// Enter returns only inside; outside it runs the program again, and ends this process as that one ends. An error says what the
// machine lacks: root, or the permission to make namespaces.
func Enter(o Options) (*Inside, error) {
	switch os.Getenv(stageVariable) {
	case stageProgram:
		in := &Inside{Dir: os.Getenv(dirVariable)}
		if port := os.Getenv(portVariable); port != "" {
			if _, err := fmt.Sscan(port, &in.Port); err != nil {
				return nil, fmt.Errorf("isolate: %s=%q: %w", portVariable, port, err)
			}
		}
		// What is started from here on may want to isolate something itself.
		return in, os.Unsetenv(stageVariable)
	case stageInit:
		status, err := initialize()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
		os.Exit(status)
	}
	status, err := enter(o)
	if err != nil {
		return nil, err
	}
	os.Exit(status)
	return nil, nil // unreachable
}

// enter is the part outside. It returns the exit status of the program.
func enter(o Options) (int, error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("isolate: only root may make network, mount and process namespaces: run it as root")
	}
	dir, alive, err := makeDir()
	if err != nil {
		return 0, err
	}
	defer alive.Close()
	defer remove(dir)
	// Something is mounted on them inside; outside they are in nobody's way, and need not stay.
	for _, path := range own {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			defer os.Remove(path) // fails where it has become somebody's
		}
	}
	env := append(os.Environ(), stageVariable+"="+stageInit, dirVariable+"="+dir)
	if o.Forward {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("isolate: open the port outside: %w", err)
		}
		defer listener.Close()
		env = append(env, fmt.Sprintf("%s=%d", portVariable, listener.Addr().(*net.TCPAddr).Port))
		go forward(listener, "unix", filepath.Join(dir, socketName))
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	cmd := again(env)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Setpgid:    true, Pdeathsig: syscall.SIGKILL,
	}
	ended, err := start(cmd)
	if err != nil {
		return 0, fmt.Errorf("isolate: make namespaces: %w", err)
	}
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s)
		case err := <-ended:
			return statusOf(cmd, err)
		}
	}
}

// again is this program once more, with the same arguments and streams.
func again(env []string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// statusOf is how a shell would tell the end of a command.
func statusOf(cmd *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("isolate: %w", err)
	}
	return shellStatus(cmd.ProcessState.Sys().(syscall.WaitStatus)), nil
}

func shellStatus(w syscall.WaitStatus) int {
	if w.Signaled() {
		return 128 + int(w.Signal())
	}
	return w.ExitStatus()
}

const dirPrefix = "rollcall-node-"

// aliveName is a file in the folder that the process outside holds a lock on: a process id says nothing in another namespace.
const aliveName = "alive"

// makeDir makes a folder and removes those of processes that were killed before they could. Its name is short: sockets have at
// most 107 bytes for theirs. It is in use until the file that is returned is closed.
func makeDir() (dir string, alive *os.File, err error) {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range old {
		if alive, err := lock(dir); err == nil {
			remove(dir)
			alive.Close()
		}
	}
	if dir, err = os.MkdirTemp("", dirPrefix); err == nil {
		alive, err = lock(dir)
	}
	if err != nil {
		return "", nil, fmt.Errorf("isolate: %w", err)
	}
	return dir, alive, nil
}

// lock takes the lock of a folder, and fails where somebody has it.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, aliveName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// remove removes a folder, and the control groups of that name, which outlive the processes in them.
func remove(dir string) {
	groups, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", "*", filepath.Base(dir)))
	for _, root := range append(groups, filepath.Join("/sys/fs/cgroup", filepath.Base(dir))) {
		removeGroups(root)
	}
	_ = os.RemoveAll(dir)
}

// removeGroups removes a tree of control groups from its leaves up: their files cannot be removed, and need not be.
func removeGroups(root string) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() {
			removeGroups(filepath.Join(root, e.Name()))
		}
	}
	_ = syscall.Rmdir(root)
}
