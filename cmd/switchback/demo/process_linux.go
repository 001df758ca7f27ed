package demo

import (
	"os/exec"
	"syscall"
)

// isolate gives a command a process group of its own, so that Ctrl-C in the terminal reaches only this process, which
// ends the others in order; and lets the kernel end it, should this process be killed.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}
