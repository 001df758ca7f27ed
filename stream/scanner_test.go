package stream

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func TestNotScanned(t *testing.T) {
	events := func(more ...string) Header {
		h := Header{"Content-Type": {"text/event-stream"}}
		for i := 0; i < len(more); i += 2 {
			http.Header(h).Set(more[i], more[i+1])
		}
		return h
	}
	for _, c := range []struct {
		in   Head
		want End
	}{
		{Head{Header: events()}, Open},
		{Head{Header: events("Content-Encoding", "identity")}, Open},
		{Head{Header: events("Content-Encoding", "gzip")}, NotScanned},
		{Head{Header: events("Content-Encoding", "br")}, NotScanned},
		{Head{Header: events(), Status: 201}, Open},
		{Head{Header: events(), Status: 500}, NotScanned},
		{Head{Header: events(), Status: 204}, NotScanned},
		{Head{Header: events(), Status: 101}, NotScanned},
		{Head{Header: events(), Method: "HEAD"}, NotScanned},
		{Head{Header: Header{"Content-Type": {"text/html; charset=utf-8"}}}, NotScanned},
		{Head{Header: Header{"Content-Type": {"application/problem+json"}}}, Open},
		{Head{Header: Header{"Content-Type": {"Text/Event-Stream ; charset"}}}, Open},
		{Head{Header: Header{"Content-Type": {"application/grpc+proto"}}}, Open},
		{Head{Header: Header{"Content-Type": {"application/grpc-web"}}}, NotScanned},
		{Head{}, NotScanned},
	} {
		s := New(Auto, c.in)
		if got := s.Report().End; got != c.want {
			t.Errorf("%+v: got %v, want %v", c.in, got, c.want)
		}
		if got := s.Payload(); got != (c.want == NotScanned) {
			t.Errorf("%+v: payload: got %v", c.in, got)
		}
	}
	if got := New(Anthropic, Head{}).Report(); got.End != Open || got.Format != Anthropic {
		t.Errorf("asked for, without a content type: got %+v, want it open", got)
	}
	if got := New(Unknown, Head{Header: events()}).Report().End; got != NotScanned {
		t.Errorf("no format: got %v, want %v", got, NotScanned)
	}
}

func TestGRPC(t *testing.T) {
	status := func(s string) Header { return Header{"Grpc-Status": {s}} }
	for _, c := range []struct {
		head, trailer Header
		broken        bool
		want          Report
	}{
		{trailer: status("0"), want: Report{Format: GRPC, End: Finished, Code: "OK"}},
		{trailer: status("0"), broken: true, want: Report{Format: GRPC, End: Truncated}},
		{trailer: status("14"), want: Report{Format: GRPC, End: Failed, Code: "UNAVAILABLE"}},
		{trailer: status("2"), want: Report{Format: GRPC, End: Failed, Code: "UNKNOWN"}},
		{trailer: status("8"), want: Report{Format: GRPC, End: Failed, Code: "RESOURCE_EXHAUSTED"}},
		{trailer: status("1"), want: Report{Format: GRPC, End: Aborted, Code: "CANCELLED"}},
		{trailer: status("5"), want: Report{Format: GRPC, End: CallerError, Code: "NOT_FOUND"}},
		{trailer: status("12"), want: Report{Format: GRPC, End: CallerError, Code: "UNIMPLEMENTED"}},
		{trailer: status("99"), want: Report{Format: GRPC, End: Failed, Code: "UNKNOWN"}},
		{trailer: status("-1"), want: Report{Format: GRPC, End: Failed, Code: "UNKNOWN"}},
		{head: status("13"), want: Report{Format: GRPC, End: Failed, Code: "INTERNAL"}},
		{want: Report{Format: GRPC, End: Truncated}},
	} {
		head := Header{"Content-Type": {"application/grpc"}}
		for name, values := range c.head {
			head[name] = values
		}
		s := New(Auto, Head{Header: head})
		if s.Payload() {
			t.Errorf("payload before the first byte")
		}
		s.Write([]byte{0, 0, 0, 0, 1, 'x'})
		if !s.Payload() {
			t.Errorf("no payload after the first byte")
		}
		s.Close(!c.broken, c.trailer)
		if got := s.Report(); got != c.want {
			t.Errorf("head %v, trailer %v, broken %v: got %+v, want %+v", c.head, c.trailer, c.broken, got, c.want)
		}
	}
}

