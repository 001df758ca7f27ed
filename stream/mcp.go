package stream

// MCP's streamable HTTP, up to the revision of 2026. Checked against the npm package @modelcontextprotocol/sdk 1.32.2:
// it reads events without a name or named message, finds the request that an answer belongs to by its id alone, drops
// an error with an id of null as no message at all, and, when a stream ends in which events had ids but no result,
// asks for the rest. A tool's own failure (`isError`) is a result like any other.

const urlElicitationRequired = -32042 // the caller is to visit a page first

var mcpPaths = []path{
	{"jsonrpc", slotRPC}, {"id", slotID}, {"method", slotMethod}, {"code", slotCode},
	{"error", slotError}, {"error.code", slotErrorCode}, {"result", slotResult}, {"result.resultType", slotResultType},
}

// judgeMCP judges a message of the server's: an answer, or on the way to it a notification or a question.
func judgeMCP(s *Scanner) {
	w := &s.json
	switch {
	case w.has(slotMethod):
		s.payload = s.payload || w.has(slotID)
	case w.truthy(slotError):
		s.failRPC()
	case string(s.eventName()) == "error":
		s.fail(s.errorCode())
	case w.has(slotResult):
		if string(w.bytes(slotResultType)) == "input_required" {
			s.conclude(Paused, "input_required")
		} else {
			s.conclude(Finished, "")
		}
	}
}

// mcpCallersFault is whether one of MCP's own codes says that the request was wrong: headers that contradict the body,
// a capability or a version that the client lacks, no such resource.
func mcpCallersFault(code int64) bool { return code >= -32022 && code <= -32020 || code == -32002 }

// endedMCP is for a stream without an answer. A server may end one on purpose, if the client can ask for the rest.
func endedMCP(s *Scanner, whole bool) End {
	switch {
	case whole && s.listening:
		return Finished
	case whole && s.resumable && s.sse.hasID:
		s.expect(Paused, "resumable")
		return Paused
	}
	return Truncated
}

// mcpFrame answers the request with an error. Without the request's id there is nothing that the client would notice.
func mcpFrame(s *Scanner, reason string) string {
	if s.requestID == "" {
		return ""
	}
	return "event: message\n" + `data: {"jsonrpc":"2.0","id":` + s.requestID + `,"error":{"code":-32603,"message":` +
		reason + "}}\n\n"
}
