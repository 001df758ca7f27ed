package stream

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// respelled writes an event's JSON with its keys in another order, spread over several lines.
func respelled(t *testing.T, line, indent string) string {
	t.Helper()
	data, ok := strings.CutPrefix(line, "data: ")
	decoder := json.NewDecoder(strings.NewReader(data))
	decoder.UseNumber()
	var v any
	if !ok || decoder.Decode(&v) != nil {
		return line
	}
	text, err := json.MarshalIndent(v, "", indent)
	if err != nil {
		t.Fatal(err)
	}
	return "data:" + strings.ReplaceAll(string(text), "\n", "\ndata:")
}

// However an agent writes its JSON, the verdict is the same.
func TestSpelling(t *testing.T) {
	for _, g := range goldens {
		body, head := g.exchange(t)
		if head.framing(Auto) != framedSSE || g.in == "sse/carriage_returns" {
			continue
		}
		want := scan(Auto, head, body, !g.broken, atOnce)
		for _, indent := range []string{"", "  ", "\t"} {
			var text bytes.Buffer
			for line := range strings.Lines(string(body)) {
				text.WriteString(respelled(t, strings.TrimSuffix(line, "\n"), indent))
				text.WriteString("\n")
			}
			for _, size := range []func(int) int{atOnce, byBytes} {
				if got := scan(Auto, head, text.Bytes(), !g.broken, size); got != want {
					t.Errorf("%s, indented by %q: got %+v, want %+v", g.in, indent, got, want)
				}
			}
		}
	}
}

// What a stream is taken for when neither its name nor its first event is plain.
func TestRecognize(t *testing.T) {
	declare := func(name, value string) Header { return Header{name: {value}} }
	for _, c := range []struct {
		in      string
		request Header
		path    string
		want    Format
	}{
		{in: `data: {"type":"start"}` + "\n\n", want: Unknown},
		{in: `data: {"type":"error","message":"x"}` + "\n\n", want: Unknown},
		{in: `data: {"type":"error","errorText":"x"}` + "\n\n", want: AISDK},
		{in: `data: {"type":"error","sequence_number":0}` + "\n\n", want: OpenAIResponses},
		{in: `data: {"type":"error","error":{"type":"x"}}` + "\n\n", want: Anthropic},
		{in: `data: {"type":"STATE_CHANGED"}` + "\n\n", want: Unknown},
		{in: `data: {"type":"TEXT_MESSAGE_CHUNK"}` + "\n\n", want: AGUI},
		{in: `data: {"message":{"id":"x"}}` + "\n\n", want: Unknown},
		{in: `data: {"message":{"messageId":"x"}}` + "\n\n", want: A2A},
		{in: `data: {"jsonrpc":"2.0","id":1,"result":{}}` + "\n\n", want: MCP},
		{in: `data: {"jsonrpc":"2.0","id":1,"result":{}}` + "\n\n", request: declare("A2a-Version", "1.0"), want: A2A},
		{in: `data: {"jsonrpc":"2.0","id":1,"result":{"kind":"task"}}` + "\n\n", want: A2A},
		{in: `data: {"jsonrpc":"2.0","id":1,"result":{"kind":"x"}}` + "\n\n", request: declare("Mcp-Session-Id", "s"), want: MCP},
		{in: "event: metadata\ndata: {}\n\n", want: Unknown},
		{in: "event: values\ndata: {}\n\n", want: LangGraph},
		{in: "data: {\"choices\":[]}\n\n", want: OpenAIChat},
		{in: "data: {\"choices\":{}}\n\n", want: Unknown},
		{in: "data: {\"x\":1}\n\n", path: "/v1/messages", want: Unknown},
		{in: "data: {\"x\":1}\n\n", request: declare("Mcp-Protocol-Version", "2025-06-18"), want: MCP},
		{in: ": comment\n\nid: 1\ndata:\n\n", path: "/v1/messages", want: Unknown},
		{in: strings.Repeat("data: {\"x\":1}\n\n", maxUndecided), want: SSE},
		{in: strings.Repeat("data: {\"x\":1}\n\n", maxUndecided-1) + `data: {"choices":[]}` + "\n\n", want: OpenAIChat},
	} {
		s := New(Auto, Head{Path: c.path, Request: c.request, Header: Header{"Content-Type": {"text/event-stream"}}})
		s.Write([]byte(c.in))
		if got := s.Report().Format; got != c.want {
			t.Errorf("%q: got %v, want %v", c.in, got, c.want)
		}
	}
}

// A stream that a path announces, and that never says anything, is not a whole one.
func TestEmptyStream(t *testing.T) {
	for _, c := range []struct {
		in, path string
		want     End
	}{
		{"", "/v1/chat/completions", Truncated}, {": ping\n\n", "/v1/messages", Truncated},
		{"id: 1\ndata:\n\n", "/v1/messages", Truncated},
		{"", "/events", Finished}, {"data: hello\n\n", "/v1/messages", Finished},
	} {
		s := New(Auto, Head{Path: c.path, Header: Header{"Content-Type": {"text/event-stream"}}})
		s.Write([]byte(c.in))
		s.Close(true, nil)
		if got := s.Report().End; got != c.want {
			t.Errorf("%q from %s: got %v, want %v", c.in, c.path, got, c.want)
		}
	}
}
