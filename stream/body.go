package stream

// Bodies that are no event streams: lines of JSON, and one JSON value. Both say that they failed by a top-level
// `error`, as OpenAI, Anthropic, Gemini, Ollama and JSON-RPC do.

import "bytes"

// bodyPaths lead to what one JSON body may say, in whatever protocol.
var bodyPaths = []path{
	{"type", slotType}, {"error", slotError}, {"error.code", slotErrorCode}, {"error.type", slotErrorType},
	{"code", slotCode}, {"message", noSlot}, {"status", noSlot}, {"object", noSlot},
	{"request_id", noSlot}, {"id", noSlot}, {"jsonrpc", slotRPC}, {"result", slotResult},
	{"result.resultType", slotResultType}, {"result.status.state", slotState}, {"result.task.status.state", slotState},
	{"task.status.state", slotState}, {"result.kind", slotKind},
	{"usage.prompt_tokens", slotTokensIn}, {"usage.completion_tokens", slotTokensOut},
	{"usage.input_tokens", slotTokensIn}, {"usage.output_tokens", slotTokensOut},
	{"usage.cache_read_input_tokens", slotCacheRead}, {"usage.cache_creation_input_tokens", slotCacheWrite},
	{"choices.finish_reason", slotStop}, {"stop_reason", slotStop},
}

// writeLines reads a piece of a body with a JSON value a line.
func (s *Scanner) writeLines(p []byte) {
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n')
		if n < 0 {
			s.readLine(p)
			return
		}
		s.readLine(p[:n])
		s.endJSONLine()
		p = p[n+1:]
	}
}

func (s *Scanner) readLine(p []byte) {
	s.sse.inside = s.sse.inside || len(bytes.TrimSpace(p)) > 0
	s.json.write(p)
}

func (s *Scanner) endJSONLine() {
	if s.sse.inside {
		s.event()
	}
	s.sse.inside = false
	s.json.reset()
}

// writeWhole reads a piece of a body that is one JSON value. It counts as payload as soon as it has a key that error
// bodies do not have.
func (s *Scanner) writeWhole(p []byte) {
	s.json.write(p)
	if s.events == 0 && s.json.state == complete {
		s.event()
	}
	s.payload = s.payload || s.json.other || s.json.has(slotResult)
}

// flush ends the last event of a body that ended whole, but not on an event's end.
func (s *Scanner) flush() {
	switch s.framing {
	case framedSSE:
		if s.json.state == complete || s.isDone() || !s.sse.hasData {
			s.dispatch()
		}
	case framedLines:
		if s.json.state == complete {
			s.endJSONLine()
		}
	}
}

// judgeBody judges a body that is one JSON value.
func judgeBody(s *Scanner) {
	w := &s.json
	s.countTokens()
	s.tokens.In += w.count(slotCacheRead) + w.count(slotCacheWrite)
	switch {
	case w.truthy(slotRPC) && w.truthy(slotError):
		s.failRPC()
	case w.truthy(slotError):
		s.fail(s.errorCode())
	case w.has(slotState):
		s.setState(w.bytes(slotState))
	default:
		s.finishBody()
	}
}

// finishBody ends a body that reports no error.
func (s *Scanner) finishBody() {
	stop := s.json.bytes(slotStop)
	switch end := stopEnd(stop); {
	case end == Failed:
		s.fail(codeOf(stop))
	case string(s.json.bytes(slotResultType)) == "input_required":
		s.conclude(Paused, "input_required")
	default:
		s.conclude(end, codeOf(stop))
	}
}

// endedBody is for one JSON value that is not whole, or for a body that is empty, or no JSON whatever its head says.
func endedBody(s *Scanner, whole bool) End {
	if !whole || s.json.open() {
		return Truncated
	}
	return Finished
}
