package rollout

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// keepLost keeps of the State before what the one now in the store knows nothing of, because the store has lost it: it
// came back empty or from an older dump, or a failover dropped writes that it had acknowledged. Kills wait to be written
// again. The State waits to be reconciled if it is sure that it was lost, and not only outdated: if the store is back at
// one that ours came from, or at none later than ours, or has had another change at the same revision.
//
// What was only found on this machine's disk counts against a State of the same history, or of one that began later, as
// then the store was empty in between. Caller must hold s.mu.
func (s *Split) keepLost(before, now *splitter.State) {
	s.lost = slices.DeleteFunc(slices.Clone(s.lost), func(l lostState) bool { return now.Descends(l.state.Version) })
	if now.Descends(before.Version) || !s.confirmed && !splitter.Related(before, now) && !now.Began.After(before.Changed.At) {
		return
	}
	if kills := unwritten(before.Kills, now); len(kills) > 0 {
		s.log.Error("the store has lost kills; they hold here and are written again", zap.Int("kills", len(kills)),
			zap.Uint64("revision", now.Revision))
		s.queue = slices.Concat(s.queue, slices.DeleteFunc(kills, func(k splitter.Kill) bool { return hasKill(s.queue, k.ID) }))
	}
	if now.Revision <= before.Revision || now.Overtook(before.Version) || before.Overtook(now.Version) {
		s.log.Error("the store has lost a state; the two histories are brought together", zap.Uint64("lost", before.Revision),
			zap.String("lost_id", before.ID), zap.Uint64("revision", now.Revision), zap.String("id", now.ID))
		s.lost = append(s.lost, lostState{before, !s.confirmed})
	}
}

// withLost lays what the store has lost over its State, until that is written. It is shown as the latest of them, so that
// no revision goes back. Caller must hold s.mu.
func (s *Split) withLost(state *splitter.State) *splitter.State {
	merged, shown := state, state
	for _, lost := range s.lost {
		ch, ok, err := reconcile(lost, merged, By{Actor: selfActor}, Seed{Now: state.Changed.At, ID: state.ID})
		if err != nil {
			s.log.Error("a state that the store has lost cannot be brought together with its own", zap.Error(err))
		}
		if err != nil || !ok {
			continue
		}
		merged = ch.State
		if isNewer(lost.state, shown) {
			shown = lost.state
		}
	}
	if merged == state {
		return state
	}
	merged.Version, merged.Parent, merged.Changed = shown.Version, shown.Parent, shown.Changed
	merged.Lineage, merged.Placed = shown.Lineage, shown.Placed
	return merged
}

// settleHistory writes what the store has lost.
func (c *Controller) settleHistory(ctx context.Context, s *Split) error {
	for ctx.Err() == nil {
		s.mu.Lock()
		waiting := s.lost
		s.mu.Unlock()
		if len(waiting) == 0 {
			return nil
		}
		done, err := c.trySwap(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
			return reconcile(waiting[0], prev, By{Actor: selfActor, Via: "store"}, c.seed())
		})
		if err != nil {
			return err
		}
		if done {
			s.drop(waiting[0])
		}
	}
	return store.Unavailable(ctx.Err())
}

// drop forgets a State that the store's now comes from.
func (s *Split) drop(lost lostState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = slices.DeleteFunc(slices.Clone(s.lost), func(l lostState) bool { return l == lost })
	s.refresh()
}

// oldState is the age from which a State is announced when it is found: whoever adds a split to a file may not know that
// the fleet had one of that name before, whose weights count.
const oldState = 7 * 24 * time.Hour

// sayWeights says that the file's weights are not those that count. Caller must hold s.mu.
func (s *Split) sayWeights() {
	def, inForce := s.inForce()
	if !inForce || s.stored == nil || !s.stored.Forgotten.IsZero() {
		return
	}
	now := s.stored.Weights()
	for variant, weight := range def.weights() {
		if now[variant] != weight {
			s.log.Info("the store's weights count, and not the file's, which were for the first start",
				zap.Any("weights", now), zap.Any("file", def.weights()))
			return
		}
	}
}

// sayAge announces a State that nobody has changed for long.
func (s *Split) sayAge(now time.Time) {
	s.mu.Lock()
	state := s.stored
	s.sayWeights()
	s.mu.Unlock()
	if age := now.Sub(state.Changed.At); age > oldState {
		s.log.Warn("the store has had the state of this split for long: its weights count, and not the file's",
			zap.Int("days", int(age/(24*time.Hour))), zap.Uint64("revision", state.Revision),
			zap.Time("changed", state.Changed.At), zap.String("kind", state.Changed.Kind), zap.Any("weights", state.Weights()))
	}
}
