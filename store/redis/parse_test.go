package redis

import (
	"encoding/json"
	"testing"

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

// FuzzParseMemberValue: what is in the members' hash is read or refused.
func FuzzParseMemberValue(f *testing.F) {
	f.Add(`1767323045000000 {"name":"a","boot":"1","applied":{"assistant":{"revision":1,"id":"x"}}}`)
	f.Add("1 ")
	f.Add(" {}")
	f.Fuzz(func(t *testing.T, value string) {
		if m, err := parseMemberValue(value); err == nil && m.Seen.IsZero() {
			t.Errorf("parseMemberValue(%q): got %+v, want a time", value, m)
		}
	})
}

func TestParseMember(t *testing.T) {
	for _, want := range []store.MemberID{{Name: "a", Boot: "1"}, {Name: "a/b", Boot: "1"}, {Boot: "1"}, {Name: "a"}} {
		if got := parseMember(want.String()); got != want {
			t.Errorf("parseMember(%q): got %+v, want %+v", want.String(), got, want)
		}
	}
}
