package stream

import (
	"bytes"
	"strconv"
)

// OpenAI Responses. Checked against the npm package openai 6.49.0: its stream does not raise on an event of type error
// as the API describes it, which it hands on like any other event, but on a truthy top-level `error`; nor does it raise
// on response.failed, or when response.completed is missing.

var responsesPaths = []path{
	{"type", slotType}, {"error", slotError}, {"error.code", slotErrorCode}, {"error.type", slotErrorType},
	{"code", slotCode}, {"sequence_number", slotSequence}, {"item.type", slotItemType},
	{"response.error.code", slotRespCode}, {"response.incomplete_details.reason", slotReason},
	{"response.usage.input_tokens", slotTokensIn}, {"response.usage.output_tokens", slotTokensOut},
}

// judgeResponses judges an event of a response.
func judgeResponses(s *Scanner) {
	w := &s.json
	if w.is(slotSequence, kindNumber) {
		s.next = w.count(slotSequence) + 1
	}
	s.countTokens()
	switch kind := w.bytes(slotType); string(kind) {
	case "error":
		s.fail(s.errorCode())
	case "response.failed":
		s.fail(codeOf(w.bytes(slotRespCode)))
	case "response.created", "response.in_progress", "response.queued":
	case "response.completed":
		s.confirm()
	case "response.incomplete":
		s.conclude(Finished, codeOf(w.bytes(slotReason)))
	case "response.cancelled":
		s.conclude(Aborted, "")
	case "response.output_item.done":
		s.judgeItem(w.bytes(slotItemType))
	default:
		if !s.failedPlainly() {
			s.payload = s.payload || bytes.HasPrefix(kind, responsesPrefix)
		}
	}
}

// judgeItem notes an output item that waits for the caller: a tool that the caller runs, or a question.
func (s *Scanner) judgeItem(kind []byte) {
	s.payload = true
	switch string(kind) {
	case "function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
		"mcp_approval_request":
		s.expect(Paused, codeOf(kind))
	}
}

// responsesFrame is an error event with the top-level `error` that makes the client raise.
func responsesFrame(s *Scanner, reason string) string {
	return "event: error\n" + `data: {"type":"error","code":"server_error","message":` + reason +
		`,"param":null,"sequence_number":` + strconv.FormatUint(s.next, 10) +
		`,"error":{"type":"server_error","code":"server_error","message":` + reason + `,"param":null}}` + "\n\n"
}
