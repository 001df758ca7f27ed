package redis

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// FuzzDecodeNotice: whoever may publish cannot bring down a proxy, nor give it a State that is invalid or not of the
// split that it is said to be of.
func FuzzDecodeNotice(f *testing.F) {
	state, _ := storetest.First("assistant", "first")
	for _, n := range []store.Notice{
		{Split: "assistant", State: state},
		{Split: "assistant", Kill: &splitter.Kill{ID: "k", Level: splitter.KillCut}},
		{Split: "other", State: state},
	} {
		payload, err := json.Marshal(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(payload))
	}
	f.Add(`{"split":"assistant","state":null,"kill":null}`)
	f.Fuzz(func(t *testing.T, payload string) {
		n, err := decodeNotice(payload)
		if err != nil {
			return
		}
		if !splitter.ValidName(n.Split) || n.State != nil && (n.State.Split != n.Split || n.State.Validate() != nil) {
			t.Errorf("decodeNotice(%q): got %+v, want a valid notice", payload, n)
		}
	})
}

// FuzzDecodeBeat: what is in the members' hash is read or refused, and what is read is written as it was.
func FuzzDecodeBeat(f *testing.F) {
	f.Add(`{"name":"a","boot":"1","applied":{"assistant":"1 x","other":"18446744073709551615 with space"}}`)
	f.Add(`{"applied":{"assistant":"x"}}`)
	f.Add(`{"active":{"assistant":{"in_flight":{"green":1},"conversations":{},"hold":"30m"}}}`)
	f.Add("{}")
	f.Fuzz(func(t *testing.T, doc string) {
		beat, err := decodeBeat(doc)
		if err != nil {
			return
		}
		again, err := encodeBeat(beat)
		if err != nil {
			return // a time that JSON reads and does not write
		}
		got, err := decodeBeat(string(again))
		if diff := cmp.Diff(beat, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("decodeBeat(%s): got %+v, %v, want %+v", again, got, err, beat)
		}
	})
}

// FuzzParseVersion: what is in a State's fields is read as it stands or refused.
func FuzzParseVersion(f *testing.F) {
	f.Add("1", "id")
	f.Add("007", "id")
	f.Add("18446744073709551616", "")
	f.Fuzz(func(t *testing.T, revision, id string) {
		got, err := parseVersion(revision, id)
		if err == nil && (fmt.Sprint(got.Revision) != revision || got.ID != id || id == "") {
			t.Errorf("parseVersion(%q, %q): got %+v", revision, id, got)
		}
	})
}

// FuzzParsePlaced: a reply about inboxes is read or refused.
func FuzzParsePlaced(f *testing.F) {
	f.Add(int64(1), "reason")
	f.Add(int64(3), "")
	f.Fuzz(func(t *testing.T, place int64, text string) {
		splits := []string{"assistant", "other"}
		got, err := parsePlaced([]any{place, text}, splits)
		if inside := place == 1 || place == 2; inside != (err == nil) || inside && got[splits[place-1]] != text {
			t.Errorf("parsePlaced(%d, %q): got %v, %v", place, text, got, err)
		}
	})
}

func TestParseMemberID(t *testing.T) {
	for _, want := range []store.MemberID{{Name: "a", Boot: "1"}, {Name: "a/b", Boot: "1"}, {Boot: "1"}, {Name: "a"}} {
		if got := parseMemberID(want.String()); got != want {
			t.Errorf("parseMemberID(%q): got %+v, want %+v", want.String(), got, want)
		}
	}
}

// FuzzDecodePin: what is in a pin's key is read or refused, and what is read is written so that it is read again.
func FuzzDecodePin(f *testing.F) {
	for _, text := range []string{"7 green", "18446744073709551615 a-b_c", "", "7", "-1 green", "7  green", "+7 green"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := decodePin(text)
		if err != nil {
			return
		}
		if again, err := decodePin(encodePin(p)); err != nil || again != p || !splitter.ValidName(p.Variant) {
			t.Errorf("decodePin(%q): got %+v, and again %+v, %v", text, p, again, err)
		}
	})
}

// FuzzParseJudge: what is in a judge's hash is read as it stands or refused, and the version to write over is told.
func FuzzParseJudge(f *testing.F) {
	f.Add("1", "2", "3", "4", "doc", "summary")
	f.Add("9007199254740993", "-1", "", "x", "", "")
	f.Fuzz(func(t *testing.T, version, epoch, folded, late, doc, summary string) {
		got, err := parseJudge([]any{version, epoch, folded, late, doc, summary})
		if err == nil && (got.Folded < 0 || string(got.Doc) != doc || string(got.Summary) != summary) {
			t.Errorf("parseJudge: got %+v", got)
		}
		if want, wrong := parseNumber("version", version); wrong == nil && got.Version != want {
			t.Errorf("parseJudge: got version %d and %v, want version %d", got.Version, err, want)
		}
	})
}

// FuzzParseSealed: whatever the script finds in a second's key, a sealed second is read whole or refused.
func FuzzParseSealed(f *testing.F) {
	f.Add(int64(1), "a/1", "b/1", "frame")
	f.Add(int64(-1), "", "/", "")
	f.Fuzz(func(t *testing.T, late int64, missing, member, frame string) {
		ask := secondAsk{SealAsk: &store.SealAsk{Split: "assistant"}, second: 7}
		got, err := keys{}.parseSealed(ask, []any{late, []any{missing}, []any{member, frame}})
		if err != nil || got.Second != 7 || string(got.Frames[parseMemberID(member)]) != frame || len(got.Missing) != 1 {
			t.Errorf("parseSealed: got %+v, %v", got, err)
		}
		for _, reply := range []any{late, missing, []any{late}, []any{missing, []any{}, []any{}}, []any{late, missing, []any{}},
			[]any{late, []any{}, []any{member}}, []any{late, []any{late}, []any{}}} {
			if got, err := (keys{}).parseSealed(ask, reply); err == nil {
				t.Errorf("parseSealed(%v): got %+v, want an error", reply, got)
			}
		}
	})
}
