package caddymodule

import (
	"net/http"
	"sync"

	"github.com/switchback-proxy/switchback/stream"
)

// maxCall is how long a call may be to be read for its id. Clients put it behind the arguments as often as before them.
const maxCall = 16 << 10

// call is a JSON-RPC request of which the id is wanted, as a client drops an error that does not repeat it. It keeps the
// body that passes to the variant until the answer begins.
type call struct {
	mu     sync.Mutex // protects following fields: the variant may read in another goroutine, the next try in a third
	length int        // of the body; 0 once nothing is kept any more
	body   []byte
}

// newCall returns nil for a request that is no call, or a long one.
func newCall(r *http.Request, f stream.Format) *call {
	if r.ContentLength <= 0 || r.ContentLength > maxCall || !speaksRPC(r, f) || !isJSON(r.Header["Content-Type"]) {
		return nil
	}
	return &call{length: int(r.ContentLength)}
}

// speaksRPC reports whether answers are read as a protocol whose errors repeat an id, or the request declares one, or takes
// JSON and events alike, as MCP's first request does, which cannot declare anything yet. Those that do none of it are not
// worth a look into each JSON that anybody posts.
func speaksRPC(r *http.Request, f stream.Format) bool {
	switch f {
	case stream.MCP, stream.A2A:
		return true
	case stream.Auto:
		h := r.Header
		return len(h["Mcp-Protocol-Version"])+len(h["Mcp-Session-Id"])+len(h["A2a-Version"]) > 0 ||
			stream.AcceptsEither(stream.Header(h))
	}
	return false
}

// take takes in a piece of the body. A nil *call takes nothing.
func (c *call) take(p []byte) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body = append(c.body, p[:min(len(p), c.length-len(c.body))]...)
}

// id returns the request's id as JSON; "" if there is none, or if the body has not passed whole.
func (c *call) id() string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.length == 0 || len(c.body) < c.length {
		return ""
	}
	return stream.RequestID(c.body)
}

// drop forgets the body, and what is still to come of it.
func (c *call) drop() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.length, c.body = 0, nil
}
