package storetest

import (
	"slices"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var listTests = map[string]func(*testing.T, store.Store){
	"nothing in an empty store": func(t *testing.T, s store.Store) {
		pulse(t, s, beatOf("a", "1", map[string]splitter.Version{"asked": {}}))
		equal(t, "splits", len(mustList(t, s)), 0)
	},
	"sorted, each once": func(t *testing.T, s store.Store) {
		for _, split := range []string{"other", "assistant", "zebra"} {
			advance(t, s, begin(t, s, split), 2)
		}
		equal(t, "splits", mustList(t, s), []string{"assistant", "other", "zebra"})
	},
	"a change that is refused lists nothing": func(t *testing.T, s store.Store) {
		first, ev := First("assistant", "first")
		next, _ := Next(first, "next")
		refused(t, s, first.Version, next, ev, store.ErrConflict)
		equal(t, "splits", len(mustList(t, s)), 0)
	},
	"a tombstone is a state like others": testTombstone,
}

func testTombstone(t *testing.T, s store.Store) {
	first := begin(t, s, "assistant")
	begin(t, s, "other")
	tombstone := bury(t, s, first)
	equal(t, "splits", mustList(t, s), []string{"assistant", "other"})
	equal(t, "loaded", encode(t, mustLoad(t, s, "assistant")), encode(t, tombstone))
	p := pulse(t, s, beatOf("a", "1", map[string]splitter.Version{"assistant": {}}))
	equal(t, "version", p.Versions["assistant"], tombstone.Version)
	again, ev := First("assistant", "again")
	refused(t, s, splitter.Version{}, again, ev, store.ErrConflict)

	next, ev := Next(tombstone, "reborn")
	next.Forgotten = first.Forgotten
	mustSwap(t, s, tombstone.Version, next, ev)
	equal(t, "in use again", mustLoad(t, s, "assistant").Forgotten.IsZero(), true)
}

// bury writes a tombstone over a State and returns it.
func bury(t *testing.T, s store.Store, state *splitter.State) *splitter.State {
	t.Helper()
	tombstone, ev := Next(state, "forgotten")
	tombstone.Forgotten = epochStart
	ev.Kind = "forgotten"
	mustSwap(t, s, state.Version, tombstone, ev)
	return tombstone
}

// mustList returns the names of all splits, as they come.
func mustList(t *testing.T, s store.Store) []string {
	t.Helper()
	splits, err := s.List(t.Context())
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	if !slices.IsSorted(splits) {
		t.Errorf("List: got %v, want it sorted", splits)
	}
	return splits
}
