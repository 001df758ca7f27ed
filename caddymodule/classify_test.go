package caddymodule

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/health"
)

// contentTypes are those of the goldens that are no event streams.
var contentTypes = map[string]string{"json": "application/json", "ndjson": "application/x-ndjson"}

// headerOf returns the header that a golden body comes with.
func headerOf(name string) []string {
	folder := name[:strings.IndexByte(name, '/')]
	kind := contentTypes[folder]
	if kind == "" {
		kind = "text/event-stream"
	}
	header := []string{"Content-Type", kind}
	if folder == "ai-sdk" {
		header = append(header, "X-Vercel-Ai-Ui-Message-Stream", "v1")
	}
	return header
}

// What an answer holds decides, in every protocol, in whatever pieces it comes, and the client gets every byte.
// Behind what is torn it may be told so: see TestFarewell.
func TestProtocols(t *testing.T) {
	const failure, excluded, success = health.Failure, health.Excluded, health.Success
	a := startAgent(t)
	p := startProxy(t, a.site(""))
	for _, tt := range []struct {
		in    string
		torn  bool
		class health.Class
		cause health.Cause
	}{
		{"openai-chat/ok", false, success, health.CauseNone},
		{"openai-chat/error", false, failure, health.CauseProtocol},
		{"openai-chat/error", true, failure, health.CauseProtocol},
		{"openai-chat/truncated", false, failure, health.CauseTruncated},
		{"openai-chat/truncated", true, failure, health.CauseReset},
		{"openai-chat/ok", true, success, health.CauseNone}, // all of it had come
		{"openai-chat/paused", false, success, health.CauseNone},
		{"openai-responses/ok", false, success, health.CauseNone},
		{"openai-responses/error_after_created", false, failure, health.CauseProtocol},
		{"openai-responses/truncated", false, failure, health.CauseTruncated},
		{"openai-responses/truncated", true, failure, health.CauseReset},
		{"openai-responses/paused", false, success, health.CauseNone},
		{"anthropic/ok", false, success, health.CauseNone},
		{"anthropic/error", false, failure, health.CauseProtocol},
		{"anthropic/truncated", false, failure, health.CauseTruncated},
		{"anthropic/truncated", true, failure, health.CauseReset},
		{"anthropic/paused", false, success, health.CauseNone},
		{"ag-ui/ok", false, success, health.CauseNone},
		{"ag-ui/error", false, failure, health.CauseProtocol},
		{"ag-ui/truncated", false, failure, health.CauseTruncated},
		{"ag-ui/truncated", true, failure, health.CauseReset},
		{"ag-ui/paused", false, success, health.CauseNone},
		{"ag-ui/cancelled", false, excluded, health.CauseAborted},
		{"a2a/ok", false, success, health.CauseNone},
		{"a2a/failed", false, failure, health.CauseProtocol},
		{"a2a/truncated", false, failure, health.CauseTruncated},
		{"a2a/truncated", true, failure, health.CauseReset},
		{"a2a/paused", false, success, health.CauseNone},
		{"a2a/callers_error", false, excluded, health.CauseClientError},
		{"mcp/ok", false, success, health.CauseNone},
		{"mcp/error", false, failure, health.CauseProtocol},
		{"mcp/truncated", false, failure, health.CauseTruncated},
		{"mcp/paused", false, success, health.CauseNone},
		{"langgraph/ok", false, success, health.CauseNone},
		{"langgraph/error", false, failure, health.CauseProtocol},
		{"langgraph/truncated", true, failure, health.CauseReset},
		{"langgraph/paused", false, success, health.CauseNone},
		{"ai-sdk/ok", false, success, health.CauseNone},
		{"ai-sdk/error", false, failure, health.CauseProtocol},
		{"ai-sdk/truncated", false, failure, health.CauseTruncated},
		{"ai-sdk/truncated", true, failure, health.CauseReset},
		{"ai-sdk/paused", false, success, health.CauseNone},
		{"sse/ok", false, success, health.CauseNone},
		{"sse/error", false, failure, health.CauseProtocol},
		{"sse/ok", true, failure, health.CauseReset},
		{"ndjson/ok", false, success, health.CauseNone},
		{"ndjson/error", false, failure, health.CauseProtocol},
		{"json/ok", false, success, health.CauseNone},
		{"json/ok", true, failure, health.CauseReset}, // to a client it is an error
		{"json/error", true, failure, health.CauseProtocol},
		{"json/error", false, failure, health.CauseProtocol},
		{"json/truncated", false, failure, health.CauseTruncated},
		{"json/callers_error", false, excluded, health.CauseClientError},
		{"json/paused", false, success, health.CauseNone},
	} {
		name := tt.in
		if tt.torn {
			name += " torn"
		}
		t.Run(name, func(t *testing.T) {
			body := golden(t, tt.in)
			a.will(in(body, tt.torn, headerOf(tt.in)...))
			p.counted(t, tt.class, tt.cause, func() {
				got, whole := p.ask()
				more, ok := strings.CutPrefix(got, body)
				if told := tt.torn && more != ""; !ok || more != "" && !told || whole != (told || !tt.torn) {
					t.Errorf("client sees %q (whole: %t), want %q (%t)", got, whole, body, !tt.torn)
				}
			})
		})
	}
}

