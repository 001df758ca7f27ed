package stream

import "strings"

// A protocol is what the scanner knows of a format.
type protocol struct {
	paths paths
	lists bool           // whether events may be lists
	judge func(*Scanner) // judges the event that has just ended
	// ended is the verdict on a body in which nothing ended the answer.
	ended func(s *Scanner, whole bool) End
	// frame is the protocol's error, as the bytes of one event; nil where none may be written.
	frame func(s *Scanner, reason string) string
}

// protocols has a row for each format. Auto and Unknown are read as events of no known protocol, until it is known.
var protocols = [formatCount]protocol{
	Auto:            {paths: plainTree, judge: judgePlain, ended: endedSoftly},
	OpenAIChat:      {paths: compile(chatPaths), judge: judgeChat, ended: endedChat, frame: chatFrame},
	OpenAIResponses: {paths: compile(responsesPaths), judge: judgeResponses, ended: endedStrictly, frame: responsesFrame},
	Anthropic:       {paths: compile(anthropicPaths), judge: judgeAnthropic, ended: endedStrictly, frame: anthropicFrame},
	AGUI:            {paths: compile(aguiPaths), judge: judgeAGUI, ended: endedStrictly, frame: aguiFrame},
	A2A:             {paths: compile(a2aPaths), judge: judgeA2A, ended: endedStrictly, frame: a2aFrame},
	MCP:             {paths: compile(mcpPaths), judge: judgeMCP, ended: endedMCP, frame: mcpFrame},
	LangGraph:       {paths: compile(langGraphPaths), lists: true, judge: judgeLangGraph, ended: endedSoftly},
	AISDK:           {paths: compile(aisdkPaths), judge: judgeAISDK, ended: endedChat, frame: aisdkFrame},
	SSE:             {paths: plainTree, judge: judgePlain, ended: endedSoftly},
	NDJSON:          {paths: plainTree, judge: judgePlain, ended: endedSoftly},
	JSON:            {paths: compile(bodyPaths), judge: judgeBody, ended: endedBody},
	GRPC:            {paths: plainTree, judge: judgePlain, ended: endedSoftly},
	Unknown:         {paths: plainTree, judge: judgePlain, ended: endedSoftly},
}

// everyPath is for events whose protocol is not known yet. All protocols' paths are in it, so that the judge that is
// found by an event finds everything it looks for in that event.
var everyPath = compile(plainPaths, chatPaths, responsesPaths, anthropicPaths, aguiPaths, a2aPaths, mcpPaths,
	langGraphPaths, aisdkPaths)

// event judges the event that has just ended. Data that is not whole says nothing: clients do not get as far as reading
// it.
func (s *Scanner) event() {
	s.events++
	if s.json.state != complete {
		s.json.seen = 0
	}
	if s.undecided {
		s.decide()
	}
	s.protocol.judge(s)
}

// endedStrictly is for protocols that always say when they are done.
func endedStrictly(*Scanner, bool) End { return Truncated }

// endedSoftly is for protocols that may just end.
func endedSoftly(s *Scanner, whole bool) End {
	switch {
	case !whole:
		return Truncated
	case s.pending != Open:
		return s.pending
	}
	return Finished
}

// conclude ends the answer, unless the agent has reported an error before. Nothing that follows an error takes it back.
func (s *Scanner) conclude(end End, code string) {
	if s.end == Failed || s.end == CallerError && end != Failed {
		return
	}
	s.end, s.code = end, code
	s.payload = s.payload || end != Open && end != Failed
}

// fail ends the answer with an error of the agent's. The first one counts.
func (s *Scanner) fail(code string) {
	if s.end == Failed {
		return
	}
	if code == "" {
		code = "error"
	}
	s.conclude(Failed, code)
}

// reopen says that the answer goes on after all.
func (s *Scanner) reopen() {
	s.conclude(Open, "")
	s.pending, s.reason = Open, ""
}

// expect notes what the terminator will confirm.
func (s *Scanner) expect(end End, reason string) { s.pending, s.reason = end, reason }

// confirm ends the answer as was expected.
func (s *Scanner) confirm() {
	if s.end != Open {
		return
	}
	if s.pending == Open {
		s.pending = Finished
	}
	s.conclude(s.pending, s.reason)
}

// countTokens takes over the event's usage, if it has any: the numbers are cumulative.
func (s *Scanner) countTokens() {
	w := &s.json
	if w.is(slotTokensIn, kindNumber) {
		s.tokens.In, s.tokens.Known = w.count(slotTokensIn), true
	}
	if w.is(slotTokensOut, kindNumber) {
		s.tokens.Out, s.tokens.Known = w.count(slotTokensOut), true
	}
}

// stopEnd is the end that the reason for which a model stopped stands for, in the words of OpenAI, Anthropic and the
// AI SDK.
func stopEnd(reason []byte) End {
	switch string(reason) {
	case "tool_calls", "function_call", "tool_use", "pause_turn", "tool-calls":
		return Paused
	case "error":
		return Failed
	}
	return Finished
}

// errorCode is the code of the event's error: its code, or its type.
func (s *Scanner) errorCode() string {
	w := &s.json
	for _, candidate := range [...]slot{slotErrorCode, slotErrorType, slotCode} {
		if w.is(candidate, kindNumber) {
			return w.raw(candidate)
		}
		if code := codeOf(w.bytes(candidate)); code != "" {
			return code
		}
	}
	return ""
}

// codeOf is the text if it is a code and no sentence: what agents write there must not get into labels and logs
// unchecked.
func codeOf(text []byte) string {
	for _, c := range text {
		if !isCode(c) {
			return ""
		}
	}
	return string(text)
}

func isCode(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.:-", c) >= 0
}
