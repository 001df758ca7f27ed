package stream

// OpenAI Chat Completions, and the many servers that imitate it. Checked against the npm package openai 6.49.0: its
// stream raises on any truthy top-level `error` and is done at data that begins with [DONE], which it does not insist
// on; its accumulated completion insists on a finish_reason.

var chatPaths = []path{
	{"error", slotError}, {"error.code", slotErrorCode}, {"error.type", slotErrorType},
	{"object", slotObject}, {"choices", slotChoices}, {"choices.finish_reason", slotStop},
	{"choices.text", slotContent}, {"choices.delta.content", slotContent}, {"choices.delta.refusal", slotContent},
	{"choices.delta.reasoning", slotContent}, {"choices.delta.reasoning_content", slotContent},
	{"choices.delta.tool_calls", slotContent}, {"choices.delta.function_call", slotContent},
	{"choices.delta.audio", slotContent},
	{"usage.prompt_tokens", slotTokensIn}, {"usage.completion_tokens", slotTokensOut},
}

// judgeChat judges a chunk of a chat completion.
func judgeChat(s *Scanner) {
	if s.isDone() {
		s.confirm()
		return
	}
	if s.failedPlainly() {
		return
	}
	w := &s.json
	s.countTokens()
	s.payload = s.payload || w.truthy(slotContent)
	if !w.truthy(slotStop) {
		return
	}
	s.payload = true
	reason := codeOf(w.bytes(slotStop))
	if end := stopEnd(w.bytes(slotStop)); end == Failed {
		s.fail(reason)
	} else {
		s.expect(end, reason)
	}
}

// endedChat is for protocols whose last mark adds nothing to the event before it: without the mark, but after a reason
// to stop, the answer is whole if its body is.
func endedChat(s *Scanner, whole bool) End {
	if !whole || s.pending == Open {
		return Truncated
	}
	return s.pending
}

// chatFrame is an error chunk.
func chatFrame(_ *Scanner, reason string) string {
	return `data: {"error":{"message":` + reason + `,"type":"server_error","param":null,"code":"service_unavailable"}}` +
		"\n\n"
}
