package embedded

import (
	"context"
	"maps"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// maxPins is how many pins of one split are kept. While there are so many that have not expired, no new ones are.
const maxPins = 1 << 18

// pinned is a pin and when it expires.
type pinned struct {
	splitter.Pin
	until time.Time
}

// KeepPins keeps pins in memory: a restart forgets them.
func (s *Store) KeepPins(ctx context.Context, split string, pins []store.Pin) error {
	if err := s.guard(ctx); err != nil {
		return err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pins[split] == nil {
		s.pins[split] = map[string]pinned{}
	}
	all := s.pins[split]
	if len(all)+len(pins) > maxPins {
		maps.DeleteFunc(all, func(_ string, p pinned) bool { return !now.Before(p.until) })
	}
	for _, p := range pins {
		before, exists := all[p.ID]
		isFull := !exists && len(all) >= maxPins
		if isFull || exists && p.IfNone && now.Before(before.until) {
			continue
		}
		all[p.ID] = pinned{p.Pin, now.Add(p.Keep)}
	}
	return nil
}

// FindPin looks into memory.
func (s *Store) FindPin(ctx context.Context, split string, ids ...string) (splitter.Pin, bool, error) {
	if err := s.guard(ctx); err != nil {
		return splitter.Pin{}, false, err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if p, ok := s.pins[split][id]; ok && now.Before(p.until) {
			return p.Pin, true, nil
		}
	}
	return splitter.Pin{}, false, nil
}