// What holds back the beginning of an answer learns with each event whether it still may.
func TestPayloadByEvent(t *testing.T) {
	for _, c := range []struct {
		in   golden
		want int // the event that is the first with payload
	}{
		{golden{in: "openai-chat/ok"}, 2}, {golden{in: "openai-responses/ok"}, 3}, {golden{in: "anthropic/ok"}, 3},
		{golden{in: "ag-ui/ok"}, 3}, {golden{in: "a2a/ok"}, 3}, {golden{in: "mcp/ok"}, 2}, {golden{in: "mcp/question"}, 1},
		{golden{in: "langgraph/ok"}, 2}, {golden{in: "ai-sdk/ok", head: withAISDK}, 3}, {golden{in: "sse/ok"}, 1},
		{golden{in: "ndjson/ok"}, 1},
	} {
		body, head := c.in.exchange(t)
		s := New(Auto, head)
		for i := range body {
			s.Write(body[i : i+1])
			if got, want := s.Payload(), s.Events() >= c.want; got != want {
				t.Errorf("%s after %d events: got payload %v, want %v", c.in.in, s.Events(), got, want)
				break
			}
		}
	}
}

// A JSON body may be an error as long as it has no key that errors do not have.
func TestPayloadOfJSON(t *testing.T) {
	for _, c := range []struct {
		in   string
		want bool
	}{
		{`  `, false}, {`{"error":{"message":"`, false}, {`{"type":"error",`, false}, {`{"jsonrpc":"2.0","id":1,`, false},
		{`{"jsonrpc":"2.0","id":1,"result":{`, true}, {`{"id":"x","model`, false}, {`{"id":"x","model":`, true}, {`{}`, true},
	} {
		s := New(JSON, Head{})
		s.Write([]byte(c.in))
		if got := s.Payload(); got != c.want {
			t.Errorf("%s: got %v, want %v", c.in, got, c.want)
		}
	}
}

// A failure is known at once, and nothing that follows takes it back.
func TestFailed(t *testing.T) {
	s := New(OpenAIChat, Head{})
	s.Write([]byte("data: {\"error\":{\"code\":\"first\"}}\n"))
	if s.Failed() {
		t.Errorf("failed before the event is complete")
	}
	s.Write([]byte("\ndata: {\"error\":{\"code\":\"second\"}}\n\ndata: [DONE]\n\n"))
	if got := s.Report(); !s.Failed() || got.Code != "first" {
		t.Errorf("got %+v, want the first error", got)
	}
	s.Close(true, nil)
	s.Write([]byte("data: [DONE]\n\n"))
	s.Close(false, nil)
	if got, want := s.Report().End, Failed; got != want {
		t.Errorf("after Close: got %v, want %v", got, want)
	}
}

