package stream

import (
	"bytes"
	"cmp"
)

// A2A 1.0, and 0.3, whose states are written differently and which says `kind`; both as JSON-RPC or, without JSON-RPC
// around it, as REST. Checked against the npm package @a2a-js/sdk 1.3.0 and 0.3.14: by JSON-RPC it raises on an `error`
// and on an answer whose id is not the request's, whatever the event's name; by REST it raises on `event: error`, and
// takes anything else for an update. It does not insist on a final state.

var a2aPaths = []path{
	{"jsonrpc", slotRPC}, {"id", slotID}, {"method", slotMethod}, {"code", slotCode},
	{"error", slotError}, {"error.code", slotErrorCode}, {"error.status", slotErrorType},
	{"result", slotResult}, {"result.kind", slotKind}, {"result.artifact", slotContent},
	{"result.status.state", slotState}, {"result.status.message", slotContent},
	{"result.task", slotUpdate}, {"result.task.status.state", slotState}, {"result.task.artifacts", slotContent},
	{"result.statusUpdate", slotUpdate}, {"result.statusUpdate.status.state", slotState},
	{"result.statusUpdate.status.message", slotContent},
	{"result.artifactUpdate", slotUpdate}, {"result.artifactUpdate.artifact", slotContent}, {"result.message", slotReply},
	{"task", slotUpdate}, {"task.status.state", slotState}, {"task.artifacts", slotContent},
	{"statusUpdate", slotUpdate}, {"statusUpdate.status.state", slotState}, {"statusUpdate.status.message", slotContent},
	{"artifactUpdate", slotUpdate}, {"artifactUpdate.artifact", slotContent}, {"message", slotReply},
	{"message.messageId", slotMessageID},
}

// judgeA2A judges an update of a task, or a message.
func judgeA2A(s *Scanner) {
	w := &s.json
	if w.has(slotRPC) {
		s.keepID()
	} else if w.has(slotUpdate) || w.has(slotReply) {
		s.rest = true
	}
	switch {
	case w.truthy(slotError) && w.has(slotRPC):
		s.failRPC()
	case w.truthy(slotError) || string(s.eventName()) == "error":
		s.failREST()
	case w.is(slotReply, kindObject) || string(w.bytes(slotKind)) == "message":
		s.conclude(Finished, "message")
	default:
		s.payload = s.payload || w.truthy(slotContent)
		s.setState(w.bytes(slotState))
	}
}

// keepID remembers the request's id as the first answer repeats it: all answers of a stream have the same.
func (s *Scanner) keepID() {
	if s.rpcID == "" {
		s.rpcID = s.json.raw(slotID)
	}
}

// setState takes over a task's state. A task that is refused, or given up on request, is not one that failed.
func (s *Scanner) setState(state []byte) {
	switch string(bytes.TrimPrefix(state, []byte("TASK_STATE_"))) {
	case "":
	case "COMPLETED", "completed":
		s.conclude(Finished, "completed")
	case "FAILED", "failed":
		s.fail("failed")
	case "REJECTED", "rejected":
		s.conclude(Finished, "rejected")
	case "CANCELED", "CANCELLED", "canceled", "cancelled":
		s.conclude(Aborted, "canceled")
	case "INPUT_REQUIRED", "input-required", "input_required":
		s.conclude(Paused, "input_required")
	case "AUTH_REQUIRED", "auth-required", "auth_required":
		s.conclude(Paused, "auth_required")
	default:
		s.reopen()
	}
}

// failREST notes an error outside of JSON-RPC, whose code is an HTTP status.
func (s *Scanner) failREST() {
	code := s.json.values[slotErrorCode].number
	if s.json.is(slotErrorCode, kindNumber) && code >= 400 && code < 500 && code != 408 && code != 429 {
		s.conclude(CallerError, s.errorCode())
		return
	}
	s.fail(s.errorCode())
}

// a2aCallersFault is whether one of A2A's own codes says that the request was wrong: no such task, not to be canceled,
// no such feature or version. All of them do but -32006, by which an agent says that it has answered wrongly.
func a2aCallersFault(code int64) bool { return code >= -32009 && code <= -32001 && code != -32006 }

// a2aFrame is an error that both bindings' clients raise: by JSON-RPC they look at the id and the error, by REST at the
// event's name and the error.
func a2aFrame(s *Scanner, reason string) string {
	if s.rest {
		return "event: error\n" + `data: {"error":{"code":503,"status":"UNAVAILABLE","message":` + reason + "}}\n\n"
	}
	id := cmp.Or(s.rpcID, s.requestID, "null")
	return "event: error\n" + `data: {"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32603,"message":` + reason +
		"}}\n\n"
}
