package stream

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// wsFrame writes a frame as RFC 6455 has it, with the shortest length. Without a mask it is a server's.
func wsFrame(first byte, payload string, mask ...byte) []byte {
	var bit byte
	if len(mask) > 0 {
		bit = 0x80
	}
	out := []byte{first}
	switch n := len(payload); {
	case n < 126:
		out = append(out, bit|byte(n))
	case n <= 0xFFFF:
		out = binary.BigEndian.AppendUint16(append(out, bit|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, bit|127), uint64(n))
	}
	out = append(out, mask...)
	for i := range len(payload) {
		c := payload[i]
		if len(mask) > 0 {
			c ^= mask[i%4]
		}
		out = append(out, c)
	}
	return out
}

const (
	text       = 0x81 // a whole message
	compressed = 0xC1 // with permessage-deflate
	begun      = 0x01 // a message's first part
	ping       = 0x89
	bye        = 0x88
)

func code(c uint16) string { return string(binary.BigEndian.AppendUint16(nil, c)) }

// closing is what Frames says.
type closing struct {
	code    CloseCode
	reason  string
	closed  bool
	between bool
}

func closingOf(f *Frames) (c closing) {
	c.code, c.reason, c.closed = f.Closed()
	c.between = f.Between()
	return c
}

var sides = []struct {
	name string
	in   []byte
	want closing
}{
	{"nothing", nil, closing{between: true}},
	{"a message", wsFrame(text, "hello"), closing{between: true}},
	{"an empty message", wsFrame(text, ""), closing{between: true}},
	{"half a header", []byte{text}, closing{}},
	{"half a length", []byte{text, 127, 0}, closing{}},
	{"half a payload", wsFrame(text, "hello")[:4], closing{}},
	{"between a message's parts", wsFrame(begun, "hel"), closing{between: true}},
	{"what looks like a close", wsFrame(text, "\x88\x02\x03\xe9"), closing{between: true}},
	{"the same, long", wsFrame(text, strings.Repeat("\x88\x02\x03\xe9", 100)), closing{between: true}},
	{"the same, very long", wsFrame(text, strings.Repeat("\x88\x02\x03\xe9", 20_000)), closing{between: true}},
	{"done", wsFrame(bye, code(1000)), closing{code: CloseNormal, closed: true}},
	{"no code", wsFrame(bye, ""), closing{code: CloseNoCode, closed: true}},
	{"half a code", wsFrame(bye, "\x03"), closing{code: CloseMalformed, closed: true}},
	{"half a close", wsFrame(bye, code(1000))[:3], closing{}},
	{"failed, with a reason", slices.Concat(wsFrame(compressed, "xyz"), wsFrame(bye, code(1011)+"no more")),
		closing{code: 1011, reason: "no more", closed: true}},
	{"amid a message", slices.Concat(wsFrame(begun, "hel"), wsFrame(ping, "?"), wsFrame(bye, code(4000))),
		closing{code: 4000, closed: true}},
	{"twice", slices.Concat(wsFrame(bye, code(1000)), wsFrame(bye, code(1011))), closing{code: CloseNormal, closed: true}},
	{"a client", slices.Concat(wsFrame(text, "hello", 1, 2, 3, 4), wsFrame(bye, code(1001)+"bye", 9, 8, 7, 6)),
		closing{code: CloseGoingAway, reason: "bye", closed: true}},
	{"a client without a code", wsFrame(bye, "", 1, 2, 3, 4), closing{code: CloseNoCode, closed: true}},
}

// pieces tells f a side's bytes, each piece as long as size says.
func pieces(f *Frames, in []byte, size func() int) {
	for len(in) > 0 {
		n := min(max(size(), 1), len(in))
		f.Write(in[:n])
		in = in[n:]
	}
}

// How a side closes is found wherever its bytes are cut, and frames are told apart.
func TestFrames(t *testing.T) {
	for _, tt := range sides {
		for _, size := range []int{1, 2, 3, 7, 1 << 20} {
			var f Frames
			pieces(&f, tt.in, func() int { return size })
			if got := closingOf(&f); got != tt.want {
				t.Errorf("%s, by %d bytes: got %+v, want %+v", tt.name, size, got, tt.want)
			}
		}
	}
}

