package stream

import (
	"encoding/binary"
	"math/bits"
)

const (
	maxDepth = 12  // containers that can hold a wanted value inside each other; the deepest path has four keys
	maxKey   = 32  // bytes of the longest key that can be wanted
	maxText  = 64  // bytes kept of one value's text
	allText  = 256 // bytes kept of one event's texts together
)

// A walker reads one JSON text in pieces of any size and notes the values that its paths lead to. It is lenient: text
// that is no JSON is never refused, it just leads nowhere, and so does a key that is written with escapes.
//
// Where no path leads, only brackets and quotes are looked at.
type walker struct {
	paths  paths
	lists  bool // whether a list at the top level is passed through
	state  walkState
	escape bool   // the last byte of a string was a backslash that escapes the next one
	other  bool   // the top-level object has a key that no path begins with
	depth  uint8  // how many of the frames are open
	at     uint8  // the node of the value to come
	slot   slot   // where the value being read goes
	skip   int    // containers open inside a value that no path leads into
	seen   uint64 // which values belong to this text
	number number
	keyLen uint8
	used   uint16 // bytes of text in use
	frames [maxDepth]frame
	key    [maxKey]byte
	values [slotCount]value
	text   [allText]byte
}

type walkState uint8

const (
	wantValue walkState = iota
	wantKey
	inKey
	wantColon
	inString
	inNumber
	inWord
	skipping  // inside a container that no path leads into
	wantComma // or the container's end
	complete  // the text is a whole JSON value
	malformed
)

// A frame is an open container that paths lead into.
type frame struct {
	node uint8
	list bool
}

// reset makes the walker ready for another text.
func (w *walker) reset() {
	w.state, w.escape, w.other, w.depth, w.at, w.skip, w.seen, w.keyLen, w.used = wantValue, false, false, 0, 0, 0, 0, 0, 0
}

// write reads a piece of the text.
func (w *walker) write(p []byte) {
	for len(p) > 0 {
		n := 1
		switch w.state {
		case inKey:
			n = w.readKey(p)
		case inString:
			n = w.readString(p)
		case skipping:
			n = w.skipContainer(p)
		case inNumber:
			n = w.readNumber(p)
		case inWord:
			n = w.readWord(p)
		case complete, malformed:
			return
		default:
			w.structure(p[0])
		}
		p = p[n:]
	}
}

// structure reads a byte between keys and values.
func (w *walker) structure(c byte) {
	switch {
	case c == ' ' || c == '\n' || c == '\r' || c == '\t':
	case w.state == wantValue:
		w.begin(c)
	case w.state == wantKey && c == '"':
		w.state, w.keyLen = inKey, 0
	case w.state == wantColon && c == ':':
		w.state = wantValue
	case w.state == wantComma && c == ',':
		w.next()
	case c == '}' || c == ']':
		w.close()
	default:
		w.state = malformed
	}
}

// next makes ready for what follows a comma.
func (w *walker) next() {
	top := w.frames[w.depth-1]
	w.at, w.state = top.node, wantKey
	if top.list {
		w.state = wantValue
	}
}

// onward reads what mostly follows a value that has ended, a comma and the quote of the next key, and returns how much
// that was. Whatever else follows is left to structure.
func (w *walker) onward(p []byte) int {
	if w.state != wantComma || len(p) == 0 || p[0] != ',' {
		return 0
	}
	w.next()
	if w.state != wantKey || len(p) == 1 || p[1] != '"' {
		return 1
	}
	w.state, w.keyLen = inKey, 0
	return 2
}

// close leaves a container.
func (w *walker) close() {
	if w.depth == 0 {
		w.state = malformed
		return
	}
	w.depth--
	w.end()
}

// end follows every value.
func (w *walker) end() {
	w.state = wantComma
	if w.depth == 0 {
		w.state = complete
	}
}

// open is whether the text ends inside a container or a string.
func (w *walker) open() bool {
	return w.state != malformed && (w.depth > 0 || w.skip > 0 || w.state == inString)
}

// begin reads the first byte of a value.
func (w *walker) begin(c byte) {
	switch c {
	case '"':
		w.note(kindString)
		w.state = inString
	case '{':
		w.enter(kindObject)
	case '[':
		w.enter(kindList)
	case 't', 'f', 'n':
		w.note(wordKinds[c])
		w.state = inWord
	case ']':
		w.close()
	default:
		w.beginNumber(c)
	}
}

