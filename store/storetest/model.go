package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// model is what a store should hold: every State of a few splits, in order.
type model struct {
	store   store.Store
	splits  []string
	history map[string][]*splitter.State
	ids     int
}

// runModel drives a store with random swaps and compares it with the model after each.
func runModel(t *testing.T, open Open) {
	s := open(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		m := &model{store: s, history: map[string][]*splitter.State{}}
		for i := range 2 {
			m.splits = append(m.splits, fmt.Sprintf("run%d-%d", runs, i)) // splits of its own: no run sees another's
		}
		rt.Repeat(map[string]func(*rapid.T){
			"swap":         m.swap,
			"retry":        m.retry,
			"stale":        m.stale,
			"another id":   m.anotherID,
			"of no states": m.first,
			"":             m.check,
		})
	})
}

// draw picks a split, and its current State, nil if it has none.
func (m *model) draw(t *rapid.T) (string, *splitter.State) {
	split := rapid.SampledFrom(m.splits).Draw(t, "split")
	if h := m.history[split]; len(h) > 0 {
		return split, h[len(h)-1]
	}
	return split, nil
}

// following makes a State after current, which may be nil, with a fresh id.
func (m *model) following(split string, current *splitter.State) (*splitter.State, store.Event) {
	m.ids++
	id := fmt.Sprintf("%s-c%d", split, m.ids)
	if current == nil {
		return First(split, id)
	}
	return Next(current, id)
}

// swap makes a change that must succeed.
func (m *model) swap(t *rapid.T) {
	split, current := m.draw(t)
	next, ev := m.following(split, current)
	m.try(t, versionOf(current), next, ev, nil)
	m.history[split] = append(m.history[split], next)
}

// retry repeats the last change, which must succeed and change nothing.
func (m *model) retry(t *rapid.T) {
	split, current := m.draw(t)
	if current == nil {
		return
	}
	var prev *splitter.State
	if h := m.history[split]; len(h) > 1 {
		prev = h[len(h)-2]
	}
	m.try(t, versionOf(prev), current, eventOf(current), nil)
}

// stale makes a change from a State that is not the current one.
func (m *model) stale(t *rapid.T) {
	split, current := m.draw(t)
	h := m.history[split]
	if len(h) < 2 {
		return
	}
	old := h[rapid.IntRange(0, len(h)-2).Draw(t, "old")]
	next, ev := m.following(split, current)
	m.try(t, old.Version, next, ev, store.ErrConflict)
}

// anotherID makes a change from a fork of the current State.
func (m *model) anotherID(t *rapid.T) {
	split, current := m.draw(t)
	next, ev := m.following(split, current)
	next.Revision++
	m.try(t, splitter.Version{Revision: versionOf(current).Revision, ID: "fork"}, next, ev, store.ErrConflict)
}

// first makes a first State where there is one.
func (m *model) first(t *rapid.T) {
	split, current := m.draw(t)
	if current == nil {
		return
	}
	next, ev := m.following(split, nil)
	m.try(t, splitter.Version{}, next, ev, store.ErrConflict)
}

// try swaps and wants an error, or none.
func (m *model) try(t *rapid.T, prev splitter.Version, next *splitter.State, ev store.Event, want error) {
	if err := m.store.Swap(t.Context(), prev, next, ev); !errors.Is(err, want) {
		t.Fatalf("Swap(%v → %v): got %v, want %v", prev, next.Version, err, want)
	}
}

// check compares the store with the model.
func (m *model) check(t *rapid.T) {
	for _, split := range m.splits {
		h := m.history[split]
		state, err := m.store.Load(t.Context(), split)
		if len(h) == 0 {
			if !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("Load(%q): got %v, want ErrNotFound", split, err)
			}
			continue
		}
		if err != nil || state.Version != h[len(h)-1].Version {
			t.Fatalf("Load(%q): got %v, %v, want %v", split, state, err, h[len(h)-1].Version)
		}
		m.checkEvents(t, split)
	}
}

// checkEvents compares the log with the model.
func (m *model) checkEvents(t *rapid.T, split string) {
	h := m.history[split]
	want := make([]string, len(h))
	for i, state := range h {
		want[len(h)-1-i] = state.ID
	}
	events, err := m.store.Events(t.Context(), split, len(h)+1)
	if diff := cmp.Diff(want, ids(events)); err != nil || diff != "" {
		t.Fatalf("Events(%q): got %v, %v, want %v", split, ids(events), err, want)
	}
}

// versionOf returns a State's version; zero for none.
func versionOf(s *splitter.State) splitter.Version {
	if s == nil {
		return splitter.Version{}
	}
	return s.Version
}
