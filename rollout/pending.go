package rollout

import (
	"context"
	"errors"
	"slices"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// hold makes a kill hold here at once, before any store knows of it.
func (c *Controller) hold(s *Split, k splitter.Kill) {
	s.mu.Lock()
	known := slices.ContainsFunc(s.queue, func(q splitter.Kill) bool { return q.ID == k.ID }) ||
		s.stored != nil && (hasKill(s.stored, k.ID) || isRevived(s.stored, k.ID))
	var err error
	if !known {
		s.queue = append(s.queue, k)
		err = s.refresh()
	}
	s.mu.Unlock()
	if err != nil {
		c.log.Error("a kill cannot be applied", zap.String("split", s.name), zap.Error(err))
	}
	if !known {
		c.log.Warn("kill applied", zap.String("split", s.name), zap.String("variant", k.Variant),
			zap.Stringer("level", k.Level), zap.String("actor", k.Actor), zap.String("reason", k.Reason))
		c.remember(s)
	}
}

// settle writes what waits for the store: kills, a failback made while it was away, and a newly declared version.
func (c *Controller) settle(ctx context.Context, s *Split) error {
	s.mu.Lock()
	queue, overlay, redeclare := slices.Clone(s.queue), s.overlay, s.redeclare
	s.mu.Unlock()
	for _, k := range queue {
		if _, _, err := c.writeKill(ctx, s, k); err != nil {
			return err
		}
	}
	if overlay != nil {
		if _, err := c.writeFailback(ctx, s, overlay.verdict); err != nil {
			return err
		}
	}
	if !redeclare {
		return nil
	}
	return c.writeVersion(ctx, s)
}

// writeVersion begins a new epoch if the file that was loaded declares another version of the canary. It is done once
// for each load, so that proxies with an older and a newer file do not take turns.
func (c *Controller) writeVersion(ctx context.Context, s *Split) error {
	err := c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		return Redeclare(prev, s.Definition(), By{Actor: selfActor, Via: "config"}, c.seed())
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redeclare = false
	return nil
}

// writeKill swaps a kill into the State until it is there, whoever else writes meanwhile. written is false if the
// State has it already or lists it as lifted.
func (c *Controller) writeKill(ctx context.Context, s *Split, k splitter.Kill) (ch Changed, written bool, err error) {
	err = c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		ch, written, err = Kill(prev, k, c.seed())
		return ch, written, err
	})
	return ch, written, err
}

// writeFailback swaps a failback into the State until it is there or there is nothing to give back any more.
func (c *Controller) writeFailback(ctx context.Context, s *Split, v verdict) (written bool, err error) {
	err = c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		if prev.Epoch != v.epoch {
			return Changed{}, false, nil
		}
		var ch Changed
		ch, written, err = Failback(prev, v.Verdict, By{Actor: selfActor, Via: "judge"}, c.seed())
		return ch, written, err
	})
	if written && err == nil {
		c.log.Error("failed back", zap.String("split", s.name), zap.String("reason", v.Reason))
	}
	return written, err
}

// untilSwapped tries a change on the newest State again and again while others are faster. A change that answers
// false ends it.
func (c *Controller) untilSwapped(ctx context.Context, s *Split, change func(*splitter.State) (Changed, bool, error)) error {
	for {
		prev := s.storedState()
		if prev == nil {
			if err := c.reload(ctx, s); err != nil {
				return err
			}
			continue
		}
		ch, ok, err := change(prev)
		if err != nil || !ok {
			return err
		}
		if err = c.swap(ctx, s, prev.Version, ch); !errors.Is(err, store.ErrConflict) {
			return err
		}
		if err := c.reload(ctx, s); err != nil {
			return err
		}
	}
}
