package stream

// LangGraph's runs. The event's name is what counts; its data is the graph's own, in which an `error` means nothing.
// Checked against the npm package @langchain/langgraph-sdk 2.0.0: `event: error` stops its stream hook with an error,
// while its plain client hands the event on; neither knows of an event that ends a run, which some servers send as
// `event: end`, so that a stream that ends whole is whole. It has no error frame: breaking off is what that client raises.

import "bytes"

var langGraphPaths = []path{
	{"run_id", slotRunID}, {"error", slotError}, {"__interrupt__.value", slotInterrupt}, {"__interrupt__.id", slotInterrupt},
	{"usage_metadata.input_tokens", slotTokensIn}, {"usage_metadata.output_tokens", slotTokensOut},
}

// judgeLangGraph judges an event of a run.
func judgeLangGraph(s *Scanner) {
	switch name := s.eventName(); string(name) {
	case "error":
		s.fail(codeOf(s.json.bytes(slotError)))
	case "end":
		s.confirm()
	case "metadata", "":
	default:
		s.payload = true
		if bytes.Equal(name, []byte("messages")) {
			s.addTokens()
		}
		if s.json.seen&(1<<slotInterrupt) != 0 {
			s.expect(Paused, "interrupt")
		}
	}
}

// addTokens adds the usage of a piece of a message: only the pieces' sum is the message's.
func (s *Scanner) addTokens() {
	w := &s.json
	if !w.is(slotTokensIn, kindNumber) && !w.is(slotTokensOut, kindNumber) {
		return
	}
	s.tokens.In += w.count(slotTokensIn)
	s.tokens.Out += w.count(slotTokensOut)
	s.tokens.Known = true
}
