package binaries

import "syscall"

// groupAttr also asks the kernel to kill the child when its parent dies.
func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