// wordKinds are the kinds of the values that are words, by their first letter.
var wordKinds = [256]kind{'t': kindTrue, 'f': kindFalse, 'n': kindNull}

// enter opens a container, whose inside is skipped if no path leads into it.
func (w *walker) enter(k kind) {
	w.note(k)
	led := w.at != 0 || (w.depth == 0 && (k == kindObject || w.lists))
	led = led || (w.depth == 1 && w.frames[0] == frame{list: true})
	if !led || w.paths[w.at].child == 0 || w.depth == maxDepth {
		w.skip, w.state = 1, skipping
		return
	}
	w.frames[w.depth] = frame{node: w.at, list: k == kindList}
	w.depth++
	w.state = wantKey
	if k == kindList {
		w.state = wantValue
	}
}

// readKey reads on in a key.
func (w *walker) readKey(p []byte) int {
	n, closed := w.untilQuote(p)
	key := p[:n]
	if !closed || w.keyLen > 0 {
		if int(w.keyLen)+n > maxKey {
			w.keyLen = maxKey
		} else {
			w.keyLen += uint8(copy(w.key[w.keyLen:], key))
		}
		key = w.key[:w.keyLen]
	}
	if !closed {
		return n
	}
	w.at = w.paths.find(w.frames[w.depth-1].node, key)
	if w.at == 0 && w.depth == 1 {
		w.other = true
	}
	if n+1 == len(p) || p[n+1] != ':' {
		w.state = wantColon
		return n + 1
	}
	w.state = wantValue
	if n+2 == len(p) {
		return n + 2
	}
	if p[n+2] > ' ' {
		w.begin(p[n+2])
		return n + 3
	}
	return n + 2
}

// readString reads on in a string that is a value, wanted or not.
func (w *walker) readString(p []byte) int {
	n, closed := w.untilQuote(p)
	if w.slot != noSlot {
		w.keep(p[:n])
	}
	if !closed {
		return n
	}
	n++
	if w.skip > 0 {
		w.state = skipping
		return n
	}
	w.end()
	return n + w.onward(p[n:])
}

// skipContainer reads on in a container that no path leads into, up to a string or the end of the container.
func (w *walker) skipContainer(p []byte) int {
	for i, c := range p {
		switch c {
		case '"':
			w.slot, w.state = noSlot, inString
			return i + 1
		case '{', '[':
			w.skip++
		case '}', ']':
			if w.skip--; w.skip == 0 {
				w.end()
				return i + 1 + w.onward(p[i+1:])
			}
		}
	}
	return len(p)
}

// readWord reads on in true, false or null.
func (w *walker) readWord(p []byte) int {
	for i, c := range p {
		if c < 'a' || c > 'z' {
			w.end()
			return i + w.onward(p[i:])
		}
	}
	return len(p)
}

// untilQuote returns how much of p belongs to the string that has begun, and whether the quote that ends it follows. It
// looks at eight bytes at a time: strings are most of a text.
func (w *walker) untilQuote(p []byte) (n int, closed bool) {
	if w.escape {
		return w.untilQuoteEscaped(p)
	}
	for ; n+8 <= len(p); n += 8 {
		if found := special(binary.LittleEndian.Uint64(p[n:])); found != 0 {
			n += bits.TrailingZeros64(found) / 8
			break
		}
	}
	for ; n < len(p); n++ {
		switch p[n] {
		case '"':
			return n, true
		case '\\':
			return w.untilQuoteEscaped(p)
		}
	}
	return n, false
}

// special tells which bytes of a word are quotes or backslashes: the lowest of the highest bits that are set is the
// first one's. Above it there may be more that are none (Warren, Hacker's Delight, section 6-1).
func special(word uint64) uint64 {
	const each = 0x0101010101010101
	quotes, backslashes := word^each*'"', word^each*'\\'
	return ((quotes-each)&^quotes | (backslashes-each)&^backslashes) & (each << 7)
}

// untilQuoteEscaped is untilQuote for a string with backslashes.
func (w *walker) untilQuoteEscaped(p []byte) (n int, closed bool) {
	if w.escape {
		n = 1
	}
	w.escape = false
	for n < len(p) {
		switch p[n] {
		case '"':
			return n, true
		case '\\':
			n++
		}
		n++
	}
	w.escape = n > len(p)
	return len(p), false
}
