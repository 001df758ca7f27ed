package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
)

const (
	// startLimit is how long a proxy may take until it is ready.
	startLimit = 20 * time.Second
	// stopLimit is how long a proxy may take to end, before it is killed.
	stopLimit = 5 * time.Second
	// portTries is how often a proxy is started anew because another process has taken its port meanwhile.
	portTries = 3
	// maxSocketPath is the length that every system allows for the path of a unix socket, in bytes.
	maxSocketPath = 100
	// pollPause is the time between two looks at something that is to happen.
	pollPause = 20 * time.Millisecond
)

// proxy is one running proxy: this binary again, as a process of its own.
type proxy struct {
	name    string
	site    string // host:port where it answers
	admin   string // address of its admin endpoint, in Caddy's notation
	client  *control.Client
	logFile string
	ended   chan struct{} // closed when the process has ended
	err     error         // why it ended; set before ended is closed
	stop    context.CancelFunc
}

// startProxy starts a proxy with its files in dir and returns when it is ready. The process ends with ctx, at the
// latest; whoever starts it must call close. If the process did not get ready, it is closed, and returned with the
// error for the sake of its log.
func startProxy(ctx context.Context, dir, redisURL string, s settings) (*proxy, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the proxy's folder: %w", err)
	}
	for try := 1; ; try++ {
		p, err := tryProxy(ctx, dir, redisURL, s)
		if err == nil || p == nil || try == portTries || !strings.Contains(p.lastWords(), "address already in use") {
			return p, err
		}
	}
}

func tryProxy(ctx context.Context, dir, redisURL string, s settings) (*proxy, error) {
	p := &proxy{name: s.Instance, logFile: filepath.Join(dir, "log"), ended: make(chan struct{})}
	if err := p.choosePlaces(ctx, dir); err != nil {
		return nil, err
	}
	s.Admin, s.Site = p.admin, p.site
	text, err := caddyfile(s)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write the proxy's Caddyfile: %w", err)
	}
	if err := p.spawn(ctx, dir, config, redisURL); err != nil {
		return nil, err
	}
	if err := p.awaitReady(ctx); err != nil {
		return p, errors.Join(fmt.Errorf("start %s: %w", p.name, err), p.close())
	}
	return p, nil
}

// choosePlaces chooses where the proxy listens. Its admin endpoint is a unix socket where that is possible.
func (p *proxy) choosePlaces(ctx context.Context, dir string) error {
	var err error
	if p.site, err = freePort(ctx); err != nil {
		return err
	}
	socket := filepath.Join(dir, "admin.sock")
	if runtime.GOOS != "windows" && len(socket) <= maxSocketPath {
		p.admin, p.client = "unix/"+socket, control.NewDialer("unix", socket)
		return nil
	}
	if p.admin, err = freePort(ctx); err != nil {
		return err
	}
	p.client = control.NewDialer("tcp", p.admin)
	return nil
}

// spawn starts the process. It ends when ctx is done, or at close.
func (p *proxy) spawn(ctx context.Context, dir, config, redisURL string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this binary: %w", err)
	}
	log, err := os.Create(p.logFile)
	if err != nil {
		return fmt.Errorf("create the proxy's log: %w", err)
	}
	ctx, p.stop = context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, self, "run", "--adapter", "caddyfile", "--config", config)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if redisURL != "" {
		cmd.Env = append(cmd.Env, redisVariable+"="+redisURL)
	}
	cmd.WaitDelay = stopLimit
	isolate(cmd)
	started := make(chan error)
	go p.attend(cmd, log, started)
	if err := <-started; err != nil {
		p.stop()
		return fmt.Errorf("start %s: %w", self, err)
	}
	return nil
}

// attend starts a process and waits until it has ended.
func (p *proxy) attend(cmd *exec.Cmd, log *os.File, started chan<- error) {
	// The kernel ends the process with the thread that started it, should this process be killed: so that thread must
	// live as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	err := cmd.Start()
	started <- err
	if err == nil {
		err = cmd.Wait()
	}
	p.err = errors.Join(err, log.Close())
}

// awaitReady waits until the proxy says that it serves what its store says, and listens at its site: that comes a moment later.
func (p *proxy) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it was not ready within %s", startLimit))
	defer cancel()
	return poll(ctx, func() (bool, error) {
		select {
		case <-p.ended:
			return false, fmt.Errorf("it ended at once: %w", p.err)
		default:
		}
		ready, err := p.client.Ready(ctx)
		if isStarting(err) {
			return false, nil
		}
		return ready.Ready && p.listens(ctx), err
	})
}

// listens reports whether somebody can connect to the proxy's site.
func (p *proxy) listens(ctx context.Context) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.site)
	return err == nil && conn.Close() == nil
}

// isStarting reports whether an error is what a proxy says while it starts: nothing yet, or 503, as its admin endpoint
// is there before its sites are.
func isStarting(err error) bool {
	p, ok := errors.AsType[*control.Problem](err)
	return errors.Is(err, control.ErrUnreachable) || ok && p.Status == http.StatusServiceUnavailable
}

// close ends the process and waits until it has ended.
func (p *proxy) close() error {
	p.stop()
	asked := time.Now()
	<-p.ended
	if time.Since(asked) >= stopLimit {
		return fmt.Errorf("%s did not end within %s and was killed", p.name, stopLimit)
	}
	return nil
}

// lastWords returns the end of the proxy's log, for the message that says that it failed.
func (p *proxy) lastWords() string {
	const lines = 10
	text, err := os.ReadFile(p.logFile)
	if err != nil {
		return "\nThe log of " + p.name + " cannot be read: " + err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	last := slices.Clone(all[max(len(all)-lines, 0):])
	return "\nThe end of the log of " + p.name + ":\n  " + strings.Join(last, "\n  ")
}

// poll asks until the answer is yes, an error, or ctx is done, whose cause it then returns.
func poll(ctx context.Context, ask func() (bool, error)) error {
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		if err := wait(ctx, pollPause); err != nil {
			return err
		}
	}
}