// The same answers count by status and connection alone if nobody looks into them, and as what they were declared to be.
func TestClassifySettings(t *testing.T) {
	a := startAgent(t)
	for _, tt := range []struct {
		options, in string
		class       health.Class
		cause       health.Cause
	}{
		{"classify off", "openai-chat/error", health.Success, health.CauseNone},
		{"classify off", "openai-chat/truncated", health.Success, health.CauseNone},
		{"classify openai-chat", "openai-chat/error", health.Failure, health.CauseProtocol},
		{"classify anthropic", "sse/ok", health.Failure, health.CauseTruncated},
	} {
		t.Run(tt.options+" "+tt.in, func(t *testing.T) {
			p := startProxy(t, a.site(tt.options))
			a.will(in(golden(t, tt.in), false, headerOf(tt.in)...))
			p.counted(t, tt.class, tt.cause, func() { p.ask() })
		})
	}
}

// A gRPC call is what its status says, wherever that stands.
func TestGRPC(t *testing.T) {
	a := startAgent(t)
	p := startProxyWith(t, "servers {\nprotocols h1 h2c\n}",
		"traffic_split s {\nvariant only 100% h2c://"+a.Listener.Addr().String()+"\n}")
	h2c := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.socket())
	}}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	defer h2c.CloseIdleConnections()
	p.client.Transport = h2c
	const message = "\x00\x00\x00\x00\x05hello"
	for _, tt := range []struct {
		name, where, status string
		torn                bool
		class               health.Class
		cause               health.Cause
	}{
		{"OK", "announced", "0", false, health.Success, health.CauseNone},
		{"OK, not announced", "trailer", "0", false, health.Success, health.CauseNone},
		{"INTERNAL", "announced", "13", false, health.Failure, health.CauseGRPC},
		{"UNAVAILABLE, not announced", "trailer", "14", false, health.Failure, health.CauseGRPC},
		{"NOT_FOUND", "header", "5", false, health.Excluded, health.CauseClientError},
		{"UNAVAILABLE in the header", "header", "14", false, health.Failure, health.CauseGRPC},
		{"CANCELLED", "announced", "1", false, health.Excluded, health.CauseAborted},
		{"no status", "", "", false, health.Failure, health.CauseTruncated},
		{"reset", "", "", true, health.Failure, health.CauseReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.will(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/grpc+proto")
				switch tt.where {
				case "announced":
					w.Header().Set("Trailer", "Grpc-Status")
					defer w.Header().Set("Grpc-Status", tt.status)
				case "trailer":
					defer w.Header().Set(http.TrailerPrefix+"Grpc-Status", tt.status)
				case "header":
					w.Header().Set("Grpc-Status", tt.status)
					return
				}
				in(message, tt.torn)(w, nil)
			})
			p.counted(t, tt.class, tt.cause, func() {
				// One that is reset ends whole too, with a status of ours: see TestFarewellGRPC.
				if got, whole := p.ask("Te", "trailers"); !whole || tt.where != "header" && got != message {
					t.Errorf("client sees %q (whole: %t)", got, whole)
				}
			})
		})
	}
}

// leaving reads the first line of an answer whose body goes on, and leaves.
func (p *proxy) leaving(t *testing.T, until string) {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent.test/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan() && !strings.Contains(lines.Text(), until); {
	}
}

// A client that leaves is nobody's failure, unless the agent had failed by then: that is why clients leave. One that
// has read the end has been served. One that leaves in the middle has had its first word when it reads the second: the first
// event has none, and who leaves on that has left before the answer.
func TestClientLeavesStream(t *testing.T) {
	a := startAgent(t)
	p := startProxy(t, a.site(""))
	for _, tt := range []struct {
		in, until string
		class     health.Class
		cause     health.Cause
	}{
		{"openai-chat/truncated", `"lo"`, health.Excluded, health.CauseClientLeft},
		{"openai-chat/error", "[DONE]", health.Failure, health.CauseProtocol},
		{"openai-chat/ok", "[DONE]", health.Success, health.CauseNone},
	} {
		t.Run(tt.in, func(t *testing.T) {
			a.will(func(w http.ResponseWriter, r *http.Request) {
				in(golden(t, tt.in)+"\n", false, headerOf(tt.in)...)(w, r)
				<-r.Context().Done()
			})
			p.counted(t, tt.class, tt.cause, func() { p.leaving(t, tt.until) })
		})
	}
}
