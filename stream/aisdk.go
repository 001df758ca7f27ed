package stream

// Vercel AI SDK's UI message stream, version 1. Checked against the npm packages ai 6.0.326 and @ai-sdk/provider-utils
// 4.0.66: data [DONE] ends every stream, also those that had an error; an error part is told to the caller, with its
// text and no code; an abort part says that the user gave up.

var aisdkPaths = []path{
	{"type", slotType}, {"errorText", slotErrorText}, {"finishReason", slotStop},
}

// judgeAISDK judges a part of a message.
func judgeAISDK(s *Scanner) {
	if s.isDone() {
		s.confirm()
		return
	}
	switch string(s.json.bytes(slotType)) {
	case "error":
		s.fail("")
	case "abort":
		s.conclude(Aborted, "abort")
	case "start", "start-step", "message-metadata", "":
	case "finish":
		s.payload = true
		s.finishMessage(s.json.bytes(slotStop))
	case "tool-approval-request":
		s.payload = true
		s.expect(Paused, "tool-approval-request")
	default:
		s.payload = true
	}
}

// finishMessage notes why the message ends. A question that was asked before is still one.
func (s *Scanner) finishMessage(reason []byte) {
	switch end := stopEnd(reason); {
	case end == Failed:
		s.fail(codeOf(reason))
	case s.pending != Paused || end == Paused:
		s.expect(end, codeOf(reason))
	}
}

// aisdkFrame is an error part, and the end of the stream.
func aisdkFrame(_ *Scanner, reason string) string {
	return `data: {"type":"error","errorText":` + reason + "}\n\ndata: [DONE]\n\n"
}
