package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
)

const (
	// startLimit is how long a proxy may take until it is ready.
	startLimit = 30 * time.Second
	// portTries is how often a proxy is started anew because another process has taken its port meanwhile.
	portTries = 3
	// split is the name of the split in every proxy.
	split = "assistant"
)

// settings are what proxies differ in.
type settings struct {
	name  string
	app   string // what the global option switchback holds; empty for a plain proxy, which has none
	site  string // the site's directives
	procs int    // processors that it may use at once; 0 for all
}

// proxy is a running proxy: this program again, as a process of its own.
type proxy struct {
	*child
	settings settings
	dir      string // its folder, where all of its data is
	address  string // host:port where it answers
	admin    *http.Client
	control  *control.Client
}

// startProxy starts a proxy, which ends with the lab, and returns when it is ready.
func (l *lab) startProxy(ctx context.Context, s settings) (*proxy, error) {
	for try := 1; ; try++ {
		p, err := l.tryProxy(ctx, s)
		if err == nil {
			l.atEnd(func() error { return p.close() }) // which may be another process by then
			return p, nil
		}
		if try == portTries || !strings.Contains(err.Error(), "address already in use") {
			return nil, fmt.Errorf("start %s: %w", s.name, err)
		}
	}
}

func (l *lab) tryProxy(ctx context.Context, s settings) (*proxy, error) {
	dir, err := l.folder(s.name)
	if err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "admin.sock")
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(s.caddyfile(socket, address)), 0o600); err != nil {
		return nil, fmt.Errorf("write the Caddyfile: %w", err)
	}
	p := &proxy{settings: s, dir: dir, address: address, admin: clientOf(socket)}
	p.control = control.NewClient("http://127.0.0.1", p.admin)
	return p, p.start(ctx)
}

// configName is the file in a proxy's folder that configures it.
const configName = "Caddyfile"

// start starts the process and waits until it is ready. A proxy that was closed can be started again, with all that it
// has on its disk.
func (p *proxy) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	env := []string{asProxy + "=1"}
	if p.settings.procs > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", p.settings.procs))
	}
	p.admin.CloseIdleConnections()
	p.child, err = startChild(ctx, p.dir, env, self, "run", "--adapter", "caddyfile", "--config", filepath.Join(p.dir, configName))
	if err != nil {
		return err
	}
	if err := p.await(ctx, startLimit, func() (bool, error) { return p.ready(ctx, p.settings.app != "") }); err != nil {
		return errors.Join(err, p.close())
	}
	return nil
}

// clientOf returns a client of the admin endpoint on a unix socket, whatever host a URL names.
func clientOf(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

// ready reports whether the proxy serves.
func (p *proxy) ready(ctx context.Context, splits bool) (bool, error) {
	if !accepts(ctx, p.address) {
		return false, nil
	}
	if !splits {
		return true, nil
	}
	r, err := p.control.Ready(ctx)
	problem, refused := errors.AsType[*control.Problem](err)
	if errors.Is(err, control.ErrUnreachable) || refused && problem.Status == http.StatusServiceUnavailable {
		return false, nil // Caddy's admin endpoint answers before the apps have started
	}
	return r.Ready, err
}

// caddyfile returns the proxy's configuration.
func (s settings) caddyfile(socket, address string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\n\tadmin \"unix/%s\"\n\tauto_https off\n\tpersist_config off\n\tgrace_period 1s\n", socket)
	if s.app != "" {
		fmt.Fprintf(&b, "\tswitchback {\n%s\n\t}\n", s.app)
	}
	fmt.Fprintf(&b, "}\nhttp://%s {\n\tbind 127.0.0.1\n%s\n}\n", address, s.site)
	return b.String()
}

// memory is what a Go program's run-time says of its memory: runtime.MemStats, in part.
type memory struct {
	Mallocs    uint64 // objects allocated so far
	HeapInuse  uint64 // bytes
	StackInuse uint64 // bytes
}

// memory asks the proxy for its memory, after a collection of all garbage if collect is true.
func (p *proxy) memory(ctx context.Context, collect bool) (memory, error) {
	var vars struct {
		Memory memory `json:"memstats"`
	}
	if collect {
		// What the first collection leaves to finalizers and pools goes with the second one.
		for range 2 {
			if _, err := p.ask(ctx, "/debug/pprof/heap?gc=1"); err != nil {
				return memory{}, err
			}
		}
	}
	body, err := p.ask(ctx, "/debug/vars")
	if err != nil {
		return memory{}, err
	}
	if err := json.Unmarshal(body, &vars); err != nil {
		return memory{}, fmt.Errorf("read the proxy's memory: %w", err)
	}
	return vars.Memory, nil
}

// ask gets something from Caddy's admin endpoint.
func (p *proxy) ask(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.admin.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the proxy for %s: %w", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the proxy for %s: status %d: %w", path, resp.StatusCode, err)
	}
	return body, nil
}
