package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/switchback-proxy/switchback/splitter"
)

// compose lays what only this instance knows over the store's State: a failback and kills that are not written yet,
// and what on_stale says. It returns nil while nothing is known. Caller must hold s.mu.
func (s *Split) compose() (*splitter.State, error) {
	state := s.stored
	if state == nil {
		return nil, nil
	}
	state = s.withOverlay(state)
	if s.stale {
		var err error
		if state, err = withoutSmallCanary(state); err != nil {
			return nil, err
		}
	}
	s.queue = slices.DeleteFunc(s.queue, func(k splitter.Kill) bool {
		return hasKill(state, k.ID) || isRevived(state, k.ID)
	})
	if len(s.queue) == 0 {
		return state, nil
	}
	layered := state.Clone()
	layered.Kills = append(layered.Kills, s.queue...)
	return layered, nil
}

// withOverlay applies the local failback while its trial is still the present one. Caller must hold s.mu.
func (s *Split) withOverlay(state *splitter.State) *splitter.State {
	o := s.overlay
	if o == nil {
		return state
	}
	if o.state.Epoch != state.Epoch || state.Progress.Phase != splitter.PhaseTrial {
		s.overlay = nil
		return state
	}
	layered := o.state.Clone()
	layered.Kills, layered.Revived = state.Kills, state.Revived
	return layered
}

// withoutSmallCanary gives a canary's share of at most a half to stable.
func withoutSmallCanary(state *splitter.State) (*splitter.State, error) {
	w := state.Weights()
	share := w[state.Canary]
	if state.Canary == "" || share == 0 || share > splitter.Full/2 {
		return state, nil
	}
	w[state.Canary] = 0
	w[state.Stable] += share
	layered := state.Clone()
	var err error
	if layered.Ranges, err = splitter.Reassign(state.Ranges, state.Canary, shares(w, nil)); err != nil {
		return nil, fmt.Errorf("give the canary's share of %q to stable: %w", state.Split, err)
	}
	return layered, nil
}

// ErrKilled is the cause with which a cut request's context ends. It is a context.Canceled, so that a reverse proxy
// neither retries nor blames its upstream.
var ErrKilled error = killedError{}

type killedError struct{}

func (killedError) Error() string { return "ended by the kill switch" }

func (killedError) Is(target error) bool { return target == context.Canceled }
