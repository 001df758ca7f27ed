package fleet

import (
	"context"
	"slices"
	"sync"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// history is the shared store, which remembers every State that it ever had and every event.
type history struct {
	store.Store

	mu     sync.Mutex // held while something is written, so that what is remembered keeps its order; protects these fields
	states []*splitter.State
	log    []store.Event
	doomed int // whoever takes this step dies with it; 0: nobody

	hearing sync.Mutex                    // protects muffled
	muffled map[splitter.Version]struct{} // never announced, as its writer died
}

// Swap writes, and remembers what was taken. One that was written before and is tried again is no second change.
func (h *history) Swap(ctx context.Context, prev splitter.Version, next *splitter.State, ev store.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.Store.Swap(ctx, prev, next, ev)
	isNew := len(h.states) == 0 || h.states[len(h.states)-1].Version != next.Version
	if err == nil && isNew {
		h.states, h.log = append(h.states, next), append(h.log, ev)
	}
	return err
}

// Record records, and remembers what was new.
func (h *history) Record(ctx context.Context, ev store.Event) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	isNew, err := h.Store.Record(ctx, ev)
	if isNew && err == nil {
		h.log = append(h.log, ev)
	}
	return isNew, err
}

// dooms reports whether whoever writes a State is to die with it; nobody will hear of that.
func (h *history) dooms(next *splitter.State) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.doomed == 0 || next.Progress.Step != h.doomed {
		return false
	}
	h.hearing.Lock()
	defer h.hearing.Unlock()
	h.muffled[next.Version] = struct{}{}
	return true
}

// spare lets live whoever takes the next step.
func (h *history) spare() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doomed = 0
}

// isMuffled reports whether nobody hears of a State.
func (h *history) isMuffled(s *splitter.State) bool {
	h.hearing.Lock()
	defer h.hearing.Unlock()
	if s == nil {
		return false
	}
	_, is := h.muffled[s.Version]
	return is
}

// all returns all States and events so far, oldest first.
func (h *history) all() ([]*splitter.State, []store.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.states), slices.Clone(h.log)
}
