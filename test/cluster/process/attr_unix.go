//go:build unix && !linux

package process

import "syscall"

// attributes puts a child into a process group of its own. There is no
// parent-death signal here: after a crash of the test its children live on.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
