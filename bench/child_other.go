//go:build !linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

// isolate lets a process end in order where the system has a signal for that.
func isolate(cmd *exec.Cmd) {
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
}

// processorTime needs Linux.
func processorTime(int) (time.Duration, error) {
	return 0, errors.New("the processor time of another process can be measured on Linux only")
}

// errFreeze is why no process is frozen here.
var errFreeze = errors.New("a process can be frozen on Linux only")

// freeze needs Linux.
func (*child) freeze() error { return errFreeze }

// thaw needs Linux.
func (*child) thaw() error { return errFreeze }
