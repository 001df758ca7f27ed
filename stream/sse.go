package stream

import "bytes"

// Server-sent events as the WHATWG HTML standard describes them (section 9.2.6): lines end with \n, \r or \r\n, a blank
// line ends an event, several data lines are one text with line feeds in between, lines that begin with a colon are
// comments. Unlike the standard, and like the clients of most agent protocols, an event that the body ends in is not
// lost: it counts if it is a whole one.

const (
	maxName = 32 // bytes kept of an event's name
	maxMark = 6  // bytes kept of data's beginning: as long as [DONE]
	maxKeep = 9  // bytes kept of a field's name: as long as a byte order mark and the longest one known
)

// sseState is where in the text the scanner stands.
type sseState struct {
	at      ssePlace
	field   sseField
	cr      bool // the last line ended with \r, to which \n may still belong
	inside  bool // a line has passed since the last blank one
	hasData bool
	hasID   bool // any event of the stream had an id
	markLen uint8
	nameLen uint8
	keepLen uint8
	mark    [maxMark + 1]byte
	name    [maxName]byte
	keep    [maxKeep]byte
}

type ssePlace uint8

const (
	atLineStart ssePlace = iota
	inField
	afterColon
	inContent
)

type sseField uint8

const (
	fieldIgnored sseField = iota
	fieldData
	fieldEvent
)

// writeSSE reads a piece of a stream of events.
func (s *Scanner) writeSSE(p []byte) {
	for len(p) > 0 {
		switch s.sse.at {
		case atLineStart:
			p = p[s.beginLine(p):]
		case inField:
			p = p[s.readField(p):]
		case afterColon:
			if p[0] == ' ' {
				p = p[1:]
			}
			s.sse.at = inContent
		case inContent:
			p = p[s.readContent(p):]
		}
	}
}

var dataField = []byte("data:")

// beginLine reads the first bytes of a line.
func (s *Scanner) beginLine(p []byte) int {
	e := &s.sse
	cr := e.cr
	e.cr = false
	switch {
	case p[0] == '\n' && cr:
		return 1
	case p[0] == '\n' || p[0] == '\r':
		e.cr = p[0] == '\r'
		s.dispatch()
		return 1
	case bytes.HasPrefix(p, dataField):
		e.inside = true
		s.beginContent(dataField[:len(dataField)-1])
		return len(dataField)
	}
	e.inside, e.keepLen, e.at = true, 0, inField
	return 0
}

// readField reads on in the name of a line's field.
func (s *Scanner) readField(p []byte) int {
	e := &s.sse
	for i, c := range p {
		switch {
		case c == ':':
			s.beginContent(e.keep[:e.keepLen])
			return i + 1
		case c == '\n' || c == '\r':
			s.beginContent(e.keep[:e.keepLen])
			s.endLine(c)
			return i + 1
		case e.keepLen < maxKeep:
			e.keep[e.keepLen] = c
			e.keepLen++
		}
	}
	return len(p)
}

var byteOrderMark = []byte("\ufeff")

// beginContent is called between a field's name and its content. A line without a name is a comment.
func (s *Scanner) beginContent(name []byte) {
	e := &s.sse
	e.at, e.field = afterColon, fieldIgnored
	switch string(bytes.TrimPrefix(name, byteOrderMark)) {
	case "data":
		e.field = fieldData
		if e.hasData {
			s.data([]byte{'\n'})
		}
		e.hasData = true
	case "event":
		e.field, e.nameLen = fieldEvent, 0
	case "id":
		e.hasID = true
	}
}

// readContent reads on in the content of a field, which may be empty.
func (s *Scanner) readContent(p []byte) int {
	n := bytes.IndexByte(p, '\n')
	if n < 0 {
		n = len(p)
	}
	if cr := bytes.IndexByte(p[:n], '\r'); cr >= 0 {
		n = cr
	}
	switch s.sse.field {
	case fieldData:
		s.data(p[:n])
	case fieldEvent:
		s.sse.nameLen += uint8(copy(s.sse.name[s.sse.nameLen:], p[:n]))
	}
	if n == len(p) {
		return n
	}
	s.endLine(p[n])
	return n + 1
}

func (s *Scanner) endLine(c byte) { s.sse.at, s.sse.cr = atLineStart, c == '\r' }

// data reads a piece of an event's data.
func (s *Scanner) data(p []byte) {
	e := &s.sse
	if int(e.markLen) < len(e.mark) {
		e.markLen += uint8(copy(e.mark[e.markLen:], p))
	}
	s.json.write(p)
}

// dispatch ends an event.
func (s *Scanner) dispatch() {
	e := &s.sse
	if e.hasData || e.nameLen > 0 {
		s.event()
		s.json.reset()
	}
	e.inside, e.hasData, e.nameLen, e.markLen = false, false, 0, 0
}

// eventName is the event's name up to a vertical line, behind which LangGraph adds where the event comes from.
func (s *Scanner) eventName() []byte {
	name := s.sse.name[:s.sse.nameLen]
	if i := bytes.IndexByte(name, '|'); i >= 0 {
		return name[:i]
	}
	return name
}

// hasText is whether the event has data, and not just an empty line of it, as those have that only set an id.
func (s *Scanner) hasText() bool { return s.sse.markLen > 0 }

// isDone is whether the event's data begins with the mark that ends an OpenAI stream. That it begins so is enough for
// OpenAI's own client.
func (s *Scanner) isDone() bool {
	return s.sse.markLen >= maxMark && string(s.sse.mark[:maxMark]) == "[DONE]"
}
