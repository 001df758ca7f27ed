package stream

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var walked = compile([]path{
	{"a", slotType}, {"a.b", slotErrorCode}, {"a.b.c", slotErrorType}, {"b", slotCode}, {"b.a", slotObject},
	{"c.c.c", slotStop}, {"n", slotSumIn},
})

// walk returns what a walker finds at the slots of `walked`, as JSON, or as the kind of what is not kept.
func walk(text string) map[slot]string {
	w := walker{paths: walked}
	w.reset()
	for i := range len(text) {
		w.write([]byte{text[i]})
	}
	found := map[slot]string{}
	for s := slot(1); s < slotCount; s++ {
		if !w.has(s) {
			continue
		}
		found[s] = w.raw(s)
		if found[s] == "" {
			found[s] = [...]string{"null", "false", "true", "number", "string", "object", "list"}[w.values[s].kind]
		}
	}
	return found
}

func TestWalker(t *testing.T) {
	for _, c := range []struct {
		in   string
		want map[slot]string
	}{
		{`{}`, map[slot]string{}},
		{` { "a" : "x" , "b":1 } `, map[slot]string{slotType: `"x"`, slotCode: "1"}},
		{`{"a":{"b":{"c":"x"}}}`, map[slot]string{slotType: "object", slotErrorCode: "object", slotErrorType: `"x"`}},
		{`{"x":{"a":"x"},"y":[{"a":"x"}],"z":"\"a\":1"}`, map[slot]string{}},
		{`{"a":[{"b":1},{"b":2}]}`, map[slot]string{slotType: "list", slotErrorCode: "1"}},
		{`{"a":[{"b":0},{"b":null},{"b":"y"}]}`, map[slot]string{slotType: "list", slotErrorCode: `"y"`}},
		{`{"a":["x",{"b":7}]}`, map[slot]string{slotType: "list", slotErrorCode: "7"}},
		{`{"n":1}`, map[slot]string{slotSumIn: "1"}},
		{`{"a":"\\","b":"\"}"}`, map[slot]string{slotType: `"\\"`, slotCode: `"\"}"`}},
		{`{"\u0061":"x"}`, map[slot]string{}},
		{`{"b":-32603}`, map[slot]string{slotCode: "-32603"}},
		{`{"b":1.5e3}`, map[slot]string{slotCode: "number"}},
		{`{"b":99999999999999999999}`, map[slot]string{slotCode: "number"}},
		{`{"b":true,"a":false}`, map[slot]string{slotCode: "true", slotType: "false"}},
		{`{"b":null}`, map[slot]string{}},
		{`{"b":"` + strings.Repeat("x", maxText+1) + `"}`, map[slot]string{slotCode: "string"}},
		{`[{"a":"x"}]`, map[slot]string{}},
		{`"a"`, map[slot]string{}},
		{`{"a":}`, map[slot]string{}},
		{`{a:1,"b":2}`, map[slot]string{}},
		{`{"c":{"c":{"c":"deep"}},"` + strings.Repeat("k", 100) + `":1,"a":"x"}`, map[slot]string{slotStop: `"deep"`, slotType: `"x"`}},
		{strings.Repeat(`{"c":`, 100), map[slot]string{slotStop: "object"}},
		{`{"x":` + strings.Repeat(`[`, 1000) + strings.Repeat(`]`, 1000) + `,"a":"x"}`, map[slot]string{slotType: `"x"`}},
	} {
		if diff := cmp.Diff(c.want, walk(c.in)); diff != "" {
			t.Errorf("%.80s (-want +got):\n%s", c.in, diff)
		}
	}
}

// document draws a JSON object whose keys are those that paths are made of, and others.
func document(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Just[any](true), rapid.Just[any](false),
		rapid.Map(rapid.IntRange(-40000, 40000), func(n int) any { return n }),
		rapid.Map(rapid.StringN(0, 15, 60), func(s string) any { return s }),
		rapid.Map(rapid.SliceOfN(rapid.Int(), 0, 3), func(l []int) any { return l }),
	)
	if depth == 0 {
		return leaf
	}
	key := rapid.SampledFrom([]string{"a", "b", "c", "d", "aa", ""})
	object := rapid.Map(rapid.MapOfN(key, document(depth-1), 0, 4), func(m map[string]any) any { return m })
	return rapid.OneOf(object, object, leaf)
}

// lookUp is what a client finds that has parsed the whole document.
func lookUp(document any, keys string) any {
	for key := range strings.SplitSeq(keys, ".") {
		object, ok := document.(map[string]any)
		if !ok {
			return nil
		}
		document = object[key]
	}
	return document
}

func TestWalkerAgainstParser(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := map[string]any{"a": document(3).Draw(t, "a"), "b": document(2).Draw(t, "b"), "d": document(3).Draw(t, "d")}
		text, err := json.MarshalIndent(object, "", rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "indent"))
		if err != nil {
			t.Fatal(err)
		}
		got := walk(string(text))
		for _, p := range []path{{"a", slotType}, {"a.b", slotErrorCode}, {"a.b.c", slotErrorType}, {"b", slotCode}, {"b.a", slotObject}} {
			if want := rendered(t, lookUp(object, p.keys)); got[p.slot] != want {
				t.Fatalf("%s in %s: got %q, want %q", p.keys, text, got[p.slot], want)
			}
		}
	})
}

// rendered is what walk shows of a value.
func rendered(t *rapid.T, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case map[string]any:
		return "object"
	case []int:
		return "list"
	default:
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if _, isString := v.(string); isString && len(text)-2 > maxText {
			return "string"
		}
		return string(text)
	}
}

// The nodes of a tree are numbered in a byte, and keys are kept in a buffer.
func TestPathsFit(t *testing.T) {
	trees := map[string]paths{"every": everyPath}
	for f := Auto; f < formatCount; f++ {
		trees[f.String()] = protocols[f].paths
	}
	for name, tree := range trees {
		if len(tree) > 256 {
			t.Errorf("%s: got %d nodes, want at most 256", name, len(tree))
		}
		for _, n := range tree {
			if len(n.key) > maxKey {
				t.Errorf("%s: key %q: got %d bytes, want at most %d", name, n.key, len(n.key), maxKey)
			}
		}
	}
	if slotCount > 64 {
		t.Errorf("got %d slots, want at most 64", slotCount)
	}
}
