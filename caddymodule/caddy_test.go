package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

// proxy is a Caddy in this process, with one site on a unix socket. Caddy's configuration is the process's, so there
// is one at a time.
type proxy struct {
	t       testing.TB
	folder  string
	globals string
	app     string // further lines of the switchback block
	client  *http.Client
}

// startProxy runs a Caddy whose site has the given directives.
func startProxy(t testing.TB, site string) *proxy {
	t.Helper()
	return startProxyWith(t, "", site)
}

// startProxyWith also takes global options.
func startProxyWith(t testing.TB, globals, site string) *proxy {
	t.Helper()
	p := &proxy{t: t, folder: t.TempDir(), globals: globals}
	p.client = &http.Client{Transport: patient{&http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", p.socket())
		},
	}}}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Errorf("stop Caddy: %v", err)
		}
	})
	if err := p.load(site); err != nil {
		t.Fatalf("load: %v", err)
	}
	eventually(t, "every split has its state", func() bool {
		for _, name := range p.controller().Splits() {
			if p.controller().Split(name).State() == nil {
				return false
			}
		}
		return true
	})
	return p
}

// patient tries a GET again whose connection was closed without an answer: what an old configuration accepts while a new
// one takes over, its server closes.
type patient struct{ *http.Transport }

func (t patient) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(r)
	if errors.Is(err, io.EOF) && r.Method == http.MethodGet {
		return t.Transport.RoundTrip(r)
	}
	return resp, err
}

func (p *proxy) socket() string { return filepath.Join(p.folder, "http.sock") }

// load loads a configuration, as a reload does.
func (p *proxy) load(site string) error {
	text := fmt.Sprintf(`{
		admin off
		persist_config off
		auto_https off
		storage file_system %s
		grace_period 100ms
		log {
			level ERROR
		}
		switchback {
			instance test
			store embedded %s
			%s
		}
		%s
	}
	http:// {
		bind unix/%s
		%s
	}`, p.folder, p.folder, p.app, p.globals, p.socket(), site)
	adapter := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}
	config, warnings, err := adapter.Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return fmt.Errorf("adapt: %w", err)
	}
	for _, w := range warnings {
		if !strings.Contains(w.Message, "not formatted") {
			p.t.Logf("warning: %v", w)
		}
	}
	p.client.CloseIdleConnections() // a reload closes them, and a request that was on its way would see it
	return caddy.Load(config, true)
}

// controller is the one that runs now.
func (p *proxy) controller() *rollout.Controller { return controllers.newest() }

// counts adds up a split's outcomes, over all variants.
func (p *proxy) counts(split string) (c health.Counts) {
	p.controller().Split(split).Totals(func(_ string, t *health.Totals) {
		snapshot := t.Snapshot()
		snapshot.Counts.Each(func(class health.Class, cause health.Cause, n uint64) { c[class][cause] += n })
	})
	return c
}

// eventually polls until ok, or fails the test after a generous time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within 30 s", what)
}
