package storetest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var eventTests = map[string]func(*testing.T, store.Store){
	"none without a state": func(t *testing.T, s store.Store) {
		equal(t, "events", len(mustEvents(t, s, "assistant", 10)), 0)
	},
	"the newest first, at most limit": func(t *testing.T, s store.Store) {
		advance(t, s, begin(t, s, "assistant"), 3)
		for limit, want := range map[int][]string{
			-1: {},
			0:  {},
			1:  {"assistant-4"},
			3:  {"assistant-4", "assistant-3", "assistant-2"},
			10: {"assistant-4", "assistant-3", "assistant-2", "assistant-1"},
		} {
			equal(t, "events", ids(mustEvents(t, s, "assistant", limit)), want)
		}
	},
	"splits are apart": func(t *testing.T, s store.Store) {
		begin(t, s, "one")
		begin(t, s, "other")
		equal(t, "events", ids(mustEvents(t, s, "other", 10)), []string{"other-1"})
	},
	"every field is kept": testEventFields,
}

func testEventFields(t *testing.T, s store.Store) {
	state, ev := First("assistant", "full")
	ev.Reason, ev.Via = "because\nof „this“", "socket"
	ev.From = map[string]splitter.Weight{"blue": 100_000}
	ev.To = map[string]splitter.Weight{"blue": 99_999, "green": 1}
	ev.Kills = []splitter.Kill{{ID: "k", Variant: "green", Level: splitter.KillCut, Reason: "r", At: epochStart}}
	ev.Evidence = json.RawMessage(`{"requests":[1,2.5]}`)
	mustSwap(t, s, splitter.Version{}, state, ev)
	got := mustEvents(t, s, "assistant", 1)
	if diff := cmp.Diff([]store.Event{ev}, got, cmpopts.IgnoreUnexported(splitter.Kill{}), withoutCursor); diff != "" {
		t.Errorf("event: got %+v, want %+v (-want +got):\n%s", got, ev, diff)
	}
}
