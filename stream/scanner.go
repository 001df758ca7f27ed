package stream

// A Scanner reads one response. Make one with New, tell it every piece of the body in order, and close it when the
// body has ended. Its methods never block; it must not be used by several goroutines at once.
type Scanner struct {
	format    Format // Unknown until it is found
	framing   framing
	undecided bool // the format is still looked for; json reads for all of them
	sized     bool // the response says how long it is
	listening bool // the request asked to be told things, and is not answered
	resumable bool // the server may close the stream to have it resumed
	closed    bool
	payload   bool
	likely    Format // what the path suggests, until the first event
	protocol  *protocol
	requestID string

	sse    sseState
	json   walker
	events int

	end     End
	code    string
	pending End    // what the terminator will confirm; Open if nothing is known yet
	reason  string // the code that goes with pending; gRPC: the status that the header had
	tokens  Tokens
	rpcID   string // A2A: the request's id as the answers repeat it, as JSON
	rest    bool   // A2A: the answers have no JSON-RPC around them
	next    uint64 // OpenAI Responses: the number of the event after the last one
}

// New returns a Scanner for the response to which h belongs. Auto finds the format from the headers and the first
// event. With any other format the framing (events, lines, one value) is still that of the content type: an agent of
// a streaming protocol may answer with one JSON body.
func New(f Format, h Head) *Scanner {
	s := &Scanner{
		format: f, framing: h.framing(f), likely: Unknown, requestID: h.RequestID,
		sized: h.Header.Get("Content-Length") != "", listening: h.listening(), resumable: h.resumable(),
	}
	if s.framing == notScanned {
		s.format, s.end = Unknown, NotScanned
		return s
	}
	s.begin(&h)
	s.json.reset()
	return s
}

// begin chooses what to read the body as.
func (s *Scanner) begin(h *Head) {
	if s.format == Auto {
		s.format = h.declared()
		s.undecided = s.framing == framedSSE
	}
	if s.undecided {
		s.likely = h.likely()
	}
	if fixed := s.fixedFormat(); fixed != Unknown {
		s.format = fixed
	}
	if s.format == GRPC {
		s.reason = h.Header.Get("Grpc-Status") // where a response without messages has it
	}
	s.settle(s.format)
	if s.undecided {
		s.json.paths = everyPath
	}
}

// fixedFormat is the format of a body whose framing leaves no choice, or Unknown. One JSON value keeps the name of the
// protocol that was asked for or declared.
func (s *Scanner) fixedFormat() Format {
	switch {
	case s.framing == framedGRPC:
		return GRPC
	case s.framing == framedLines:
		return NDJSON
	case s.framing == framedWhole && s.format == Unknown:
		return JSON
	}
	return Unknown
}

// settle reads the body as f from now on.
func (s *Scanner) settle(f Format) {
	s.format = f
	s.protocol = &protocols[f]
	if s.framing == framedWhole {
		s.protocol = &protocols[JSON]
	}
	s.json.paths, s.json.lists = s.protocol.paths, s.protocol.lists
}

// Write tells the scanner the next piece of the body. It neither keeps nor changes p.
func (s *Scanner) Write(p []byte) {
	if s.closed || len(p) == 0 {
		return
	}
	switch s.framing {
	case framedSSE:
		s.writeSSE(p)
	case framedLines:
		s.writeLines(p)
	case framedWhole:
		s.writeWhole(p)
	case framedGRPC:
		s.payload = true
	}
}

// Close tells the scanner that the body has ended: whole, as its framing promised, or broken off. The trailer may be
// nil; of it only gRPC's status is read. After the first Close nothing changes any more.
func (s *Scanner) Close(whole bool, trailer Header) {
	if s.closed || s.framing == notScanned {
		return
	}
	s.closed = true
	if s.framing == framedGRPC {
		s.closeGRPC(whole, trailer)
		return
	}
	if whole {
		s.flush()
	}
	if s.end != Open {
		return
	}
	if s.end = s.ended(whole); s.end == s.pending {
		s.code = s.reason
	}
}

// ended is the verdict on a body in which nothing ended the answer.
func (s *Scanner) ended(whole bool) End {
	p := s.protocol
	if s.format == Unknown {
		p = &protocols[s.likely]
	}
	return p.ended(s, whole)
}

// Payload is whether an event of the answer's substance has passed: text, a tool's call, a question to the caller. An
// answer up to there can be thrown away and asked for again; events that only say that work has begun do not count,
// and an event counts when it is complete. The agent's own failure does not count either (see Failed), but any other end
// does. A body that is not scanned counts as payload from the beginning, because nothing is known of it.
func (s *Scanner) Payload() bool { return s.payload || s.framing == notScanned }

// Failed is whether the agent has reported an error of its own so far.
func (s *Scanner) Failed() bool { return s.end == Failed }

// Events is how many complete events have passed.
func (s *Scanner) Events() int { return s.events }

// Report is the verdict so far, and the last word after Close.
func (s *Scanner) Report() Report {
	return Report{Format: s.format, End: s.end, Code: s.code, Tokens: s.tokens}
}
