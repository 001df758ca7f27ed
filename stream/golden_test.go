package stream

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden is a body from testdata and everything that is to be known of it.
type golden struct {
	in      string // the file, without its ending; the folder names the format
	want    Report
	payload bool
	broken  bool // the body did not end whole
	head    func(*Head)
}

func known(in, out uint64) Tokens { return Tokens{In: in, Out: out, Known: true} }

func withAISDK(h *Head) { http.Header(h.Header).Set("X-Vercel-Ai-Ui-Message-Stream", "v1") }
func withMCP(h *Head)   { http.Header(h.Request).Set("Mcp-Protocol-Version", "2025-11-25") }
func withMCP26(h *Head) { http.Header(h.Request).Set("Mcp-Protocol-Version", "2026-07-28") }
func withA2A(h *Head)   { http.Header(h.Request).Set("A2A-Version", "1.0") }
func withGET(h *Head)   { h.Method = "GET" }

var goldens = []golden{
	{in: "openai-chat/ok", want: Report{OpenAIChat, Finished, "stop", known(19, 10)}, payload: true},
	{in: "openai-chat/error", want: Report{OpenAIChat, Failed, "server_error", Tokens{}}, payload: true},
	{in: "openai-chat/error_before_text", want: Report{OpenAIChat, Failed, "rate_limit_exceeded", Tokens{}}},
	{in: "openai-chat/truncated", want: Report{OpenAIChat, Truncated, "", Tokens{}}, payload: true},
	{in: "openai-chat/truncated_inside", want: Report{OpenAIChat, Truncated, "", Tokens{}}, payload: true},
	{in: "openai-chat/paused", want: Report{OpenAIChat, Paused, "tool_calls", Tokens{}}, payload: true},
	{in: "openai-chat/filtered", want: Report{OpenAIChat, Finished, "content_filter", Tokens{}}, payload: true},
	{in: "openai-chat/without_done", want: Report{OpenAIChat, Finished, "stop", Tokens{}}, payload: true},
	{in: "openai-chat/without_done", want: Report{OpenAIChat, Truncated, "", Tokens{}}, payload: true, broken: true},
	{in: "openai-chat/ok", want: Report{OpenAIChat, Finished, "stop", known(19, 10)}, payload: true, broken: true},
	{in: "openai-chat/gateway_error", want: Report{OpenAIChat, Failed, "error", Tokens{}}, payload: true},
	{in: "openai-chat/role_only", want: Report{OpenAIChat, Truncated, "", Tokens{}}},

	{in: "openai-responses/ok", want: Report{OpenAIResponses, Finished, "", known(37, 11)}, payload: true},
	{in: "openai-responses/error_after_created", want: Report{OpenAIResponses, Failed, "server_error", Tokens{}}},
	{in: "openai-responses/failed", want: Report{OpenAIResponses, Failed, "rate_limit_exceeded", known(37, 11)}, payload: true},
	{in: "openai-responses/truncated", want: Report{OpenAIResponses, Truncated, "", Tokens{}}, payload: true},
	{in: "openai-responses/incomplete", want: Report{OpenAIResponses, Finished, "max_output_tokens", known(37, 11)}, payload: true},
	{in: "openai-responses/paused", want: Report{OpenAIResponses, Paused, "function_call", known(37, 11)}, payload: true},
	{in: "openai-responses/created_only", want: Report{OpenAIResponses, Truncated, "", Tokens{}}},

	{in: "anthropic/ok", want: Report{Anthropic, Finished, "end_turn", known(1125, 15)}, payload: true},
	{in: "anthropic/error", want: Report{Anthropic, Failed, "overloaded_error", known(1125, 1)}, payload: true},
	{in: "anthropic/error_after_start", want: Report{Anthropic, Failed, "api_error", known(1125, 1)}},
	{in: "anthropic/truncated", want: Report{Anthropic, Truncated, "", known(1125, 15)}, payload: true},
	{in: "anthropic/paused", want: Report{Anthropic, Paused, "tool_use", known(1125, 20)}, payload: true},
	{in: "anthropic/max_tokens", want: Report{Anthropic, Finished, "max_tokens", known(1125, 20)}, payload: true},
	{in: "anthropic/usage_at_the_end", want: Report{Anthropic, Finished, "end_turn", known(31, 20)}, payload: true},

	{in: "ag-ui/ok", want: Report{AGUI, Finished, "", known(15, 5)}, payload: true},
	{in: "ag-ui/error", want: Report{AGUI, Failed, "LLM_TIMEOUT", Tokens{}}, payload: true},
	{in: "ag-ui/error_first", want: Report{AGUI, Failed, "error", Tokens{}}},
	{in: "ag-ui/error_with_prose", want: Report{AGUI, Failed, "error", Tokens{}}},
	{in: "ag-ui/truncated", want: Report{AGUI, Truncated, "", Tokens{}}, payload: true},
	{in: "ag-ui/paused", want: Report{AGUI, Paused, "interrupt", Tokens{}}, payload: true},
	{in: "ag-ui/cancelled", want: Report{AGUI, Aborted, "cancelled", Tokens{}}, payload: true},
	{in: "ag-ui/tool_error", want: Report{AGUI, Finished, "", Tokens{}}, payload: true},
	{in: "ag-ui/second_run_truncated", want: Report{AGUI, Truncated, "", Tokens{}}, payload: true},

	{in: "a2a/ok", want: Report{A2A, Finished, "completed", Tokens{}}, payload: true},
	{in: "a2a/failed", want: Report{A2A, Failed, "failed", Tokens{}}},
	{in: "a2a/error", want: Report{A2A, Failed, "-32603", Tokens{}}},
	{in: "a2a/callers_error", want: Report{A2A, CallerError, "-32001", Tokens{}}, payload: true},
	{in: "a2a/truncated", want: Report{A2A, Truncated, "", Tokens{}}, payload: true},
	{in: "a2a/paused", want: Report{A2A, Paused, "input_required", Tokens{}}, payload: true},
	{in: "a2a/rejected", want: Report{A2A, Finished, "rejected", Tokens{}}, payload: true},
	{in: "a2a/canceled", want: Report{A2A, Aborted, "canceled", Tokens{}}, payload: true},
	{in: "a2a/message", want: Report{A2A, Finished, "message", Tokens{}}, payload: true},
	{in: "a2a/rest_ok", want: Report{A2A, Finished, "completed", Tokens{}}, payload: true},
	{in: "a2a/rest_truncated", want: Report{A2A, Truncated, "", Tokens{}}, payload: true},
	{in: "a2a/rest_failed", want: Report{A2A, Failed, "failed", Tokens{}}},
	{in: "a2a/rest_error", want: Report{A2A, Failed, "500", Tokens{}}},
	{in: "a2a/rest_callers_error", want: Report{A2A, CallerError, "404", Tokens{}}, payload: true},
	{in: "a2a/old_ok", want: Report{A2A, Finished, "completed", Tokens{}}, payload: true},
	{in: "a2a/old_failed", want: Report{A2A, Failed, "failed", Tokens{}}},
	{in: "a2a/old_paused", want: Report{A2A, Paused, "input_required", Tokens{}}, payload: true},

	{in: "mcp/ok", want: Report{MCP, Finished, "", Tokens{}}, payload: true},
	{in: "mcp/error", want: Report{MCP, Failed, "-32603", Tokens{}}},
	{in: "mcp/callers_error", want: Report{MCP, CallerError, "-32602", Tokens{}}, payload: true},
	{in: "mcp/tool_error", want: Report{MCP, Finished, "", Tokens{}}, payload: true},
	{in: "mcp/truncated", want: Report{MCP, Truncated, "", Tokens{}}},
	{in: "mcp/truncated", want: Report{MCP, Finished, "", Tokens{}}, head: withGET},
	{in: "mcp/resumable", want: Report{MCP, Paused, "resumable", Tokens{}}, head: withMCP},
	{in: "mcp/resumable", want: Report{MCP, Truncated, "", Tokens{}}, head: withMCP, broken: true},
	{in: "mcp/resumable", want: Report{MCP, Truncated, "", Tokens{}}, head: withMCP26},
	{in: "mcp/paused", want: Report{MCP, Paused, "input_required", Tokens{}}, payload: true},
	{in: "mcp/paused_by_url", want: Report{MCP, Paused, "-32042", Tokens{}}, payload: true},
	{in: "mcp/question", want: Report{MCP, Finished, "", Tokens{}}, payload: true},

	{in: "langgraph/ok", want: Report{LangGraph, Finished, "", known(9, 4)}, payload: true},
	{in: "langgraph/without_end", want: Report{LangGraph, Finished, "", Tokens{}}, payload: true},
	{in: "langgraph/without_end", want: Report{LangGraph, Truncated, "", Tokens{}}, payload: true, broken: true},
	{in: "langgraph/error", want: Report{LangGraph, Failed, "ValueError", Tokens{}}, payload: true},
	{in: "langgraph/error_with_prose", want: Report{LangGraph, Failed, "error", Tokens{}}},
	{in: "langgraph/error_of_subgraph", want: Report{LangGraph, Failed, "ValueError", Tokens{}}},
	{in: "langgraph/truncated", want: Report{LangGraph, Truncated, "", Tokens{}}, payload: true, broken: true},
	{in: "langgraph/paused", want: Report{LangGraph, Paused, "interrupt", Tokens{}}, payload: true},
	{in: "langgraph/interrupts_none", want: Report{LangGraph, Finished, "", Tokens{}}, payload: true},

	{in: "ai-sdk/ok", want: Report{AISDK, Finished, "stop", Tokens{}}, payload: true, head: withAISDK},
	{in: "ai-sdk/error", want: Report{AISDK, Failed, "error", Tokens{}}, payload: true, head: withAISDK},
	{in: "ai-sdk/error_before_text", want: Report{AISDK, Failed, "error", Tokens{}}, head: withAISDK},
	{in: "ai-sdk/truncated", want: Report{AISDK, Truncated, "", Tokens{}}, payload: true, head: withAISDK},
	{in: "ai-sdk/paused", want: Report{AISDK, Paused, "tool-calls", Tokens{}}, payload: true, head: withAISDK},
	{in: "ai-sdk/paused_for_approval", want: Report{AISDK, Paused, "tool-approval-request", Tokens{}}, payload: true, head: withAISDK},
	{in: "ai-sdk/aborted", want: Report{AISDK, Aborted, "abort", Tokens{}}, payload: true, head: withAISDK},

	{in: "sse/ok", want: Report{Unknown, Finished, "", Tokens{}}, payload: true},
	{in: "sse/ok", want: Report{Unknown, Truncated, "", Tokens{}}, payload: true, broken: true},
	{in: "sse/error", want: Report{Unknown, Failed, "E42", Tokens{}}, payload: true},
	{in: "sse/gemini", want: Report{Unknown, Failed, "429", Tokens{}}, payload: true},
	{in: "sse/no_error", want: Report{Unknown, Finished, "", Tokens{}}, payload: true},
	{in: "sse/carriage_returns", want: Report{Unknown, Failed, "error", Tokens{}}, payload: true},
	{in: "sse/ping", want: Report{Unknown, Finished, "", Tokens{}}},

	{in: "ndjson/ok", want: Report{NDJSON, Finished, "", Tokens{}}, payload: true},
	{in: "ndjson/ok", want: Report{NDJSON, Truncated, "", Tokens{}}, payload: true, broken: true},
	{in: "ndjson/error", want: Report{NDJSON, Failed, "error", Tokens{}}, payload: true},

	{in: "json/ok", want: Report{JSON, Finished, "stop", known(9, 12)}, payload: true},
	{in: "json/error", want: Report{JSON, Failed, "overloaded", Tokens{}}},
	{in: "json/anthropic_error", want: Report{JSON, Failed, "api_error", Tokens{}}},
	{in: "json/paused", want: Report{JSON, Paused, "tool_use", known(16, 2)}, payload: true},
	{in: "json/null_error", want: Report{JSON, Finished, "", Tokens{}}, payload: true},
	{in: "json/callers_error", want: Report{JSON, CallerError, "-32602", Tokens{}}, payload: true},
	{in: "json/callers_error", want: Report{MCP, CallerError, "-32602", Tokens{}}, payload: true, head: withMCP},
	{in: "json/task_failed", want: Report{A2A, Failed, "failed", Tokens{}}, payload: true, head: withA2A},
	{in: "json/truncated", want: Report{JSON, Truncated, "", Tokens{}}},
	{in: "json/list", want: Report{JSON, Finished, "", Tokens{}}, payload: true},
	{in: "json/null", want: Report{JSON, Finished, "", Tokens{}}},
	{in: "json/empty", want: Report{JSON, Finished, "", Tokens{}}},
	{in: "json/empty", want: Report{JSON, Truncated, "", Tokens{}}, broken: true},
}

