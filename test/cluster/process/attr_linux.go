package process

import "syscall"

// attributes puts a child into a process group of its own, so that a Ctrl-C in
// the terminal is this process's to handle, and has the kernel kill the child
// when this process dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