// An event may be as long as it likes: what matters of it is found, and no more is kept of it than of a short one.
func TestLongEvent(t *testing.T) {
	event := []byte(`data: {"type":"response.completed","response":{"output":[` +
		strings.Repeat(`{"text":"`+strings.Repeat(`x\"`, 100)+`"},`, 10_000) +
		`0],"usage":{"input_tokens":1,"output_tokens":2}}}` + "\n\n")
	s := New(Auto, Head{Header: Header{"Content-Type": {"text/event-stream"}}})
	allocs := testing.AllocsPerRun(1, func() {
		for p := range slices.Chunk(event, 32<<10) {
			s.Write(p)
		}
	})
	if allocs != 0 {
		t.Errorf("%d bytes: got %v allocations, want 0", len(event), allocs)
	}
	want := Report{Format: OpenAIResponses, End: Finished, Tokens: known(1, 2)}
	if got := s.Report(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// maxScanner bounds what a scanner keeps, in bytes.
const maxScanner = 1536

func TestMemory(t *testing.T) {
	if got := unsafe.Sizeof(Scanner{}); got > maxScanner {
		t.Errorf("a scanner has %d bytes, want at most %d", got, maxScanner)
	}
	for f := Auto; f < Unknown; f++ {
		s := New(f, Head{Header: Header{"Content-Type": {"text/event-stream"}}})
		name, chunk := token(f)
		s.Write(chunk)
		if got := testing.AllocsPerRun(100, func() { s.Write(chunk) }); got != 0 {
			t.Errorf("%s: a Write allocates %v times, want 0", name, got)
		}
	}
}

// token is an event with a token, as it comes a hundred times in an answer.
func token(f Format) (name string, event []byte) {
	text := map[Format]string{
		OpenAIChat:      `data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}`,
		OpenAIResponses: "event: response.output_text.delta\n" + `data: {"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_1","output_index":0,"content_index":0,"delta":" word"}`,
		Anthropic:       "event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}`,
		AGUI:            `data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"msg_0123456789","delta":" word"}`,
		A2A:             `data: {"jsonrpc":"2.0","id":"r","result":{"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"text":" word"}]},"append":true}}}`,
		MCP:             "event: message\n" + `data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":5,"message":" word"}}`,
		LangGraph:       "event: messages\n" + `data: [{"content":" word","type":"AIMessageChunk","id":"run-1","usage_metadata":null},{"langgraph_node":"agent","langgraph_step":1}]`,
		AISDK:           `data: {"type":"text-delta","id":"0","delta":" word"}`,
	}[f]
	if text == "" {
		text = `data: {"text":" word","index":17}`
	}
	return f.String(), []byte(text + "\n\n")
}

// BenchmarkScanner measures one event with a token, told in one piece.
func BenchmarkScanner(b *testing.B) {
	for f := OpenAIChat; f <= SSE; f++ {
		name, event := token(f)
		b.Run(name, func(b *testing.B) {
			s := New(f, Head{Header: Header{"Content-Type": {"text/event-stream"}}})
			b.ReportAllocs()
			b.SetBytes(int64(len(event)))
			for b.Loop() {
				s.Write(event)
			}
		})
	}
}

// BenchmarkResponse measures all that a stream of a hundred tokens costs, the scanner itself included.
func BenchmarkResponse(b *testing.B) {
	_, event := token(OpenAIChat)
	head := Head{Header: Header{"Content-Type": {"text/event-stream"}}}
	b.ReportAllocs()
	for b.Loop() {
		s := New(Auto, head)
		for range 100 {
			s.Write(event)
		}
		s.Write([]byte("data: [DONE]\n\n"))
		s.Close(true, nil)
	}
}

func TestFormatText(t *testing.T) {
	for f := Auto; f < formatCount; f++ {
		text, err := f.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got Format
		if err := got.UnmarshalText(text); err != nil || got != f {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, f)
		}
	}
	var f Format
	if err := f.UnmarshalText([]byte("grcp")); err == nil || !strings.Contains(err.Error(), `"grcp"`) || !strings.Contains(err.Error(), "grpc") {
		t.Errorf("got %v, want an error that quotes the name and lists the known ones", err)
	}
	if _, err := formatCount.MarshalText(); err == nil {
		t.Errorf("a number that is no format: got no error")
	}
	if got, want := fmt.Sprint(formatCount, endCount, Paused), "Format(14) End(8) paused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Formats(); len(got) != int(Unknown) || got[0] != Auto {
		t.Errorf("formats: got %v", got)
	}
}

func TestRequestID(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"jsonrpc":"2.0","id":7,"method":"m"}`, "7"},
		{`{"method":"m","params":{"id":9},"id":"a\"b","jsonrpc":"2.0"}`, `"a\"b"`},
		{`{"jsonrpc":"2.0","id":7,"params":{"tex`, "7"},
		{`{"jsonrpc":"2.0","method":"m"}`, ""},
		{`{"jsonrpc":"2.0","id":null}`, ""},
		{`{"jsonrpc":"2.0","id":1.5}`, ""},
		{`{"id":7}`, ""},
		{`[{"jsonrpc":"2.0","id":7}]`, ""},
		{"{\"jsonrpc\":\"2.0\",\"id\":\"a\nb\"}", ""},
		{`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", maxText+1) + `"}`, ""},
		{``, ""},
	} {
		if got := RequestID([]byte(c.in)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.in, got, c.want)
		}
	}
}
