package stream

// Anthropic Messages. Checked against the npm package @anthropic-ai/sdk 1.12.0: its plain stream raises on
// `event: error`, skips events without a name, and does not miss message_stop.

var anthropicPaths = []path{
	{"type", slotType}, {"error", slotError}, {"error.type", slotErrorType}, {"delta.stop_reason", slotStop},
	{"message.usage.input_tokens", slotTokensIn}, {"message.usage.output_tokens", slotTokensOut},
	{"message.usage.cache_read_input_tokens", slotCacheRead},
	{"message.usage.cache_creation_input_tokens", slotCacheWrite},
	{"usage.input_tokens", slotTokensIn}, {"usage.output_tokens", slotTokensOut},
	{"usage.cache_read_input_tokens", slotCacheRead}, {"usage.cache_creation_input_tokens", slotCacheWrite},
}

// judgeAnthropic judges an event of a message.
func judgeAnthropic(s *Scanner) {
	w := &s.json
	switch string(w.bytes(slotType)) {
	case "message_start":
		s.countAnthropic()
	case "ping":
	case "message_delta":
		s.countAnthropic()
		s.payload = true
		if stop := w.bytes(slotStop); len(stop) > 0 {
			s.expect(stopEnd(stop), codeOf(stop))
		}
	case "message_stop":
		s.confirm()
	case "error":
		s.fail(s.errorCode())
	default:
		if !s.failedPlainly() {
			s.payload = s.payload || s.hasText()
		}
	}
}

// countAnthropic takes over the event's usage. All of it is cumulative; what was read is told at the start by some
// servers and at the end, with a zero at the start, or the other way about, by others.
func (s *Scanner) countAnthropic() {
	w := &s.json
	if w.is(slotTokensOut, kindNumber) {
		s.tokens.Out, s.tokens.Known = w.count(slotTokensOut), true
	}
	in := w.count(slotTokensIn) + w.count(slotCacheRead) + w.count(slotCacheWrite)
	if in > 0 {
		s.tokens.In, s.tokens.Known = max(s.tokens.In, in), true
	}
}

// anthropicFrame is an error event.
func anthropicFrame(_ *Scanner, reason string) string {
	return "event: error\n" + `data: {"type":"error","error":{"type":"overloaded_error","message":` + reason + "}}\n\n"
}
