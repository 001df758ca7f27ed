//go:build unix

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// handled is a site's error page, which the kill response must pass by.
const handled = `handle_errors {
	respond "an error page" 200
}`

// killSettings are one proxy on the embedded store.
func killSettings(t *testing.T) settings {
	return settings{
		blue: startAgent(t, "blue"), green: startAgent(t, "green"), after: handled,
		split: "kill_response 503 {\nbody \"gone for today\"\nretry_after 30s\n}",
	}
}

func TestKillAnswersAsConfigured(t *testing.T) {
	t.Parallel()
	p := startProxy(t, killSettings(t).caddyfile())
	p.mustSplit(0, "kill", "assistant", "--reason", "leaks prompts")
	got := p.get("anybody", "/")
	if got.status != 503 || got.body != "gone for today" || got.header.Get("Retry-After") != "30" ||
		got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("GET: got %+v", got)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://example.test/svc/Call", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc+proto")
	got = send(p.http, r)
	if got.status != 200 || got.header.Get("Grpc-Status") != "14" || got.header.Get("Content-Type") != "application/grpc+proto" {
		t.Errorf("gRPC: got %+v", got)
	}
	a := p.mustSplit(0, "revive", "assistant")
	if p.mustGet("anybody", "/") == "" {
		t.Errorf("after %s: no answer", a)
	}
}

func TestKillOfOneVariant(t *testing.T) {
	t.Parallel()
	p := startProxy(t, killSettings(t).caddyfile())
	user := p.userOf("green")
	p.mustSplit(0, "kill", "assistant", "green", "--reason", "loops")
	if got := p.mustGet(user, "/"); got != "blue" {
		t.Errorf("green's user gets %s, want stable", got)
	}
	if got := p.share("assistant", "green").String(); got != "50%" {
		t.Errorf("weight during a kill is %s, want it as it was", got)
	}
	p.mustSplit(2, "kill", "assistant", "blue")
	if got := p.mustGet(user, "/"); got != "blue" {
		t.Errorf("after a refused kill: %s", got)
	}
	p.mustSplit(0, "kill", "assistant", "blue", "--all")
	if got := p.get(user, "/"); got.status != 503 {
		t.Errorf("all killed: got %+v", got)
	}
	a := p.mustSplit(0, "revive", "assistant")
	if got := p.mustGet(user, "/"); got != "green" {
		t.Errorf("revived, green's user gets %s: %s", got, a)
	}
}

func TestKillLevels(t *testing.T) {
	t.Parallel()
	s := killSettings(t)
	p := startProxy(t, s.caddyfile())
	user := p.userOf("green")
	open := openSession(t, p, user)
	p.mustSplit(0, "kill", "assistant", "green", "--level", "requests")
	if got := p.mustGet(user, "/"); got != "blue" {
		t.Errorf("a new request gets %s", got)
	}
	open.mustGoOn()
	// What is in flight belongs to an older configuration by now. A reload closes WebSockets, so only the others count.
	p.mustSplit(0, "kill", "assistant", "green", "--level", "cut")
	open.mustEnd()
	await(t, "nothing is in flight", func() bool { return inFlight(p, "green") == 0 })
}

func TestKillCutsOlderGenerations(t *testing.T) {
	t.Parallel()
	s := killSettings(t)
	s.globals = "grace_period 60s"
	text := strings.Replace(s.caddyfile(), "grace_period 1s", "", 1)
	p := startProxy(t, text)
	open := openSession(t, p, p.userOf("green"))
	p.mustReload(text)
	for range 10 {
		if _, err := open.stream.ReadString('\n'); err != nil {
			t.Fatalf("the stream ended by a reload: %v", err)
		}
	}
	p.mustSplit(0, "kill", "assistant", "--level", "cut")
	open.mustEnd()
}

func TestKillSurvivesRestarts(t *testing.T) {
	for _, tt := range []struct {
		name string
		// down ends the proxy.
		down func(*proxy)
	}{
		{"stopped", (*proxy).stop},
		{"killed", func(p *proxy) { p.kill() }},
	} {
		t.Run("embedded, "+tt.name, func(t *testing.T) {
			t.Parallel()
			p := startProxy(t, killSettings(t).caddyfile())
			p.mustSplit(0, "kill", "assistant", "--reason", "leaks prompts")
			tt.down(p)
			p.start()
			p.awaitUp()
			if got := p.get("u", "/"); got.status != 503 {
				t.Errorf("first request after the restart: %+v", got)
			}
			p.awaitReady()
			p.mustSplit(0, "revive", "assistant")
		})
		t.Run("redis, "+tt.name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, settings{})
			f.one.mustSplit(0, "kill", "assistant")
			tt.down(f.two)
			f.redis.Kill()
			f.two.start()
			f.two.awaitUp()
			if got := f.two.get("u", "/"); got.status != 503 {
				t.Errorf("first request after a restart without Redis: %+v", got)
			}
			f.redis.Restart()
			f.two.awaitReady()
			if got := f.two.get("u", "/"); got.status != 503 {
				t.Errorf("with Redis back: %+v", got)
			}
		})
	}
}

// TestKillOverHTTP2 cuts a stream on TLS, where many requests share a connection: the others must go on.
func TestKillOverHTTP2(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	p := startProxy(t, anonymousCaddyfile(t, port))
	getTLS(t, port) // waits for the certificate
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	ask := func(path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://localhost:%d%s", port, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	streaming := ask("/stream")
	if streaming.ProtoMajor != 2 {
		t.Fatalf("protocol %s, want HTTP/2", streaming.Proto)
	}
	lines := bufio.NewReader(streaming.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.mustSplit(0, "kill", "assistant", "--level", "cut")
	ended := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, lines); ended <- err }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the stream ended as if it were complete")
		}
	case <-time.After(patience):
		t.Fatal("the stream goes on")
	}
	if got := ask("/"); got.StatusCode != 503 || got.ProtoMajor != 2 {
		t.Errorf("the next request: %d over %s", got.StatusCode, got.Proto)
	}
}
