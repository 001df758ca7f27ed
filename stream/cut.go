package stream

import (
	"encoding/json"
	"strings"
)

// maxReason bounds the bytes of a reason that is written into a stream.
const maxReason = 512

// ErrorFrame returns the bytes that end the stream here and now with the protocol's own error, so that its clients
// raise one: an error to be written after what has passed, behind which the body is to end as if it were whole, because
// clients would drop the frame along with a connection that breaks.
//
// It returns false where no frame may be written, and only breaking off tells the client the truth: into a body that is
// no event stream, says how long it is, is encoded, or whose protocol is unknown; and where there is nothing left to
// tell, after the agent has ended the answer itself.
func (s *Scanner) ErrorFrame(reason string) ([]byte, bool) {
	if s.framing != framedSSE || s.sized || s.closed || s.end != Open {
		return nil, false
	}
	f := s.format
	if f == Unknown {
		f = s.likely
	}
	frame := protocols[f].frame
	if frame == nil {
		return nil, false
	}
	text := frame(s, quote(reason))
	if text == "" {
		return nil, false
	}
	return []byte(s.separator() + text), true
}

// separator ends the event that the frame would cut in two: the line, if one has begun, and the event. A line feed
// right after a carriage return would only be the other half of one line's end.
func (s *Scanner) separator() string {
	n := 0
	if s.sse.at != atLineStart {
		n++
	}
	if s.sse.inside {
		n++
	}
	if n > 0 && s.sse.cr {
		n++
	}
	return "\n\n\n"[:n]
}

// quote is the reason as a JSON string.
func quote(reason string) string {
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	text, err := json.Marshal(reason)
	if err != nil { // of a string there is none
		return `""`
	}
	return string(text)
}
