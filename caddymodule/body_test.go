package caddymodule

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/stream"
)

// Files are read on their way as well, and what is not looked into goes by the server's own means.
func TestFiles(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"error.json": golden(t, "json/error"), "page.html": "<p>" + golden(t, "json/error")} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := startProxy(t, "traffic_split s {\nvariant only 100% {\nhandle {\nroot "+folder+"\nfile_server\n}\n}\n}")
	get := func(path string) func() {
		return func() {
			resp, err := p.client.Get("http://agent.test" + path)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err != nil || !strings.HasSuffix(string(body), golden(t, "json/error")) {
				t.Errorf("%s: got %q, %v", path, body, err)
			}
		}
	}
	p.counted(t, health.Failure, health.CauseProtocol, get("/error.json"))
	p.counted(t, health.Success, health.CauseNone, get("/page.html"))
}

// A route that sends less than it has declared has broken its answer off, though it says nothing of it.
func TestShortAnswer(t *testing.T) {
	x := &exchange{handler: &Handler{}, client: context.Background(), ctx: context.Background(), status: http.StatusOK, body: body{declared: 10, sent: 9}}
	x.request = httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	if got, want := x.judge(nil, nil), (verdictOn{health.Failure, health.CauseTruncated}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// mistaken is a scanner that has a mistake.
type mistaken struct{ in string }

func (m mistaken) Write([]byte)              { m.fail("write") }
func (m mistaken) Close(bool, stream.Header) { m.fail("close") }
func (mistaken) Report() (r stream.Report)   { return r }
func (mistaken) Payload() bool               { return false }
func (mistaken) Events() int                 { return 0 }
func (m mistaken) ErrorFrame(string) ([]byte, bool) {
	m.fail("frame")
	return nil, false
}
func (m mistaken) fail(where string) {
	if m.in == where {
		panic("mistake")
	}
}

// A mistake in a scanner is counted, and is nobody's failure: the answer goes its way and is judged from outside.
func TestScannerPanics(t *testing.T) {
	for _, where := range []string{"write", "close"} {
		w := httptest.NewRecorder()
		x := &exchange{handler: &Handler{handlerState: handlerState{log: zap.NewNop()}}, client: context.Background(), ctx: context.Background(), status: http.StatusOK}
		x.request = httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		x.ResponseWriter, x.body.scanner, x.body.declared = w, mistaken{where}, -1
		before := scanPanics.Load()
		for _, piece := range []string{"one ", "two"} {
			if n, err := io.WriteString(x, piece); n != len(piece) || err != nil {
				t.Errorf("%s: wrote %d, %v", where, n, err)
			}
		}
		if got := x.judge(nil, nil); got != success {
			t.Errorf("%s: got %v, want %v", where, got, success)
		}
		if got, want := w.Body.String(), "one two"; got != want {
			t.Errorf("%s: the client got %q, want %q", where, got, want)
		}
		if got := scanPanics.Load() - before; got != 1 {
			t.Errorf("%s: counted %d mistakes, want 1", where, got)
		}
	}
}

// However an answer is cut into pieces and flushed, all of it is passed on, and all of it is read, in its order.
func TestPieces(t *testing.T) {
	body := golden(t, "openai-responses/failed")
	rapid.Check(t, func(t *rapid.T) {
		x := passing(nil)
		w := httptest.NewRecorder()
		x.ResponseWriter = w
		for rest := body; rest != ""; {
			n := rapid.IntRange(1, min(len(rest), 2*pendingSize)).Draw(t, "piece")
			if _, err := io.WriteString(x, rest[:n]); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "flush") {
				if err := x.FlushError(); err != nil {
					t.Fatal(err)
				}
			}
			rest = rest[n:]
		}
		x.scanPending()
		want := stream.Report{Format: stream.OpenAIResponses, End: stream.Failed, Code: "rate_limit_exceeded",
			Tokens: stream.Tokens{In: 37, Out: 11, Known: true}}
		if got := x.body.report(); got != want || w.Body.String() != body {
			t.Errorf("got %+v and %q, want %+v and %q", got, w.Body, want, body)
		}
	})
}
