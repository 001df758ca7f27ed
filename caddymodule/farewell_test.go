package caddymodule

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// farewells are what each protocol's clients are told, with %s for the reason as JSON. They read it as their own error,
// as package stream is tested for.
var farewells = []struct {
	in, want string
	asked    []string // header of the request
}{
	{in: "openai-chat/truncated", want: `data: {"error":{"message":%s,"type":"server_error","param":null,"code":"service_unavailable"}}`},
	{in: "openai-responses/created_only", want: "event: error\n" + `data: {"type":"error","code":"server_error","message":%s,"param":null,"sequence_number":2,"error":{"type":"server_error","code":"server_error","message":%s,"param":null}}`},
	{in: "anthropic/truncated", want: "event: error\n" + `data: {"type":"error","error":{"type":"overloaded_error","message":%s}}`},
	{in: "ag-ui/truncated", want: `data: {"type":"RUN_ERROR","message":%s,"code":"UNAVAILABLE"}`},
	{in: "a2a/truncated", want: "event: error\n" + `data: {"jsonrpc":"2.0","id":"req-1","error":{"code":-32603,"message":%s}}`},
	{in: "mcp/truncated", want: "event: message\n" + `data: {"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":%s}}`, asked: []string{"Mcp-Protocol-Version", "2025-11-25"}},
	{in: "ai-sdk/truncated", want: `data: {"type":"error","errorText":%s}` + "\n\ndata: [DONE]"},
}

// ends are the ways in which an open stream is broken off.
var ends = []struct {
	name, reason string
	class        health.Class
	cause        health.Cause
}{
	{"killed", farewellKilled, health.Excluded, health.CauseKilled},
	{"stalled", farewellStalled, health.Failure, health.CauseStall},
	{"reset", farewellBroken, health.Failure, health.CauseReset},
}

// until answers with a body that stays open until its client is cut off or, if torn, breaks.
func until(body string, torn bool, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		in(body, torn, header...)(w, r)
		<-r.Context().Done()
	}
}

// cutting posts a call, reads as much of its answer as a body is long, has it broken off if that does not come by itself,
// and returns the rest, and whether it ended as if it were whole.
func (p *proxy) cutting(t *testing.T, length int, kill bool, header ...string) (rest string, whole bool) {
	t.Helper()
	const call = `{"method":"tools/call","params":{"id":1},"jsonrpc":"2.0","id":7}`
	r, err := http.NewRequest(http.MethodPost, "http://agent.test/", strings.NewReader(call))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, int64(length)); err != nil {
		t.Fatal(err)
	}
	if kill {
		p.kill("s", "", splitter.KillCut)
		defer p.revive(t)
	}
	b, err := io.ReadAll(resp.Body)
	return string(b), err == nil
}

func (p *proxy) revive(t *testing.T) {
	t.Helper()
	if _, err := p.controller().Revive(context.Background(), "s", rollout.ReviveRequest{}, rollout.By{}); err != nil {
		t.Fatal(err)
	}
}

// Whoever breaks off an open stream, and wherever: its client reads the protocol's own error and a clean end, and the
// outcome is what it is without.
func TestFarewell(t *testing.T) {
	a := startAgent(t)
	patient, hasty := a.site(""), a.site("stall 150ms")
	for _, end := range ends {
		site := patient
		if end.name == "stalled" {
			site = hasty
		}
		p := startProxy(t, site)
		for _, tt := range farewells {
			body := strings.TrimRight(golden(t, tt.in), "\n")
			frame := strings.ReplaceAll(tt.want, "%s", `"`+end.reason+`"`) + "\n\n"
			for _, at := range []struct{ name, sent, want string }{
				{"between events", body + "\n\n", frame},
				{"behind a line", body + "\n\n: comment\n", "\n" + frame},
				{"inside an event", body + "\n\ndata: {\"", "\n\n" + frame},
			} {
				t.Run(end.name+" "+tt.in+" "+at.name, func(t *testing.T) {
					a.will(until(at.sent, end.name == "reset", headerOf(tt.in)...))
					p.counted(t, end.class, end.cause, func() {
						got, whole := p.cutting(t, len(at.sent), end.name == "killed", tt.asked...)
						if got != at.want || !whole {
							t.Errorf("client sees %q at the end (whole: %t), want %q", got, whole, at.want)
						}
					})
				})
			}
		}
	}
}

// A connection goes on to be used behind a farewell; over HTTP/2 too a farewell ends in a clean end.
func TestFarewellConnections(t *testing.T) {
	a := startAgent(t)
	p := startProxyWith(t, "servers {\nprotocols h1 h2c\n}", a.site(""))
	sent := golden(t, "anthropic/truncated")
	for _, proto := range []string{"h1", "h2c"} {
		t.Run(proto, func(t *testing.T) {
			dials := 0
			transport := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				dials++
				return new(net.Dialer).DialContext(ctx, "unix", p.socket())
			}}
			transport.Protocols.SetHTTP1(proto == "h1")
			transport.Protocols.SetUnencryptedHTTP2(proto == "h2c")
			defer transport.CloseIdleConnections()
			p.client.Transport = transport
			for range 2 {
				a.will(until(sent, true, headerOf("anthropic/")...))
				if got, whole := p.cutting(t, len(sent), false); !whole || !strings.Contains(got, farewellBroken) {
					t.Errorf("client sees %q at the end (whole: %t)", got, whole)
				}
			}
			if dials != 1 {
				t.Errorf("%d connections, want 1", dials)
			}
		})
	}
}

