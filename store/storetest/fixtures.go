package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// patience is how long a test waits for something that should come at once.
const patience = 10 * time.Second

// epochStart is when all events of the fixtures happened.
var epochStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// First returns the first State of a split, with the event that made it.
func First(split, id string) (*splitter.State, store.Event) {
	s := &splitter.State{
		Schema:   splitter.Schema,
		Split:    split,
		Version:  splitter.Version{Revision: 1, ID: id},
		Epoch:    1,
		Salt:     "salt",
		Stable:   "blue",
		Canary:   "green",
		Ranges:   []splitter.Range{{From: 0, To: 1_000, Variant: "green"}, {From: 1_000, To: 100_000, Variant: "blue"}},
		Progress: splitter.Progress{Phase: splitter.PhaseTrial, Since: epochStart},
		Changed:  splitter.Change{Kind: "created", Actor: "test", At: epochStart},
	}
	return s, eventOf(s)
}

// Next returns a State that follows prev, with the event that makes it.
func Next(prev *splitter.State, id string) (*splitter.State, store.Event) {
	s := prev.Clone()
	s.Parent = prev.ID
	s.Version = splitter.Version{Revision: prev.Revision + 1, ID: id}
	s.Changed = splitter.Change{Kind: "weights", Actor: "test", At: epochStart.Add(time.Duration(s.Revision) * time.Second)}
	return s, eventOf(s)
}

// eventOf returns the event that made a State.
func eventOf(s *splitter.State) store.Event {
	return store.Event{ID: s.ID, Split: s.Split, Revision: s.Revision, Epoch: s.Epoch, Change: s.Changed}
}

// begin writes the first State of a split.
func begin(t *testing.T, s store.Store, split string) *splitter.State {
	t.Helper()
	state, ev := First(split, split+"-1")
	mustSwap(t, s, splitter.Version{}, state, ev)
	return state
}

// advance writes n further States and returns the last.
func advance(t *testing.T, s store.Store, state *splitter.State, n int) *splitter.State {
	t.Helper()
	for range n {
		next, ev := Next(state, fmt.Sprintf("%s-%d", state.Split, state.Revision+1))
		mustSwap(t, s, state.Version, next, ev)
		state = next
	}
	return state
}

// mustSwap swaps and fails the test if that fails.
func mustSwap(t *testing.T, s store.Store, prev splitter.Version, next *splitter.State, ev store.Event) {
	t.Helper()
	if err := s.Swap(t.Context(), prev, next, ev); err != nil {
		t.Fatalf("Swap(%v → %v): %v", prev, next.Version, err)
	}
}

// mustLoad loads and fails the test if that fails.
func mustLoad(t *testing.T, s store.Store, split string) *splitter.State {
	t.Helper()
	state, err := s.Load(t.Context(), split)
	if err != nil {
		t.Fatalf("Load(%q): %v", split, err)
	}
	return state
}

// mustEvents returns a split's newest events.
func mustEvents(t *testing.T, s store.Store, split string, limit int) []store.Event {
	t.Helper()
	events, err := s.Events(t.Context(), split, limit)
	if err != nil {
		t.Fatalf("Events(%q, %d): %v", split, limit, err)
	}
	return events
}

// ids returns the events' ids.
func ids(events []store.Event) []string {
	out := make([]string, len(events))
	for i, ev := range events {
		out[i] = ev.ID
	}
	return out
}

// encode returns v as JSON.
func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encoding %v: %v", v, err)
	}
	return string(data)
}

// equal fails the test if got is not want.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: got %v, want %v (-want +got):\n%s", what, got, want, diff)
	}
}
