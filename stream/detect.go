package stream

import "bytes"

// maxUndecided is how many events may pass before a stream counts as one of no known protocol.
const maxUndecided = 8

// decide looks for the format of a stream in the event that has just ended. What the headers declare holds unless the
// event is plainly another protocol's; what the path suggests no longer counts once there is an event.
func (s *Scanner) decide() {
	f := s.recognize(s.format)
	if f == Unknown && !s.hasText() {
		return
	}
	s.likely = Unknown
	if f == Unknown {
		f = s.format
	}
	if f == Unknown && s.events >= maxUndecided {
		f = SSE
	}
	if f != Unknown {
		s.undecided = false
		s.settle(f)
	}
}

// recognize names the protocol that the event belongs to, or Unknown. An event that is nothing but an error is
// nobody's.
func (s *Scanner) recognize(declared Format) Format {
	w := &s.json
	switch {
	case w.has(slotRPC):
		return s.recognizeRPC(declared)
	case s.isLangGraph():
		return LangGraph
	case w.is(slotType, kindString):
		return s.recognizeType(w.bytes(slotType), declared)
	case w.has(slotUpdate), w.has(slotMessageID):
		return A2A
	case w.is(slotChoices, kindList), bytes.HasPrefix(w.bytes(slotObject), []byte("chat.completion")):
		return OpenAIChat
	}
	return Unknown
}

// recognizeRPC tells A2A and MCP apart, by what was declared or what the result is about.
func (s *Scanner) recognizeRPC(declared Format) Format {
	w := &s.json
	switch {
	case declared == A2A || declared == MCP:
		return declared
	case w.has(slotUpdate), w.has(slotReply), w.has(slotKind), w.has(slotState):
		return A2A
	}
	return MCP
}

// isLangGraph goes by the names of events. A run's first event is always its metadata.
func (s *Scanner) isLangGraph() bool {
	switch string(s.eventName()) {
	case "metadata":
		return s.json.has(slotRunID)
	case "values", "updates", "messages/partial", "messages/complete", "messages/metadata", "checkpoints":
		return true
	}
	return false
}

var (
	responsesPrefix = []byte("response.")
	textPrefix      = []byte("TEXT_MESSAGE_")
)

// recognizeType goes by the event's type, as far as it is not a word that anybody might use: the AI SDK's `start` is,
// which its header is there to tell. What is nobody's stays with what was declared.
func (s *Scanner) recognizeType(kind []byte, declared Format) Format {
	switch string(kind) {
	case "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
		"message_stop":
		return Anthropic
	case "start-step", "text-start", "reasoning-start", "tool-input-start":
		return AISDK
	case "RUN_STARTED", "RUN_FINISHED", "RUN_ERROR":
		return AGUI
	case "error":
		return s.recognizeError(declared)
	}
	switch {
	case bytes.HasPrefix(kind, responsesPrefix):
		return OpenAIResponses
	case bytes.HasPrefix(kind, textPrefix):
		return AGUI
	}
	return declared
}

// recognizeError goes by the shape of an error that comes first.
func (s *Scanner) recognizeError(declared Format) Format {
	w := &s.json
	switch {
	case w.has(slotErrorText):
		return AISDK
	case w.has(slotSequence):
		return OpenAIResponses
	case w.is(slotError, kindObject) && w.has(slotErrorType):
		return Anthropic
	}
	return declared
}
