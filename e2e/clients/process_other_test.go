//go:build unix && !linux

package clients

import "syscall"

// bound makes a process of no kind in particular: only Linux ends a process with the one that started it.
func bound() *syscall.SysProcAttr { return new(syscall.SysProcAttr) }
