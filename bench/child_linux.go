package main

import (
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// isolate gives a process a group of its own, so that Ctrl-C in the terminal reaches only this one, which ends the
// others in order; and lets the kernel end it should this process be killed.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// processorTime returns the processor time, in user and system together, that a process has used so far, in
// nanoseconds as the scheduler counts them: the ticks of /proc/PID/stat are 10 ms long.
func processorTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED of linux/posix-timers_types.h; what clock_getcpuclockid(3) returns
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

// freeze stops a process where it stands: its connections stay open, and nobody answers on them.
func (c *child) freeze() error { return c.cmd.Process.Signal(syscall.SIGSTOP) }

// thaw lets a frozen process go on.
func (c *child) thaw() error { return c.cmd.Process.Signal(syscall.SIGCONT) }