// contentTypes are those of the folders that hold no event streams.
var contentTypes = map[string]string{
	"json": "application/json; charset=utf-8", "ndjson": "application/x-ndjson",
}

// exchange returns the body and the head of a golden response.
func (g *golden) exchange(t testing.TB) ([]byte, Head) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(g.in)+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	kind := contentTypes[filepath.Dir(g.in)]
	if kind == "" {
		kind = "text/event-stream"
	}
	head := Head{
		Method: http.MethodPost, Request: Header{}, Status: 200, Header: Header{"Content-Type": {kind}},
	}
	if g.head != nil {
		g.head(&head)
	}
	return body, head
}

// seen is all that a scanner tells.
type seen struct {
	Report  Report
	Payload bool
	Events  int
}

// scan tells a new scanner the body in pieces, each as long as size says of what is left.
func scan(f Format, head Head, body []byte, whole bool, size func(left int) int) seen {
	s := New(f, head)
	for len(body) > 0 {
		n := min(max(size(len(body)), 1), len(body))
		s.Write(body[:n])
		body = body[n:]
	}
	s.Close(whole, nil)
	return seen{s.Report(), s.Payload(), s.Events()}
}

func atOnce(left int) int { return left }
func byBytes(int) int     { return 1 }

func TestGolden(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.in, func(t *testing.T) {
			body, head := g.exchange(t)
			got := scan(Auto, head, body, !g.broken, atOnce)
			if diff := cmp.Diff(g.want, got.Report); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if got.Payload != g.payload {
				t.Errorf("payload: got %v, want %v", got.Payload, g.payload)
			}
			if small := scan(Auto, head, body, !g.broken, byBytes); small != got {
				t.Errorf("byte by byte: got %+v, want %+v", small, got)
			}
		})
	}
}

// What is found by itself is found as well when it was asked for by name.
func TestGoldenByName(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.in, func(t *testing.T) {
			body, head := g.exchange(t)
			want := g.want
			if want.Format == Unknown {
				want.Format = SSE
			}
			if got := scan(want.Format, head, body, !g.broken, atOnce).Report; got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
