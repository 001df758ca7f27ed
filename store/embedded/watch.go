package embedded

import (
	"context"
	"sync"

	"github.com/switchback-proxy/switchback/store"
)

// maxPending is how many notices wait for a slow watcher; beyond it they are replaced by one Resync.
const maxPending = 256

// watchers tells whoever watches. Telling never blocks.
type watchers struct {
	mu  sync.Mutex // protects following fields
	all map[*watcher]struct{}
}

// watcher is one call of Watch.
type watcher struct {
	wake    chan struct{} // holds one token while something is pending
	mu      sync.Mutex    // protects following fields
	pending []store.Notice
}

// Watch tells of every change and announcement of this process. It begins with a Resync.
func (s *Store) Watch(ctx context.Context, notify func(store.Notice)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.guard(ctx); err != nil {
		return err
	}
	w := s.watchers.add()
	defer s.watchers.remove(w)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closed:
			return store.Closed()
		case <-w.wake:
			for _, n := range w.take() {
				notify(n)
			}
		}
	}
}

// Announce tells all watchers of this process.
func (s *Store) Announce(ctx context.Context, n store.Notice) error {
	if err := s.guard(ctx); err != nil {
		return err
	}
	s.watchers.tell(n)
	return nil
}

// add returns a new watcher that has a Resync waiting.
func (ws *watchers) add() *watcher {
	w := &watcher{wake: make(chan struct{}, 1)}
	w.put(store.Notice{Resync: true})
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.all == nil {
		ws.all = map[*watcher]struct{}{}
	}
	ws.all[w] = struct{}{}
	return w
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.all, w)
}

// tell gives a notice to every watcher.
func (ws *watchers) tell(n store.Notice) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		w.put(n)
	}
}

// put appends a notice and wakes the watcher.
func (w *watcher) put(n store.Notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) == maxPending {
		w.pending, n = w.pending[:0], store.Notice{Resync: true}
	}
	w.pending = append(w.pending, n)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take returns what is pending.
func (w *watcher) take() []store.Notice {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.pending
	w.pending = nil
	return taken
}
