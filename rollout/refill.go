package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// fillStore gives a store that was found to have no State the one that we know, or else the file's, unless another
// instance knows better.
func (c *Controller) fillStore(ctx context.Context, s *Split, p store.Pulse) error {
	s.mu.Lock()
	if s.absentSince.IsZero() {
		s.absentSince = time.Now()
	}
	known, confirmed, absent := s.stored, s.confirmed, time.Since(s.absentSince)
	def, inForce := s.inForce()
	s.mu.Unlock()
	patience := c.opts.pace.refillFromDisk
	if confirmed {
		patience = c.opts.pace.refill
	}
	if !inForce || p.Refused != "" || known != nil && absent < patience {
		return nil
	}
	if p.Members == nil {
		var err error
		if p, err = c.roll(ctx); err != nil {
			return err
		}
	}
	switch {
	case c.isBetterKnown(p, s.name, known):
		return nil
	case known == nil:
		return c.create(ctx, s, def)
	default:
		return c.refill(ctx, s, known, !confirmed)
	}
}

// isBetterKnown reports whether a living instance has a later State than ours: it will write it.
func (c *Controller) isBetterKnown(p store.Pulse, split string, ours *splitter.State) bool {
	var revision uint64
	if ours != nil {
		revision = ours.Revision
	}
	return slices.ContainsFunc(p.Members, func(m store.Member) bool {
		return m.MemberID != c.id && m.Applied[split].Revision > revision && isAlive(p, m)
	})
}

// create writes a split's first State. Losing the race to another instance is fine: its State is loaded.
func (c *Controller) create(ctx context.Context, s *Split, def Definition) error {
	ch, err := Create(def, By{Actor: selfActor, Via: "config", Reason: "first weights of the configuration"}, c.seed())
	if err != nil {
		return err
	}
	return c.offer(ctx, s, ch)
}

// reopen writes a State over the tombstone of a split that is in use again.
func (c *Controller) reopen(ctx context.Context, s *Split, tombstone *splitter.State) error {
	s.mu.Lock()
	def, inForce := s.inForce()
	s.mu.Unlock()
	if !inForce {
		return nil
	}
	by := By{Actor: selfActor, Via: "config", Reason: "first weights of the configuration; the split was forgotten on " +
		tombstone.Forgotten.Format(time.DateOnly)}
	ch, err := Reopen(tombstone, def, by, c.seed())
	if err != nil {
		return err
	}
	if err = c.swap(ctx, s, tombstone.Version, ch); errors.Is(err, store.ErrConflict) {
		return c.reload(ctx, s)
	}
	return err
}

// refill writes a known State back into a store that lost it, as the next revision. One that this process has only found
// on its disk may have been outdated: a plan in it is paused, as perhaps it was.
func (c *Controller) refill(ctx context.Context, s *Split, known *splitter.State, fromDisk bool) error {
	c.log.Warn("the store has lost the state; writing back the last one known",
		zap.String("split", s.name), zap.Uint64("revision", known.Revision))
	by := By{Actor: selfActor, Via: "config", Reason: "the store was empty"}
	seed := c.seed()
	n := next(known, KindRestored, by, seed)
	if fromDisk {
		hold(n, By{Actor: by.Actor, Reason: "the store was empty, and the state was found on a disk only"}, seed)
	}
	ch, err := tell(known, n)
	if err != nil {
		return err
	}
	return c.offer(ctx, s, ch)
}

// offer writes a State into an empty store, or takes the one that somebody else wrote first.
func (c *Controller) offer(ctx context.Context, s *Split, ch Changed) error {
	err := c.swap(ctx, s, splitter.Version{}, ch)
	if errors.Is(err, store.ErrConflict) {
		return c.reload(ctx, s)
	}
	return err
}
