//go:build !linux

package demo

import (
	"os"
	"os/exec"
)

// isolate lets a command end in order where the system has a signal for that.
func isolate(cmd *exec.Cmd) {
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
}