// parse reads a side whole, by the letter of the RFC: what Frames is to say of it.
func parse(in []byte) closing {
	for len(in) > 0 {
		if len(in) < 2 {
			return closing{}
		}
		first, n, masked := in[0], uint64(in[1]&0x7F), in[1]&0x80 != 0
		in = in[2:]
		extra := map[uint64]int{126: 2, 127: 8}[n]
		if len(in) < extra {
			return closing{}
		}
		if extra > 0 {
			n = binary.BigEndian.Uint64(append(make([]byte, 8-extra), in[:extra]...))
			in = in[extra:]
		}
		mask := make([]byte, 4)
		if masked {
			if len(in) < 4 {
				return closing{}
			}
			mask, in = in[:4], in[4:]
		}
		if uint64(len(in)) < n {
			return closing{}
		}
		if first&0x0F == 8 {
			return parseClose(in[:n], mask)
		}
		in = in[n:]
	}
	return closing{between: true}
}

func parseClose(payload, mask []byte) closing {
	var plain []byte
	for i, c := range payload[:min(len(payload), 125)] {
		plain = append(plain, c^mask[i%4])
	}
	switch len(plain) {
	case 0:
		return closing{code: CloseNoCode, closed: true}
	case 1:
		return closing{code: CloseMalformed, closed: true}
	}
	return closing{code: CloseCode(binary.BigEndian.Uint16(plain)), reason: string(plain[2:]), closed: true}
}

// FuzzFrames holds Frames to what a reader of the whole says, however the bytes are cut.
func FuzzFrames(f *testing.F) {
	for i, tt := range sides {
		f.Add(tt.in, uint64(i))
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		before := bytes.Clone(in)
		random := rand.New(rand.NewPCG(seed, 0))
		var frames Frames
		pieces(&frames, in, func() int { return random.IntN(9) })
		if got, want := closingOf(&frames), parse(in); got != want {
			t.Errorf("cut by seed %d: got %+v, want %+v", seed, got, want)
		}
		if !bytes.Equal(in, before) {
			t.Errorf("the bytes were changed")
		}
	})
}

// Data costs no allocation, in whatever pieces it comes.
func TestFramesAllocateNothing(t *testing.T) {
	message := slices.Concat(wsFrame(text, strings.Repeat("x", 300), 1, 2, 3, 4), wsFrame(ping, "?"))
	var f Frames
	if n := testing.AllocsPerRun(100, func() { pieces(&f, message, func() int { return 11 }) }); n != 0 {
		t.Errorf("%v allocations for two frames, want none", n)
	}
}

func TestCloseCodes(t *testing.T) {
	for _, tt := range []struct {
		codes []CloseCode
		want  End
	}{
		{[]CloseCode{1000, 1001, 1005, 3000, 3999, 4000, 4999}, Finished},
		{[]CloseCode{1008, 1009}, CallerError},
		{[]CloseCode{1002, 1003, 1007, 1010, 1011, 1012, 1013, 1014}, Failed},
		{[]CloseCode{CloseMalformed, 1, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65535}, Failed},
	} {
		for _, c := range tt.codes {
			if got := c.End(); got != tt.want {
				t.Errorf("%d: got %v, want %v", c, got, tt.want)
			}
			if got := c.Ordinary(); got != (tt.want == Finished) {
				t.Errorf("%d is ordinary: got %t", c, got)
			}
		}
	}
}

func TestCloseFrame(t *testing.T) {
	for _, tt := range []struct{ reason, want string }{
		{"", ""},
		{"try again", "try again"},
		{strings.Repeat("x", 200), strings.Repeat("x", 123)},
		{strings.Repeat("x", 122) + "é", strings.Repeat("x", 122)},
	} {
		var f Frames
		in := CloseFrame(CloseRestart, tt.reason)
		f.Write(in)
		if got, want := closingOf(&f), (closing{code: CloseRestart, reason: tt.want, closed: true}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if in[1]&0x80 != 0 || len(in) > 127 || !utf8.Valid(in[4:]) {
			t.Errorf("% x: masked, too long or no text", in)
		}
	}
}

func BenchmarkFrames(b *testing.B) {
	token := wsFrame(text, `{"type":"token","text":"hello"}`)
	var f Frames
	b.ReportAllocs()
	for b.Loop() {
		f.Write(token)
	}
}
