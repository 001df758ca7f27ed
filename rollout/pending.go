package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// holdKill makes a kill hold here at once, before any store knows of it; meanwhile it is queued on disk. The error says
// what is wrong with it.
func (c *Controller) holdKill(s *Split, k splitter.Kill) error {
	if err := checkKill(k); err != nil {
		return err
	}
	if !s.enqueue(k) {
		return nil
	}
	c.log.Warn("kill applied", zap.String("split", s.name), zap.String("variant", k.Variant),
		zap.Stringer("level", k.Level), zap.String("actor", k.Actor), zap.String("reason", k.Reason))
	c.saveSoon(s)
	return nil
}

// enqueue applies a kill, unless it is known or lifted already.
func (s *Split) enqueue(k splitter.Kill) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hasKill(s.queue, k.ID) || s.stored != nil && (hasKill(s.stored.Kills, k.ID) || isRevived(s.stored, k.ID)) {
		return false
	}
	s.queue = slices.Concat(s.queue, []splitter.Kill{k})
	s.refresh()
	return true
}

// settle writes what waits for the store: what it has lost, kills, a failback made while it was away, a newly declared
// version, the end of a watch, that of a probe, that of a drill, and who has drifted. What cannot be written does not keep
// the rest from it, unless the store is away.
func (c *Controller) settle(ctx context.Context, s *Split) error {
	var errs []error
	steps := []func(context.Context, *Split) error{c.settleHistory, c.settleKills, c.settleFailback, c.settleVersion, c.settleTrickle,
		c.settleProbe, c.settleDrill, c.settleDrift}
	for _, step := range steps {
		err := step(ctx, s)
		if errs = append(errs, err); isAway(err) {
			break
		}
	}
	return errors.Join(errs...)
}

// settleKills writes the kills that wait for the store.
func (c *Controller) settleKills(ctx context.Context, s *Split) error {
	s.mu.Lock()
	queue, order := s.queue, s.order
	s.mu.Unlock()
	var errs []error
	for _, k := range queue {
		var err error
		if k.ID == order.kill {
			err = c.writeOrdered(ctx, s, k, order.text)
		} else {
			_, _, err = c.writeKill(ctx, s, k, "")
		}
		if errs = append(errs, err); isAway(err) {
			break
		}
	}
	return errors.Join(errs...)
}

// settleFailback writes a failback that holds here only.
func (c *Controller) settleFailback(ctx context.Context, s *Split) error {
	s.mu.Lock()
	overlay := s.overlay
	s.mu.Unlock()
	if overlay == nil {
		return nil
	}
	made := fmt.Sprintf("; %s made it at %s, while the store was away", c.id.Name, clockTime(overlay.seed.Now))
	_, err := c.writeFailback(ctx, s, overlay.verdict, made)
	return err
}

// writeKill swaps a kill into the State until it is there, whoever else writes meanwhile. written is false if the
// State has it already or lists it as lifted. order is the break-glass order that it carries out, or empty.
func (c *Controller) writeKill(ctx context.Context, s *Split, k splitter.Kill, order string) (ch Changed, written bool, err error) {
	err = c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		ch, written, err = Kill(prev, k, c.seed())
		ch.Event.Order = order
		return ch, written, err
	})
	return ch, written, err
}

// writeFailback swaps a failback into the State until it is there or there is nothing to give back any more.
// What there is to be told besides the verdict's reason is told after that.
func (c *Controller) writeFailback(ctx context.Context, s *Split, v verdict, besides string) (written bool, err error) {
	err = c.untilSwapped(ctx, s, func(prev *splitter.State) (ch Changed, _ bool, err error) {
		ch, written, err = failbackOf(prev, v, c.seed())
		if written {
			ch.State.Changed.Reason += besides
			ch.Event.Reason += besides
		}
		return ch, written, err
	})
	if written && err == nil {
		c.log.Error("failed back", zap.String("split", s.name), zap.String("reason", v.Reason))
	}
	return written, err
}

// failbackOf is the judge's failback of the epoch that the verdict is on; false if that is over.
func failbackOf(prev *splitter.State, v verdict, seed Seed) (Changed, bool, error) {
	if prev.Epoch != v.epoch {
		return Changed{}, false, nil
	}
	return Failback(prev, v.Verdict, By{Actor: selfActor, Via: "judge"}, seed)
}

// untilSwapped tries a change on the newest State again and again while others are faster and ctx lasts. A change that
// answers false ends it. What the store is found to have lost is written first, so that nobody goes on from a State that
// others know to be outdated.
func (c *Controller) untilSwapped(ctx context.Context, s *Split, change func(*splitter.State) (Changed, bool, error)) error {
	for ctx.Err() == nil {
		if err := c.settleHistory(ctx, s); isAway(err) {
			return err
		}
		if done, err := c.trySwap(ctx, s, change); done {
			return err
		}
	}
	return store.Unavailable(ctx.Err())
}

// trySwap tries a change once; it is not done if somebody else was faster, or the State had to be loaded first.
func (c *Controller) trySwap(ctx context.Context, s *Split, change func(*splitter.State) (Changed, bool, error)) (done bool, err error) {
	prev := s.storedState()
	if prev == nil {
		err := c.reload(ctx, s)
		return err != nil, err
	}
	ch, ok, err := change(prev)
	if err != nil || !ok {
		return true, err
	}
	if err = c.swap(ctx, s, prev.Version, ch); !errors.Is(err, store.ErrConflict) {
		return true, err
	}
	err = c.reload(ctx, s)
	return err != nil, err
}
