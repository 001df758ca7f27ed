package clients

import "syscall"

// bound makes a process end with the thread that started it, so that a test that is killed leaves nothing behind.
func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
