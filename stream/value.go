package stream

import (
	"encoding/json"
	"strconv"
)

type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindObject
	kindList
)

// A value is what is kept of a JSON value.
type value struct {
	number int64 // of a number, if it is whole and of moderate size
	start  uint16
	length uint8
	kind   kind
	filled bool // a string with at least one byte, or a number other than zero
	broken bool // the text is not kept whole, or the number not exactly
}

// truthy is what a client that tests the value for truth sees.
func (v *value) truthy() bool {
	switch v.kind {
	case kindNull, kindFalse:
		return false
	case kindNumber, kindString:
		return v.filled
	}
	return true
}

// note says that a value of this kind begins at the current node, and decides where it goes. What stands in a list is
// not the value of the list's key.
func (w *walker) note(k kind) {
	w.slot = noSlot
	if w.depth == 0 || w.frames[w.depth-1].list {
		return
	}
	s := w.paths[w.at].slot
	if s == noSlot || w.at == 0 {
		return
	}
	bit := uint64(1) << s
	if w.seen&bit != 0 && sumSlots&bit == 0 && w.values[s].truthy() {
		return
	}
	if w.seen&bit == 0 || sumSlots&bit == 0 {
		w.values[s] = value{start: w.used, kind: k}
	}
	w.seen |= bit
	w.slot = s
}

// keep appends to the text of the value being read.
func (w *walker) keep(p []byte) {
	v := &w.values[w.slot]
	if len(p) == 0 {
		return
	}
	v.filled = true
	if textSlots&(1<<w.slot) == 0 || v.broken {
		return
	}
	if int(v.length)+len(p) > maxText || int(w.used)+len(p) > allText {
		v.broken = true
		return
	}
	copy(w.text[w.used:], p)
	w.used += uint16(len(p))
	v.length += uint8(len(p))
}

// number is a JSON number being read.
type number struct {
	whole    int64
	negative bool
	inexact  bool
	filled   bool
}

// maxWhole bounds numbers so that neither a digit more nor a sum of two overflows.
const maxWhole = 1 << 56

// beginNumber reads the first byte of a number, or of what is no JSON.
func (w *walker) beginNumber(c byte) {
	if c != '-' && (c < '0' || c > '9') {
		w.state = malformed
		return
	}
	w.note(kindNumber)
	w.number = number{negative: c == '-'}
	if c != '-' {
		w.number.digit(c)
	}
	w.state = inNumber
}

// readNumber reads on in a number. The byte after it is not its own.
func (w *walker) readNumber(p []byte) int {
	for i, c := range p {
		switch {
		case c >= '0' && c <= '9':
			w.number.digit(c)
		case c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-':
			w.number.inexact = true
		default:
			w.keepNumber()
			w.end()
			return i + w.onward(p[i:])
		}
	}
	return len(p)
}

func (n *number) digit(c byte) {
	n.filled = n.filled || c != '0'
	if n.whole > maxWhole/10 {
		n.inexact = true
		return
	}
	n.whole = n.whole*10 + int64(c-'0')
}

// keepNumber stores the number that has been read.
func (w *walker) keepNumber() {
	if w.slot == noSlot {
		return
	}
	v, n := &w.values[w.slot], w.number
	if n.negative {
		n.whole = -n.whole
	}
	v.kind = kindNumber
	v.filled = v.filled || n.filled
	v.broken = v.broken || n.inexact
	v.number = max(min(v.number+n.whole, maxWhole), -maxWhole)
}

// has is whether the text holds a value for the slot that is not null.
func (w *walker) has(s slot) bool { return w.seen&(1<<s) != 0 && w.values[s].kind != kindNull }

// is is whether the text holds a value of this kind for the slot.
func (w *walker) is(s slot, k kind) bool { return w.seen&(1<<s) != 0 && w.values[s].kind == k }

// truthy is whether the text holds a value for the slot that a client would take for true.
func (w *walker) truthy(s slot) bool { return w.seen&(1<<s) != 0 && w.values[s].truthy() }

// bytes is the slot's string as it stands in the text, escapes and all, or nil if it is none or is not kept whole. It
// is valid until the next text.
func (w *walker) bytes(s slot) []byte {
	v := &w.values[s]
	if w.seen&(1<<s) == 0 || v.kind != kindString || v.broken {
		return nil
	}
	return w.text[v.start : v.start+uint16(v.length)]
}

// count is the slot's number, or 0 if it is none, or negative.
func (w *walker) count(s slot) uint64 {
	if !w.is(s, kindNumber) {
		return 0
	}
	return uint64(max(w.values[s].number, 0))
}

// raw is the slot's string or whole number as JSON, or "". It is fit to be written into a stream.
func (w *walker) raw(s slot) string {
	v := &w.values[s]
	if w.seen&(1<<s) == 0 || v.broken {
		return ""
	}
	text := ""
	switch v.kind {
	case kindString:
		text = `"` + string(w.bytes(s)) + `"`
	case kindNumber:
		text = strconv.FormatInt(v.number, 10)
	}
	if !json.Valid([]byte(text)) {
		return ""
	}
	return text
}
