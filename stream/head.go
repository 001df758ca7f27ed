package stream

import "strings"

// A Head is what is known of an exchange before the response's body. New reads it and keeps nothing of it but
// RequestID.
type Head struct {
	Method  string // of the request
	Path    string // of the request's URL
	Request Header // of the request; only protocol versions and Accept are read. May be nil
	// RequestID is the `id` of the JSON-RPC request that is answered, as JSON (`7`, `"a"`), if the caller knows it;
	// see [RequestID]. It is written into error frames as it is; without it none can be written into an MCP stream.
	RequestID string
	Status    int    // of the response; 0 counts as 200
	Header    Header // of the response
}

// Header holds header fields, or trailers, by their names in canonical form: an http.Header converts to it.
type Header map[string][]string

// Get returns the first value of a field, or the empty string.
func (h Header) Get(name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// framing is how a body is cut into events.
type framing uint8

const (
	notScanned  framing = iota
	framedSSE           // server-sent events
	framedLines         // a JSON value a line
	framedWhole         // one JSON value
	framedGRPC          // length-prefixed messages, which are not looked into
)

// framing tells from the head how the body is framed when f was asked for.
func (h *Head) framing(f Format) framing {
	if f >= Unknown || !h.scanned() {
		return notScanned
	}
	raw := h.Header.Get("Content-Type")
	if raw == "" {
		return defaultFraming(f)
	}
	kind, _, _ := strings.Cut(raw, ";") // whatever the parameters are, even malformed
	return framingOf(strings.ToLower(strings.TrimSpace(kind)))
}

// scanned is false for a response without a body, with one that cannot be read, or whose status has said it all.
func (h *Head) scanned() bool {
	if h.Method == "HEAD" || h.Status == 204 || h.Status == 205 {
		return false
	}
	if h.Status != 0 && (h.Status < 200 || h.Status > 299) {
		return false
	}
	for _, encoding := range h.Header["Content-Encoding"] {
		if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
			return false
		}
	}
	return true
}

func framingOf(kind string) framing {
	switch kind {
	case "text/event-stream":
		return framedSSE
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines",
		"application/x-jsonlines", "application/json-lines":
		return framedLines
	case "application/json":
		return framedWhole
	case "application/grpc":
		return framedGRPC
	}
	switch {
	case strings.HasPrefix(kind, "application/grpc+"):
		return framedGRPC
	case strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"):
		return framedWhole
	}
	return notScanned
}

// defaultFraming is for a response that does not say what it carries.
func defaultFraming(f Format) framing {
	switch f {
	case Auto:
		return notScanned
	case NDJSON:
		return framedLines
	case JSON:
		return framedWhole
	case GRPC:
		return framedGRPC
	}
	return framedSSE
}

// declared is the format that the exchange's headers declare, or Unknown.
func (h *Head) declared() Format {
	switch {
	case h.Header.Get("X-Vercel-Ai-Ui-Message-Stream") != "":
		return AISDK
	case h.Request.Get("A2a-Version") != "" || h.Header.Get("A2a-Version") != "":
		return A2A
	case h.Request.Get("Mcp-Protocol-Version") != "" || h.Request.Get("Mcp-Session-Id") != "" ||
		h.Header.Get("Mcp-Session-Id") != "":
		return MCP
	}
	return Unknown
}

// likely is the format that the request suggests, by its path or by what it takes, or Unknown. That is no proof: it counts
// only until the first event.
func (h *Head) likely() Format {
	path := strings.TrimSuffix(h.Path, "/")
	switch {
	case strings.HasSuffix(path, "/chat/completions"):
		return OpenAIChat
	case strings.HasSuffix(path, "/v1/responses"):
		return OpenAIResponses
	case strings.HasSuffix(path, "/v1/messages"):
		return Anthropic
	case strings.HasSuffix(path, "/runs/stream"):
		return LangGraph
	case strings.HasSuffix(path, "/message:stream"), strings.HasSuffix(path, "/message:send"):
		return A2A
	}
	if h.RequestID != "" && AcceptsEither(h.Request) {
		return MCP
	}
	return Unknown
}

// AcceptsEither is whether a request takes one JSON value and events alike, as MCP has its clients say with each. In a
// JSON-RPC request that is as good as a name, until the answer's first event.
func AcceptsEither(request Header) bool {
	var json, events bool
	for _, accept := range request["Accept"] {
		json = json || strings.Contains(accept, "application/json")
		events = events || strings.Contains(accept, "text/event-stream")
	}
	return json && events
}

// listening is whether an MCP request asked to be told things rather than for an answer, so that the stream may end at
// any time.
func (h *Head) listening() bool {
	return h.Method == "GET" || h.Request.Get("Mcp-Method") == "subscriptions/listen"
}

// resumable is whether the MCP revision that the client speaks lets the server close a stream that is to be resumed.
// Revisions are dates, which order as text does; the one of 2026 took resuming away.
func (h *Head) resumable() bool { return h.Request.Get("Mcp-Protocol-Version") < "2026" }
