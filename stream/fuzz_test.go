package stream

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sound fails the test if what a scanner tells cannot be.
func sound(t interface{ Errorf(string, ...any) }, got seen) {
	r := got.Report
	if r.End == Open || r.End >= endCount {
		t.Errorf("end after Close: got %v", r.End)
	}
	if len(r.Code) > maxText || codeOf([]byte(r.Code)) != r.Code {
		t.Errorf("code %q: want at most %d bytes of a code's", r.Code, maxText)
	}
	if r.End == Failed && r.Code == "" {
		t.Errorf("failed without a code")
	}
	if !r.Tokens.Known && r.Tokens != (Tokens{}) {
		t.Errorf("tokens: got %+v", r.Tokens)
	}
}

// However a body is cut into pieces, the verdict is the same.
func TestChunking(t *testing.T) {
	for _, g := range goldens {
		body, head := g.exchange(t)
		want := scan(Auto, head, body, !g.broken, atOnce)
		rapid.Check(t, func(t *rapid.T) {
			size := rapid.IntRange(1, rapid.IntRange(1, 200).Draw(t, "most"))
			cut := func(int) int { return size.Draw(t, "size") }
			if got := scan(Auto, head, body, !g.broken, cut); got != want {
				t.Fatalf("%s: got %+v, want %+v", g.in, got, want)
			}
		})
	}
}

// However a line ends, the verdict is the same.
func TestLineEnds(t *testing.T) {
	for _, g := range goldens {
		body, head := g.exchange(t)
		if head.framing(Auto) != framedSSE || g.in == "sse/carriage_returns" {
			continue
		}
		want := scan(Auto, head, body, !g.broken, atOnce)
		for _, end := range []string{"\r", "\r\n"} {
			var text []byte
			for _, c := range body {
				if c == '\n' {
					text = append(text, end...)
				} else {
					text = append(text, c)
				}
			}
			for _, size := range []func(int) int{atOnce, byBytes} {
				if got := scan(Auto, head, text, !g.broken, size); got != want {
					t.Errorf("%s, lines ended by %q: got %+v, want %+v", g.in, end, got, want)
				}
			}
		}
	}
}

// FuzzScanner holds every scanner to it that it never panics, says nothing that cannot be, and says the same however
// the body is cut.
func FuzzScanner(f *testing.F) {
	for _, g := range goldens {
		body, head := g.exchange(f)
		f.Add(uint8(g.want.Format), head.Header.Get("Content-Type"), body, uint64(1), !g.broken)
		f.Add(uint8(Auto), head.Header.Get("Content-Type"), body, uint64(2), g.broken)
	}
	f.Fuzz(func(t *testing.T, format uint8, kind string, body []byte, seed uint64, whole bool) {
		head := Head{Header: Header{"Content-Type": {kind}}, RequestID: "1"}
		want := scan(Format(format), head, body, whole, atOnce)
		sound(t, want)
		random := rand.New(rand.NewPCG(seed, 0))
		if got := scan(Format(format), head, body, whole, func(int) int { return random.IntN(16) }); got != want {
			t.Errorf("cut by seed %d: got %+v, want %+v", seed, got, want)
		}
	})
}

// FuzzRequestID holds RequestID to it that what it finds is JSON that can be written as it is.
func FuzzRequestID(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1}`))
	f.Add([]byte(`{"id":"a\"b","jsonrpc":"2.0"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if id := RequestID(body); id != "" && (!json.Valid([]byte(id)) || strings.ContainsAny(id, "\r\n")) {
			t.Errorf("got %q, which cannot stand in a line of JSON", id)
		}
	})
}
