package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Spec says what to run. Name, Path and Log are required.
type Spec struct {
	Name string   // for messages
	Path string   // of the executable
	Args []string // without the executable itself
	Env  []string // "name=value", added to this process's environment
	Dir  string   // working folder; empty: this process's
	Log  string   // file that stdout and stderr are appended to

	// Ready says whether the process that was started at the given time can be
	// used; nil if it can, else why not yet. It is asked until it says yes.
	// Without Ready a process is usable as soon as it runs.
	Ready func(ctx context.Context, started time.Time) error
	// ReadyWithin bounds the wait for Ready; 0 means 30 s.
	ReadyWithin time.Duration
	// StopWithin is how long Stop waits after SIGTERM before it sends SIGKILL;
	// 0 means 10 s.
	StopWithin time.Duration
}

func (s Spec) validate() error {
	switch {
	case s.Name == "":
		return errors.New("process: Spec.Name is empty")
	case s.Path == "":
		return fmt.Errorf("process %s: Spec.Path is empty", s.Name)
	case s.Log == "":
		return fmt.Errorf("process %s: Spec.Log is empty", s.Name)
	}
	return nil
}

// A Process is one command line that runs at most once at a time. Its methods
// may be called from any goroutine.
type Process struct {
	spec Spec

	mu     sync.Mutex
	run    *run // the present or last run; nil before the first
	forgot bool // Forget was called
}

// run is one execution.
type run struct {
	cmd     *exec.Cmd
	started time.Time
	logFrom int64         // size of the log when it began
	done    chan struct{} // closed once the child is reaped
	exit    error         // valid once done is closed
}

func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// New returns a Process that is not started yet.
func New(spec Spec) (*Process, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	if spec.ReadyWithin == 0 {
		spec.ReadyWithin = 30 * time.Second
	}
	if spec.StopWithin == 0 {
		spec.StopWithin = 10 * time.Second
	}
	return &Process{spec: spec}, nil
}

// ErrRunning is returned by Start if the process runs already.
var ErrRunning = errors.New("already running")

// Start runs the process and waits until it is ready. If it ends before, or is
// not ready in time, it is killed and the error holds the end of its log.
func (p *Process) Start(ctx context.Context) error {
	r, err := p.fork()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.spec.Name, err)
	}
	if err := p.awaitReady(ctx, r); err != nil {
		r.kill()
		<-r.done
		return fmt.Errorf("start %s: %w; end of %s:\n%s", p.spec.Name, err, p.spec.Log, p.LogTail(30))
	}
	return nil
}

func (p *Process) fork() (*run, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.forgot {
		return nil, errors.New("the cluster it belongs to has been stopped")
	}
	if p.run != nil && !p.run.ended() {
		return nil, ErrRunning
	}
	log, err := os.OpenFile(p.spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own descriptor
	cmd := exec.Command(p.spec.Path, p.spec.Args...)
	cmd.Dir = p.spec.Dir
	cmd.Env = append(os.Environ(), p.spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes()
	r := &run{cmd: cmd, done: make(chan struct{})}
	if st, err := log.Stat(); err == nil {
		r.logFrom = st.Size()
	}
	forked := make(chan error)
	go func() {
		// The kernel sends the parent-death signal when the *thread* that
		// forked ends, and the Go runtime ends threads. So this goroutine keeps
		// its thread for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		r.started = time.Now()
		if err := cmd.Start(); err != nil {
			forked <- err
			return
		}
		forked <- nil
		r.exit = cmd.Wait()
		close(r.done)
	}()
	if err := <-forked; err != nil {
		return nil, err
	}
	p.run = r
	return r, nil
}

func (p *Process) awaitReady(ctx context.Context, r *run) error {
	if p.spec.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.spec.ReadyWithin)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		why := p.spec.Ready(ctx, r.started)
		if why == nil {
			return nil
		}
		select {
		case <-r.done:
			return fmt.Errorf("it ended (%s) before it was ready: %w", exitText(r.exit), why)
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w (%w)", time.Since(r.started).Round(time.Millisecond), why, ctx.Err())
		case <-poll.C:
		}
	}
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// current is the run under way, or nil.
func (p *Process) current() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil || p.run.ended() {
		return nil
	}
	return p.run
}

// Stop ends the process: SIGTERM, and SIGKILL if it has not ended within
// Spec.StopWithin. It works on a paused process and returns nil for one that
// does not run.
func (p *Process) Stop() error {
	r := p.current()
	if r == nil {
		return nil
	}
	// In this order a paused process meets the SIGTERM before it runs any code.
	err := errors.Join(r.signal(syscall.SIGTERM), r.signal(syscall.SIGCONT))
	t := time.NewTimer(p.spec.StopWithin)
	defer t.Stop()
	select {
	case <-r.done:
		return nil
	case <-t.C:
	}
	r.kill()
	<-r.done
	if err != nil {
		return fmt.Errorf("stop %s: %w", p.spec.Name, err)
	}
	return nil
}

// Kill ends the process at once with SIGKILL and waits for its end. It returns
// nil for one that does not run.
func (p *Process) Kill() error {
	r := p.current()
	if r == nil {
		return nil
	}
	r.kill()
	<-r.done
	return nil
}

// Pause stops the process from running any code (SIGSTOP) until Resume. Its
// connections stay open.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP, "pause") }

// Resume lets a paused process run on (SIGCONT).
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT, "resume") }

func (p *Process) signal(s syscall.Signal, verb string) error {
	r := p.current()
	if r == nil {
		return fmt.Errorf("%s %s: it is not running", verb, p.spec.Name)
	}
	if err := r.signal(s); err != nil {
		return fmt.Errorf("%s %s: %w", verb, p.spec.Name, err)
	}
	return nil
}

// Forget kills the process for good: every later Start fails. It keeps a test
// that is still running from reviving part of a cluster that is gone.
func (p *Process) Forget() {
	p.mu.Lock()
	p.forgot = true
	p.mu.Unlock()
	_ = p.Kill()
}

// Running reports whether the process runs, or is paused.
func (p *Process) Running() bool { return p.current() != nil }

// Pid is the process id of the run under way; 0 if there is none.
func (p *Process) Pid() int {
	if r := p.current(); r != nil {
		return r.cmd.Process.Pid
	}
	return 0
}

// Done is closed when the present run ends, or at once if there is none. A
// later Start makes a new one.
func (p *Process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	return p.run.done
}

// Exit is how the last run ended: nil for exit status 0, *exec.ExitError
// otherwise. It is nil too before the first run and while one is under way.
func (p *Process) Exit() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil || !p.run.ended() {
		return nil
	}
	return p.run.exit
}

// Name is Spec.Name.
func (p *Process) Name() string { return p.spec.Name }

// LogFile is the path of the log of all runs.
func (p *Process) LogFile() string { return p.spec.Log }

// Log is what the present or last run has written so far.
func (p *Process) Log() (string, error) {
	p.mu.Lock()
	var from int64
	if p.run != nil {
		from = p.run.logFrom
	}
	p.mu.Unlock()
	data, err := os.ReadFile(p.spec.Log)
	if err != nil {
		return "", fmt.Errorf("read log of %s: %w", p.spec.Name, err)
	}
	return string(data[min(from, int64(len(data))):]), nil
}

// LogTail is the last n lines of Log, for messages.
func (p *Process) LogTail(n int) string {
	log, err := p.Log()
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func (r *run) signal(s syscall.Signal) error {
	if err := r.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// kill ends the whole process group: what is run may itself be a script.
func (r *run) kill() {
	if !r.ended() {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	}
}
