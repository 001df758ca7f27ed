package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// stopLimit is how long a process may take to end before it is killed.
const stopLimit = 5 * time.Second

// child is a running process. It ends when it is closed, when the context that it was started with is done, and on
// Linux with this process, whatever ends that.
type child struct {
	cmd   *exec.Cmd
	ctx   context.Context // that it was started with
	dir   string
	ended chan struct{} // closed when it has ended
	err   error         // why it ended; set before ended is closed
	stop  context.CancelFunc
}

// logName is the file in a child's folder that it writes its messages to.
const logName = "log"

// startChild starts a program in a folder of its own, with variables added to the environment.
func startChild(ctx context.Context, dir string, env []string, program string, args ...string) (*child, error) {
	log, err := os.Create(filepath.Join(dir, logName))
	if err != nil {
		return nil, fmt.Errorf("create the log: %w", err)
	}
	c := &child{ctx: ctx, dir: dir, ended: make(chan struct{})}
	ctx, c.stop = context.WithCancel(ctx)
	c.cmd = exec.CommandContext(ctx, program, args...)
	c.cmd.Dir = dir
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.Env = append(os.Environ(), append(env, "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)...)
	c.cmd.WaitDelay = stopLimit
	isolate(c.cmd)
	started := make(chan error)
	go c.attend(log, started)
	if err := <-started; err != nil {
		c.stop()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return c, nil
}

// attend starts the process and waits until it has ended.
func (c *child) attend(log *os.File, started chan<- error) {
	// Linux ends the process with the thread that started it, so that thread must live as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.ended)
	err := c.cmd.Start()
	started <- err
	if err == nil {
		err = c.cmd.Wait()
	}
	c.err = errors.Join(err, log.Close())
}

// await waits until ready says yes. That the process has ended is an error, with the end of its log.
func (c *child) await(ctx context.Context, limit time.Duration, ready func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not ready within %s", limit))
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		select {
		case <-c.ended:
			return false, fmt.Errorf("ended at once: %w", c.err)
		default:
			return ready()
		}
	})
	if err != nil {
		return fmt.Errorf("%w; the end of its log:\n%s", err, tail(c.dir, logName))
	}
	return nil
}

// close ends the process and waits for it. That it was told to end is no error; that it had ended by itself is one.
func (c *child) close() error {
	defer c.stop()
	if c.ctx.Err() != nil {
		<-c.ended
		return nil
	}
	select {
	case <-c.ended:
		return fmt.Errorf("a process ended early: %w; the end of its log:\n%s", c.err, tail(c.dir, logName))
	default:
	}
	c.stop()
	<-c.ended
	return nil
}

// kill ends the process at once, with no time to put anything in order, and waits for it.
func (c *child) kill() error {
	defer c.stop()
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill a process: %w", err)
	}
	<-c.ended
	return nil
}
