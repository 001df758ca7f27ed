package rollout

import (
	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
)

// localFailback is a failback made while the store was away: it holds for its epoch and is proposed on reconnection.
type localFailback struct {
	verdict verdict
	seed    Seed // of when it was made
}

// document returns it as a snapshot keeps it; nil for none.
func (f *localFailback) document() *LocalFailback {
	if f == nil {
		return nil
	}
	return &LocalFailback{Epoch: f.verdict.epoch, At: f.seed.Now, Verdict: f.verdict.Verdict}
}

// compose lays what only this instance knows over the store's State: a failback and kills that are not written yet,
// and what on_stale says. What the State has overtaken is dropped. It returns nil while no State is known, or only a
// tombstone. Caller must hold s.mu.
func (s *Split) compose() *splitter.State {
	state := s.stored
	if state == nil {
		return nil
	}
	state = s.withLost(state)
	if !state.Forgotten.IsZero() {
		return nil
	}
	state = s.withOverlay(state)
	if s.stale {
		state = s.withoutSmallCanary(state)
	}
	s.queue = unwritten(s.queue, state)
	if len(s.queue) == 0 {
		return state
	}
	layered := state.Clone()
	layered.Kills = append(layered.Kills, s.queue...)
	return layered
}

// withOverlay applies the local failback, or drops it if its trial is no longer the present one. The State keeps its
// version: it is still what the store has and what a control call refers to. Caller must hold s.mu.
func (s *Split) withOverlay(state *splitter.State) *splitter.State {
	o := s.overlay
	if o == nil {
		return state
	}
	ch, ok, err := failbackOf(state, o.verdict, o.seed)
	if err != nil {
		s.log.Error("the failback that holds here cannot be applied", zap.Error(err))
	}
	if err != nil || !ok {
		s.overlay = nil
		return state
	}
	layered := state.Clone()
	layered.Ranges, layered.Moved = ch.State.Ranges, ch.State.Moved
	layered.Progress, layered.Cooldown = ch.State.Progress, ch.State.Cooldown
	layered.Trickle, layered.Probe = ch.State.Trickle, ch.State.Probe
	return layered
}

// unwritten returns the kills that a State neither has nor lists as lifted.
func unwritten(kills []splitter.Kill, state *splitter.State) []splitter.Kill {
	var rest []splitter.Kill
	for _, k := range kills {
		if !hasKill(state.Kills, k.ID) && !isRevived(state, k.ID) {
			rest = append(rest, k)
		}
	}
	return rest
}

// withoutSmallCanary gives a canary's share of at most a half to stable. No move is noted: no conversation stays behind.
func (s *Split) withoutSmallCanary(state *splitter.State) *splitter.State {
	w := state.Weights()
	share := w[state.Canary]
	if state.Canary == "" || share == 0 || share > splitter.Full/2 {
		return state
	}
	w[state.Canary] = 0
	w[state.Stable] += share
	ranges, err := splitter.Reassign(state.Ranges, state.Canary, shares(w, nil))
	if err != nil {
		s.log.Error("on_stale cannot be applied", zap.Error(err))
		return state
	}
	layered := state.Clone()
	layered.Ranges = ranges
	return layered
}