// Where a frame would not be read as an error, breaking off is all that tells the truth.
func TestNoFarewell(t *testing.T) {
	chat := golden(t, "openai-chat/truncated")
	sse := []string{"Content-Type", "text/event-stream"}
	a := startAgent(t)
	for _, tt := range []struct {
		name, options, body string
		header              []string
		cause               health.Cause
	}{
		{"a length", "", chat, append([]string{"Content-Length", "100000"}, sse...), health.CauseReset},
		{"an encoding", "", chat, append([]string{"Content-Encoding", "gzip"}, sse...), health.CauseReset},
		{"no known protocol", "", "data: first\n\n", sse, health.CauseReset},
		{"one JSON value", "", `{"id":`, []string{"Content-Type", "application/json"}, health.CauseReset},
		{"lines", "", "{}\n", []string{"Content-Type", "application/x-ndjson"}, health.CauseReset},
		{"gRPC", "", "\x00\x00\x00\x00\x05hello", []string{"Content-Type", "application/grpc"}, health.CauseReset},
		{"MCP whose request has no id", "", golden(t, "mcp/truncated"), sse, health.CauseReset},
		{"nobody reads answers", "classify off", chat, sse, health.CauseReset},
		{"an error before", "", golden(t, "anthropic/error"), sse, health.CauseProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProxy(t, a.site(tt.options))
			a.will(in(tt.body, true, tt.header...))
			p.counted(t, health.Failure, tt.cause, func() {
				if got, whole := p.ask("Accept-Encoding", "identity"); whole || got != tt.body {
					t.Errorf("client sees %q (whole: %t), want %q and no end", got, whole, tt.body)
				}
			})
		})
	}
}

// An answer of which the client has its end is a success, however its connection ends.
func TestNoFarewellBehindTheEnd(t *testing.T) {
	a := startAgent(t)
	p := startProxy(t, a.site(""))
	body := golden(t, "openai-chat/ok")
	a.will(in(body, true, headerOf("openai-chat/")...))
	p.counted(t, health.Success, health.CauseNone, func() {
		if got, whole := p.ask(); whole || got != body {
			t.Errorf("client sees %q (whole: %t), want %q", got, whole, body)
		}
	})
}

// Nobody is bidden farewell who has left, whose upload is to blame, whose connection is no answer any more, or whose
// variant has a mistake that is to be seen.
func TestFarewellReason(t *testing.T) {
	left, leave := context.WithCancel(context.Background())
	leave()
	for _, tt := range []struct {
		name   string
		broken any
		change func(x *exchange)
		want   string
	}{
		{"broken off", http.ErrAbortHandler, func(*exchange) {}, farewellBroken},
		{"not broken off", nil, func(*exchange) {}, ""},
		{"a mistake", "mistake", func(*exchange) {}, ""},
		{"left", http.ErrAbortHandler, func(x *exchange) { x.client = left }, ""},
		{"not to be written to", http.ErrAbortHandler, func(x *exchange) { x.unwritten = true }, ""},
		{"spoiled", http.ErrAbortHandler, func(x *exchange) { x.upload.spoiled.Store(true) }, ""},
		{"upgraded", http.ErrAbortHandler, func(x *exchange) { x.Upgrade() }, ""},
	} {
		x := passing(nil)
		x.client, x.ctx = context.Background(), context.Background()
		x.request = httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		if tt.change(x); x.farewellReason(tt.broken) != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, x.farewellReason(tt.broken), tt.want)
		}
	}
}

// What has no body, or has not begun, gets none.
func TestFarewellNeedsBody(t *testing.T) {
	for _, tt := range []struct {
		method string
		status int
		want   bool
	}{
		{http.MethodPost, http.StatusOK, true},
		{http.MethodHead, http.StatusOK, false},
		{http.MethodPost, http.StatusNoContent, false},
		{http.MethodPost, http.StatusBadGateway, false},
		{http.MethodPost, 0, false},
	} {
		x := &exchange{handler: &Handler{}, client: context.Background(), ctx: context.Background()}
		x.request = httptest.NewRequest(tt.method, "/v1/messages", http.NoBody)
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "text/event-stream")
		if x.ResponseWriter = w; tt.status != 0 {
			x.WriteHeader(tt.status)
		}
		if got := x.farewell(http.ErrAbortHandler); got.none() == tt.want {
			t.Errorf("%s %d: got %q, want one: %t", tt.method, tt.status, got, tt.want)
		}
	}
}

// A mistake in a scanner costs the frame, and nothing else.
func TestFarewellOfMistakenScanner(t *testing.T) {
	x := passing(nil)
	x.client, x.ctx = context.Background(), context.Background()
	x.handler.log = zap.NewNop()
	x.body.scanner = mistaken{"frame"}
	if got := x.farewell(http.ErrAbortHandler); !got.none() {
		t.Errorf("got %q, want none", got)
	}
	if x.body.scanner != nil {
		t.Error("the scanner is still asked")
	}
}
