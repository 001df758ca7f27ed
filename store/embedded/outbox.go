package embedded

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// outbox returns the events of all splits that an outbox keeps, in the order of their cursors.
func (found *loaded) outbox() []entry {
	var all []entry
	for _, sp := range found.splits {
		all = append(all, sp.log.entries...)
	}
	slices.SortFunc(all, func(a, b entry) int { return a.at.Compare(b.at) })
	return all[max(0, len(all)-store.OutboxKept):]
}

// queue puts an event into the outbox. Caller must hold s.writing.
func (s *Store) queue(e entry) {
	s.last = e.at
	s.outbox = append(s.outbox, e)
	if over := len(s.outbox) - store.OutboxKept; over > 0 {
		s.outbox = slices.Delete(s.outbox, 0, over)
	}
}

// Record appends the event to its log, where it is looked for first. It is in the outbox when it is on the disk.
func (s *Store) Record(ctx context.Context, ev store.Event) (bool, error) {
	if err := store.CheckEvent(ev); err != nil {
		return false, err
	}
	if err := s.lockWriting(ctx); err != nil {
		return false, err
	}
	defer s.unlockWriting()
	sp := s.splitOf(ev.Split)
	if sp.state == nil {
		return false, fmt.Errorf("%w: %q", store.ErrNotFound, ev.Split)
	}
	if err := sp.log.flush(); err != nil {
		return false, store.Unavailable(err)
	}
	if sp.log.has(ev.ID) {
		return false, nil
	}
	now := time.Now()
	e := entryAt(s.last.Next(now), ev)
	if err := sp.log.write(e.event); err != nil {
		return false, store.Unavailable(err)
	}
	s.mu.Lock()
	sp.log.add(e, now)
	s.mu.Unlock()
	s.queue(e)
	s.watchers.tell(store.Notice{Split: ev.Split, Event: true})
	return true, nil
}

// Claim looks into the outbox. A group is on the disk before it has begun.
func (s *Store) Claim(ctx context.Context, ask store.ClaimAsk) ([]store.Delivery, error) {
	if err := store.CheckClaim(ask); err != nil {
		return nil, err
	}
	if err := s.lockWriting(ctx); err != nil {
		return nil, err
	}
	defer s.unlockWriting()
	g, ok := s.groups[ask.Group]
	if !ok {
		return nil, s.keepGroup(ask.Group, newGroup(s.last))
	}
	return g.claim(s.outbox, ask, time.Now()), nil
}

// Acknowledge writes what the group has acknowledged to the disk, if that is news.
func (s *Store) Acknowledge(ctx context.Context, name string, receipts []string) error {
	if err := store.CheckGroup(name); err != nil {
		return err
	}
	if err := s.lockWriting(ctx); err != nil {
		return err
	}
	defer s.unlockWriting()
	g, ok := s.groups[name]
	if !ok {
		return nil
	}
	next, isNews := g.acknowledge(s.outbox, receipts)
	if !isNews {
		return nil
	}
	return s.keepGroup(name, next)
}

// keepGroup makes g the group of that name, first on disk. Caller must hold s.writing.
func (s *Store) keepGroup(name string, g *group) error {
	if err := s.disk.writeGroup(name, g); err != nil {
		return store.Unavailable(err)
	}
	s.groups[name] = g
	return nil
}
