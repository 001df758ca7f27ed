package stream

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// upTo returns a scanner that has been told the first n bytes of a golden body.
func upTo(t testing.TB, g golden, n int) *Scanner {
	t.Helper()
	body, head := g.exchange(t)
	head.RequestID = "3"
	s := New(Auto, head)
	s.Write(body[:min(n, len(body))])
	return s
}

func TestErrorFrame(t *testing.T) {
	for _, c := range []struct {
		in   golden
		upTo int
		want string
	}{
		{golden{in: "openai-chat/role_only"}, 1 << 20, "data: {\"error\":{\"message\":\"gone\",\"type\":\"server_error\",\"param\":null,\"code\":\"service_unavailable\"}}\n\n"},
		{golden{in: "openai-responses/created_only"}, 1 << 20, "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"gone\",\"param\":null,\"sequence_number\":2,\"error\":{\"type\":\"server_error\",\"code\":\"server_error\",\"message\":\"gone\",\"param\":null}}\n\n"},
		{golden{in: "anthropic/truncated"}, 1 << 20, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"gone\"}}\n\n"},
		{golden{in: "ag-ui/truncated"}, 1 << 20, "data: {\"type\":\"RUN_ERROR\",\"message\":\"gone\",\"code\":\"UNAVAILABLE\"}\n\n"},
		{golden{in: "a2a/truncated"}, 1 << 20, "event: error\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"req-1\",\"error\":{\"code\":-32603,\"message\":\"gone\"}}\n\n"},
		{golden{in: "a2a/rest_ok"}, 150, "\n\nevent: error\ndata: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\",\"message\":\"gone\"}}\n\n"},
		{golden{in: "a2a/truncated", head: withA2A}, 0, "event: error\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32603,\"message\":\"gone\"}}\n\n"},
		{golden{in: "mcp/truncated"}, 1 << 20, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32603,\"message\":\"gone\"}}\n\n"},
		{golden{in: "ai-sdk/truncated", head: withAISDK}, 1 << 20, "data: {\"type\":\"error\",\"errorText\":\"gone\"}\n\ndata: [DONE]\n\n"},
		{golden{in: "ai-sdk/truncated", head: withAISDK}, 3, "\n\ndata: {\"type\":\"error\",\"errorText\":\"gone\"}\n\ndata: [DONE]\n\n"},
	} {
		got, ok := upTo(t, c.in, c.upTo).ErrorFrame("gone")
		if !ok || string(got) != c.want {
			t.Errorf("%s after %d bytes: got %q, %v, want %q", c.in.in, c.upTo, got, ok, c.want)
		}
	}
}

// A path is enough to know whose client waits, as long as nothing has been said.
func TestErrorFrameByPath(t *testing.T) {
	for _, c := range []struct {
		in   string
		want string
	}{
		{"/v1/chat/completions", `"error":{`},
		{"/api/v1/responses/", `"sequence_number":0`},
		{"/v1/messages", "overloaded_error"},
		{"/message:stream", `"id":null`},
	} {
		s := New(Auto, Head{Path: c.in, Header: Header{"Content-Type": {"text/event-stream"}}})
		if got, ok := s.ErrorFrame("x"); !ok || !strings.Contains(string(got), c.want) {
			t.Errorf("%s: got %q, %v, want %q in it", c.in, got, ok, c.want)
		}
		s.Write([]byte("data: {\"text\":\"no such protocol\"}\n\n"))
		if got, ok := s.ErrorFrame("x"); ok {
			t.Errorf("%s, after an event of no known protocol: got %q, want none", c.in, got)
		}
	}
}

// What a JSON-RPC request takes is as good as a path.
func TestErrorFrameByAccept(t *testing.T) {
	for _, c := range []struct {
		id     string
		accept []string
		want   bool
	}{
		{"7", []string{"application/json, text/event-stream"}, true},
		{"7", []string{"text/event-stream", "application/json"}, true},
		{"7", []string{"application/json"}, false},
		{"7", []string{"text/event-stream"}, false},
		{"", []string{"application/json, text/event-stream"}, false},
	} {
		s := New(Auto, Head{RequestID: c.id, Request: Header{"Accept": c.accept}, Header: Header{"Content-Type": {"text/event-stream"}}})
		got, ok := s.ErrorFrame("x")
		if ok != c.want || ok && !strings.Contains(string(got), `"id":7,`) {
			t.Errorf("id %q, %q: got %q, %v, want one: %v", c.id, c.accept, got, ok, c.want)
		}
	}
}

func TestNoErrorFrame(t *testing.T) {
	sized := func(h *Head) { http.Header(h.Header).Set("Content-Length", "1000") }
	packed := func(h *Head) { http.Header(h.Header).Set("Content-Encoding", "gzip"); withAISDK(h) }
	for _, g := range []golden{
		{in: "openai-chat/truncated", head: sized}, {in: "ai-sdk/truncated", head: packed}, {in: "sse/ok"},
		{in: "ndjson/ok"}, {in: "json/truncated"}, {in: "anthropic/ok"}, {in: "anthropic/error"}, {in: "mcp/ok"},
	} {
		if got, ok := upTo(t, g, 1<<20).ErrorFrame("gone"); ok {
			t.Errorf("%s: got %q, want none", g.in, got)
		}
	}
	body, head := (&golden{in: "mcp/truncated"}).exchange(t)
	s := New(MCP, head)
	s.Write(body)
	if got, ok := s.ErrorFrame("gone"); ok {
		t.Errorf("mcp without the request's id: got %q, want none", got)
	}
}

// Wherever a stream is cut, what its client has been sent in the end is a failure, and a scanner reads it as one. The
// one exception is an event that was whole but for its last line end, and ended the answer.
func TestErrorFrameAnywhere(t *testing.T) {
	for _, g := range goldens {
		body, head := g.exchange(t)
		head.RequestID = "3"
		for _, end := range []string{"\n", "\r\n", "\r"} {
			text := bytes.ReplaceAll(body, []byte("\n"), []byte(end))
			for n := range text {
				cutAndRead(t, g.in, head, text[:n])
			}
		}
	}
}

// cutAndRead writes an error frame behind the text, if one may be written, and reads both as a client would.
func cutAndRead(t *testing.T, name string, head Head, text []byte) {
	t.Helper()
	s := New(Auto, head)
	s.Write(text)
	frame, ok := s.ErrorFrame("gone \"now\"\n<ü>")
	if !ok {
		return
	}
	framesAreJSON(t, frame)
	s.Write([]byte(s.separator()))
	ended := s.Report().End
	got := scan(Auto, head, append(bytes.Clone(text), frame...), true, atOnce).Report
	if got.End != Failed && (ended == Open || got.End != ended) {
		t.Errorf("%s cut after %q: got %+v, want it to be failed", name, text[max(0, len(text)-40):], got)
	}
}

func framesAreJSON(t *testing.T, frame []byte) {
	t.Helper()
	for line := range strings.Lines(string(frame)) {
		data, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "data: ")
		if ok && data != "[DONE]" && !json.Valid([]byte(data)) {
			t.Errorf("data %q: want JSON", data)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `""`}, {"a\nb\"", `"a\nb\""`}, {strings.Repeat("ü", maxReason), `"` + strings.Repeat("ü", maxReason/2) + `"`},
		{"x" + strings.Repeat("ü", maxReason), `"x` + strings.Repeat("ü", maxReason/2-1) + `"`},
	} {
		if got := quote(c.in); got != c.want {
			t.Errorf("%.20q: got %q, want %q", c.in, got, c.want)
		}
	}
}
