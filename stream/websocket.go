package stream

import (
	"encoding/binary"
	"strings"
)

// WebSocket, as RFC 6455 frames it. What the messages say is the application's own; only how a side closes is read.
// Close frames are never compressed, whatever was agreed on for messages.

// CloseCode is the number with which a side closes a WebSocket.
type CloseCode uint16

// The codes that have a meaning here. RFC 6455, section 7.4, and IANA's registry have them all.
const (
	CloseMalformed CloseCode = 0    // stands for a close frame that is too short for a code
	CloseNormal    CloseCode = 1000 // done
	CloseGoingAway CloseCode = 1001 // a server that stops, a page that is left
	CloseNoCode    CloseCode = 1005 // stands for a close frame without a code
	closePolicy    CloseCode = 1008
	closeTooBig    CloseCode = 1009
	CloseRestart   CloseCode = 1012 // somebody else will serve, at once
	CloseTryLater  CloseCode = 1013 // nobody serves for now
	firstOwnCode   CloseCode = 3000 // of those that libraries and applications choose
	lastOwnCode    CloseCode = 4999
)

// Ordinary is whether a side that closes with this code has nothing to complain about. What a code of an application's
// own means is not known here.
func (c CloseCode) Ordinary() bool {
	switch c {
	case CloseNormal, CloseGoingAway, CloseNoCode:
		return true
	}
	return c >= firstOwnCode && c <= lastOwnCode
}

// End is what became of a connection that the agent closed with this code. That a client broke a policy or sent too much
// is the client's doing. Everything else is the agent's failure: that it failed, restarts or is overloaded; that it
// cannot read what it was sent, which other versions can; and numbers that nobody may send, which clients raise an error
// for.
func (c CloseCode) End() End {
	switch {
	case c.Ordinary():
		return Finished
	case c == closePolicy, c == closeTooBig:
		return CallerError
	}
	return Failed
}

const (
	frameClose    = 8
	frameFinal    = 0x80
	frameMasked   = 0x80
	frameTypeMask = 0x0F
	length16      = 126 // says that the length follows in two bytes
	length64      = 127 // in eight

	shortHeader = 2
	longHeader  = shortHeader + 8 + 4
	maxControl  = 125 // bytes of a control frame's payload
)

// Frames reads one direction of a WebSocket, frame by frame, for how it is closed. Its zero value stands before the first
// frame. It keeps of a frame no more than its header, and allocates for a close frame only. Not for several goroutines
// at once.
type Frames struct {
	left   uint64 // bytes of the payload still to come, once the header is whole
	header [longHeader]byte
	have   uint8 // bytes of the header
	whole  bool  // the header is
	closed bool
	body   []byte // the close frame's payload so far
}

// Write tells the next piece, cut anywhere. It neither keeps nor changes p. What follows a close frame is not read.
func (f *Frames) Write(p []byte) {
	for len(p) > 0 && !f.closed {
		if f.whole {
			p = f.takePayload(p)
		} else {
			p = f.takeHeader(p)
		}
	}
}

// takeHeader returns what is left of p behind the header.
func (f *Frames) takeHeader(p []byte) []byte {
	n := copy(f.header[f.have:f.headerSize()], p)
	f.have += uint8(n)
	if size := f.headerSize(); f.have == size {
		f.whole = true
		f.left = f.payloadSize()
		f.finish()
	}
	return p[n:]
}

// headerSize is how long the header is, as far as it is known by now.
func (f *Frames) headerSize() uint8 {
	if f.have < shortHeader {
		return shortHeader
	}
	size := uint8(shortHeader)
	switch f.header[1] &^ frameMasked {
	case length16:
		size += 2
	case length64:
		size += 8
	}
	if f.isMasked() {
		size += 4
	}
	return size
}

func (f *Frames) payloadSize() uint64 {
	switch n := f.header[1] &^ frameMasked; n {
	case length16:
		return uint64(binary.BigEndian.Uint16(f.header[shortHeader:]))
	case length64:
		return binary.BigEndian.Uint64(f.header[shortHeader:])
	default:
		return uint64(n)
	}
}

func (f *Frames) isMasked() bool { return f.header[1]&frameMasked != 0 }

func (f *Frames) isClose() bool { return f.header[0]&frameTypeMask == frameClose }

// takePayload returns what is left of p behind the payload.
func (f *Frames) takePayload(p []byte) []byte {
	n := min(f.left, uint64(len(p)))
	if f.isClose() {
		f.body = append(f.body, p[:min(int(n), maxControl-len(f.body))]...)
	}
	f.left -= n
	f.finish()
	return p[n:]
}

// finish ends the frame if all of it has passed.
func (f *Frames) finish() {
	if f.left > 0 {
		return
	}
	if f.isClose() {
		f.closed = true
		if f.isMasked() {
			f.unmask()
		}
	}
	f.whole, f.have = false, 0
}

// unmask reads the close frame's payload with the mask at the end of its header.
func (f *Frames) unmask() {
	mask := f.header[f.have-4 : f.have]
	for i := range f.body {
		f.body[i] ^= mask[i%4]
	}
}

// Closed returns the code with which the side has closed, and the text that it gave as the reason, at most 123 bytes of
// anything; false if it has not.
func (f *Frames) Closed() (code CloseCode, reason string, ok bool) {
	switch {
	case !f.closed:
		return 0, "", false
	case len(f.body) == 0:
		return CloseNoCode, "", true
	case len(f.body) == 1:
		return CloseMalformed, "", true
	}
	return CloseCode(binary.BigEndian.Uint16(f.body)), string(f.body[2:]), true
}

// Between is whether the side stands between two frames, where another frame may be put, and has not closed.
func (f *Frames) Between() bool { return !f.closed && f.have == 0 }

// CloseFrame is the frame with which a server closes, with as much of the reason as fits into it: 123 bytes.
func CloseFrame(code CloseCode, reason string) []byte {
	if len(reason) > maxControl-2 {
		reason = strings.ToValidUTF8(reason[:maxControl-2], "")
	}
	frame := []byte{frameFinal | frameClose, byte(2 + len(reason))}
	frame = binary.BigEndian.AppendUint16(frame, uint16(code))
	return append(frame, reason...)
}
