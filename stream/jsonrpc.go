package stream

// JSON-RPC 2.0, in which A2A and MCP are written.

// failRPC notes a JSON-RPC error: whose it is depends on the code.
func (s *Scanner) failRPC() {
	w := &s.json
	code := w.values[slotErrorCode].number
	text := s.errorCode()
	switch {
	case !w.is(slotErrorCode, kindNumber):
		s.fail(text)
	case s.format == MCP && code == urlElicitationRequired:
		s.conclude(Paused, text)
	case callersFault(code), s.format == A2A && a2aCallersFault(code), s.format == MCP && mcpCallersFault(code):
		s.conclude(CallerError, text)
	default:
		s.fail(text)
	}
}

// callersFault is whether the code says that the request was wrong: not JSON, no request, no such method, wrong
// parameters.
func callersFault(code int64) bool {
	return code == -32700 || code >= -32602 && code <= -32600
}

// RequestID finds the `id` of a JSON-RPC request in its body, or in as much of the body as was kept, and returns it as
// JSON (`7`, `"a"`). It returns "" where there is none: in notifications, batches, and bodies that are no JSON-RPC.
func RequestID(body []byte) string {
	w := walker{paths: requestTree}
	w.reset()
	w.write(body)
	if !w.truthy(slotRPC) {
		return ""
	}
	return w.raw(slotID)
}

var requestTree = compile([]path{{"jsonrpc", slotRPC}, {"id", slotID}})
