package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/switchback-proxy/switchback/health"
)

// agent is an upstream that answers as it is told before each request.
type agent struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
}

// startAgent starts an agent that speaks HTTP/1, and HTTP/2 without TLS.
func startAgent(t testing.TB) *agent {
	t.Helper()
	a := new(agent)
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 { // else the stream is reset, which Caddy's proxy meets with a data race of its own
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
		}
		(*a.answer.Load())(w, r)
	}))
	a.Config.Protocols = new(http.Protocols)
	a.Config.Protocols.SetHTTP1(true)
	a.Config.Protocols.SetUnencryptedHTTP2(true)
	a.Start()
	t.Cleanup(a.Close)
	return a
}

// site is a split of which the only variant is the agent; options are sub-directives.
func (a *agent) site(options string) string {
	return "traffic_split s {\nvariant only 100% " + a.Listener.Addr().String() + "\n" + options + "\n}"
}

// will sets how the next request is answered.
func (a *agent) will(answer http.HandlerFunc) { a.answer.Store(&answer) }

// in returns an answer with a body, in odd pieces, each flushed. Pairs of header are set before. If torn, the
// connection breaks after the last piece.
func in(body string, torn bool, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		flush := http.NewResponseController(w).Flush
		for rest, size := body, 1; rest != ""; size = size%61 + 7 {
			n := min(size, len(rest))
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
			if err := flush(); err != nil {
				return
			}
		}
		if torn {
			panic(http.ErrAbortHandler)
		}
	}
}

// golden returns a body that package stream is tested with.
func golden(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "stream", "testdata", filepath.FromSlash(name)+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// ask posts a request and returns the answer's body as far as it came, and whether that was to its end.
func (p *proxy) ask(header ...string) (body string, whole bool) {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://agent.test/", strings.NewReader("{}"))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err == nil
}

// counted runs something that makes one request, and checks what that is counted as.
func (p *proxy) counted(t *testing.T, class health.Class, cause health.Cause, request func()) {
	t.Helper()
	want := p.counts("s")
	before := want
	want[class][cause]++
	request()
	eventually(t, "the outcome", func() bool { return p.counts("s") != before })
	if got := p.counts("s"); got != want {
		t.Errorf("counted %v, want %v", show(got), show(want))
	}
}
