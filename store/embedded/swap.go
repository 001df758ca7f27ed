package embedded

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Load returns a split's State.
func (s *Store) Load(ctx context.Context, name string) (*splitter.State, error) {
	if err := s.guard(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, ok := s.splits[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", store.ErrNotFound, name)
	}
	return sp.state, nil
}

// Swap writes the State, then its event. Should the disk fail between the two, the State stands and Swap returns
// ErrUnavailable; a retry, the next change or the next Open completes the log.
func (s *Store) Swap(ctx context.Context, prev splitter.Version, next *splitter.State, ev store.Event) error {
	if err := store.CheckSwap(prev, next, ev); err != nil {
		return err
	}
	if err := s.lockWriting(ctx); err != nil {
		return err
	}
	defer s.unlockWriting()
	sp := s.splitOf(next.Split)
	if err := sp.log.flush(); err != nil {
		return store.Unavailable(err)
	}
	if sp.state != nil && sp.state.Version == next.Version {
		return nil
	}
	if ev.Order != "" {
		return fmt.Errorf("%w: this store has none; %q", store.ErrOrderGone, next.Split)
	}
	if err := compare(sp, prev, next, ev); err != nil {
		return err
	}
	return s.write(sp, next, ev)
}

// splitOf returns what is known of a split; without a State, if there is none. Caller must hold s.writing.
func (s *Store) splitOf(name string) *split {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp, ok := s.splits[name]; ok {
		return sp
	}
	return &split{log: s.disk.newLog(name)}
}

// compare refuses next unless the stored State is prev and may be written over. Caller must hold s.writing.
func compare(sp *split, prev splitter.Version, next *splitter.State, ev store.Event) error {
	var have splitter.Version
	if sp.state != nil {
		have = sp.state.Version
		if err := store.CheckSchema(next.Split, sp.state.Schema, ev); err != nil {
			return err
		}
	}
	if have != prev {
		return store.Conflict(next.Split, prev, have)
	}
	return nil
}

// write makes next the State, first on disk. Caller must hold s.writing.
func (s *Store) write(sp *split, next *splitter.State, ev store.Event) error {
	now := time.Now()
	e := entryAt(s.last.Next(now), ev)
	if err := s.disk.write(next, e.event); err != nil {
		return store.Unavailable(err)
	}
	s.mu.Lock()
	sp.record = record{state: next, event: e.event}
	sp.log.add(e, now)
	sp.log.unwritten = &e.event
	s.splits[next.Split] = sp
	s.mu.Unlock()
	s.queue(e)
	s.watchers.tell(store.Notice{Split: next.Split, State: next})
	if !next.Forgotten.IsZero() {
		s.forget(next.Split)
	}
	if err := sp.log.flush(); err != nil {
		return store.Unavailable(err)
	}
	return nil
}

// List returns the names of all splits, tombstones included.
func (s *Store) List(ctx context.Context) ([]string, error) {
	if err := s.guard(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.splits)), nil
}

// EventsAfter returns the events that follow one.
func (s *Store) EventsAfter(ctx context.Context, name, cursor string, limit int) ([]store.Event, error) {
	var at store.Cursor
	var err error
	if cursor != "" {
		if at, err = store.ParseCursor(cursor); err != nil {
			return nil, err
		}
	}
	if err := s.guard(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, ok := s.splits[name]
	if !ok {
		return nil, nil
	}
	return sp.log.after(at, limit), nil
}

// Events returns the newest events.
func (s *Store) Events(ctx context.Context, name string, limit int) ([]store.Event, error) {
	if err := s.guard(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, ok := s.splits[name]
	if !ok {
		return nil, nil
	}
	return sp.log.newest(limit), nil
}
