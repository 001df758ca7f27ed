package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// swap writes a change and applies it.
func (c *Controller) swap(ctx context.Context, s *Split, prev splitter.Version, ch Changed) error {
	s.asking.Lock()
	defer s.asking.Unlock()
	if err := c.write(ctx, prev, ch); err != nil {
		return err
	}
	c.applyWritten(s, ch.State)
	return nil
}

// applyWritten applies a State that this process has written, unless we know one that comes from it. It counts although
// we may have heard another of its revision, or a later one, meanwhile: they are of another history, and the store says
// which counts.
func (c *Controller) applyWritten(s *Split, state *splitter.State) {
	s.mu.Lock()
	taken := s.stored == nil || !s.stored.Descends(state.Version)
	if taken {
		c.take(s, state, true)
	}
	s.mu.Unlock()
	if taken {
		c.applied(s, state)
	}
}

// write writes a change.
func (c *Controller) write(ctx context.Context, prev splitter.Version, ch Changed) error {
	return c.withStore(ctx, func(ctx context.Context, st store.Store) error {
		err := st.Swap(ctx, prev, ch.State, ch.Event)
		if errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrNotWritten) {
			return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
		}
		return err
	})
}
