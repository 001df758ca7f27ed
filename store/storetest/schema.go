package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var schemaTests = map[string]func(*testing.T, store.Store){
	"fields of a newer release are kept": func(t *testing.T, s store.Store) {
		state := withField(t, splitter.Schema)
		mustSwap(t, s, splitter.Version{}, state, eventOf(state))
		loaded := mustLoad(t, s, "assistant")
		wantField(t, loaded)
		advance(t, s, loaded, 1)
		wantField(t, mustLoad(t, s, "assistant"))
	},
	"a newer schema is refused": func(t *testing.T, s store.Store) {
		state := withField(t, splitter.Schema+1)
		refused(t, s, splitter.Version{}, state, eventOf(state), store.ErrNewerSchema)
		if _, err := s.Load(t.Context(), "assistant"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Load after a refused Swap: got %v, want ErrNotFound", err)
		}
	},
	"a kill touches a newer schema, nothing else does": func(t *testing.T, s store.Store) {
		state := withField(t, splitter.Schema+1)
		kill(t, s, splitter.Version{}, state)
		next, ev := Next(mustLoad(t, s, "assistant"), "weights")
		refused(t, s, state.Version, next, ev, store.ErrNewerSchema)
		downgraded := next.Clone()
		downgraded.Schema = splitter.Schema
		refused(t, s, state.Version, downgraded, ev, store.ErrNewerSchema)
		kill(t, s, state.Version, next)
		loaded := mustLoad(t, s, "assistant")
		equal(t, "schema", loaded.Schema, splitter.Schema+1)
		wantField(t, loaded)
	},
}

// kill swaps as a kill does.
func kill(t *testing.T, s store.Store, prev splitter.Version, next *splitter.State) {
	t.Helper()
	ev := eventOf(next)
	ev.Kind = "kill"
	mustSwap(t, s, prev, next, ev)
}

// withField returns a State that has a field which this release does not know.
func withField(t *testing.T, schema int) *splitter.State {
	t.Helper()
	first, _ := First("assistant", "first")
	first.Schema = schema
	text := strings.Replace(encode(t, first), "{", `{"from_the_future":{"b":[1,2],"a":"é"},`, 1)
	state, err := splitter.Decode([]byte(text))
	if err != nil {
		t.Fatalf("Decode(%s): %v", text, err)
	}
	return state
}

// wantField fails the test if the unknown field is lost.
func wantField(t *testing.T, state *splitter.State) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(encode(t, state)), &fields); err != nil {
		t.Fatal(err)
	}
	equal(t, fmt.Sprintf("field at revision %d", state.Revision), string(fields["from_the_future"]), `{"b":[1,2],"a":"é"}`)
}
