package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/stream"
)

// The id of a call is known when its body has passed, in whatever pieces, of those calls alone whose answers may need it.
func TestCall(t *testing.T) {
	const body = `{"method":"tools/call","params":{"id":1},"jsonrpc":"2.0","id":7}`
	long := body[:len(body)-1] + strings.Repeat(" ", maxCall-len(body)) + "}"
	mcp := []string{"Mcp-Protocol-Version", "2025-11-25"}
	for _, tt := range []struct {
		name, body, kind string
		format           stream.Format
		header           []string
		want             string
	}{
		{"MCP", body, "application/json", stream.Auto, mcp, "7"},
		{"MCP by its session", body, "application/json", stream.Auto, []string{"Mcp-Session-Id", "s"}, "7"},
		{"A2A", body, "application/json; charset=utf-8", stream.Auto, []string{"A2a-Version", "1.0"}, "7"},
		{"MCP by configuration", body, "application/json", stream.MCP, nil, "7"},
		{"MCP's first", body, "application/json", stream.Auto, []string{"Accept", "application/json, text/event-stream"}, "7"},
		{"JSON alone", body, "application/json", stream.Auto, []string{"Accept", "application/json"}, ""},
		{"nothing said", body, "application/json", stream.Auto, nil, ""},
		{"another format", body, "application/json", stream.OpenAIChat, mcp, ""},
		{"not read", body, "application/json", stream.Unknown, mcp, ""},
		{"no JSON", body, "text/plain", stream.Auto, mcp, ""},
		{"a notification", `{"jsonrpc":"2.0","method":"x"}`, "application/json", stream.Auto, mcp, ""},
		{"as long as may be", long, "application/json", stream.Auto, mcp, "7"},
		{"too long", long + " ", "application/json", stream.Auto, mcp, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", iotest.OneByteReader(strings.NewReader(tt.body)))
			r.ContentLength = int64(len(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			var u upload
			u.watch(r, new(health.Flight), tt.format)
			if got, err := io.ReadAll(r.Body); err != nil || string(got) != tt.body {
				t.Fatalf("the variant reads %q, %v", got, err)
			}
			if got := u.call.id(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Of a body that has not passed whole nothing is known, and nothing is kept of what passes after the answer has begun.
func TestCallWithoutItsEnd(t *testing.T) {
	const body = `{"jsonrpc":"2.0","id":7}`
	r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	c := newCall(r, stream.MCP)
	c.take([]byte(body[:len(body)-1]))
	if got := c.id(); got != "" {
		t.Errorf("before the end: got %q, want none", got)
	}
	c.drop()
	c.take([]byte(body[len(body)-1:]))
	if got := c.id() + strconv.Itoa(len(c.body)); got != "0" {
		t.Errorf("after the drop: got %q, want nothing known and nothing kept", got)
	}
}
