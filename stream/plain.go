package stream

// Events and lines of no known protocol. `event: error` and a top-level `error` are how everybody says it.

var plainPaths = []path{
	{"error", slotError}, {"error.code", slotErrorCode}, {"error.type", slotErrorType}, {"code", slotCode},
}

var plainTree = compile(plainPaths)

// judgePlain judges an event of no known protocol.
func judgePlain(s *Scanner) {
	if s.failedPlainly() {
		return
	}
	switch string(s.eventName()) {
	case "ping", "heartbeat", "keepalive", "keep-alive", "open", "connected":
		return
	}
	s.payload = s.payload || s.hasText() || s.framing == framedLines
}

// failedPlainly is whether the event is an error by what everybody does, in which case it has been noted.
func (s *Scanner) failedPlainly() bool {
	if string(s.eventName()) != "error" && !s.json.truthy(slotError) {
		return false
	}
	s.fail(s.errorCode())
	return true
}
