package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// heldAgain is the pause between two tries of a stable that was found dead.
	heldAgain = 5 * time.Second
	// heldTimeout bounds one.
	heldTimeout = time.Second
)

// heldFailback is a failback that is held, as stable is known to be dead; used by the judge alone.
type heldFailback struct {
	epoch uint64
	why   string    // empty if it is not held
	tried time.Time // when stable was tried last
}

// holdsFailback reports whether a failback is to be held: that of a canary which has more than half, when it is known that
// stable could serve nobody. Not knowing means go: requests that fail already count more than doubt. Stable is tried at most
// every five seconds, for a second, so that other splits are judged on.
func (c *Controller) holdsFailback(ctx context.Context, s *Split, v verdict) bool {
	state, d := s.State(), &s.docket
	if state == nil || state.Epoch != v.epoch || state.Weights()[state.Canary] <= splitter.Full/2 {
		return false
	}
	if d.held.epoch != v.epoch {
		d.held = heldFailback{epoch: v.epoch}
	}
	if d.held.tried.IsZero() || time.Since(d.held.tried) >= heldAgain {
		was := d.held.why
		d.held.why = c.whyDead(ctx, s, state)
		d.held.tried = time.Now()
		if was == "" && d.held.why != "" {
			s.log.Error("a canary that fails is not failed back, as stable is dead", zap.String("stable", d.held.why),
				zap.String("verdict", v.Reason))
		}
	}
	if d.held.why == "" {
		return false
	}
	reason := fmt.Sprintf("%s fails and is not failed back, as %s; %s", state.Canary, d.held.why, v.Reason)
	c.record(ctx, s, recorded(state, KindFailbackHeld, "", reason, c.seed()))
	return true
}

// whyDead says why stable is known to be dead; empty if it is alive, or nobody knows.
func (c *Controller) whyDead(ctx context.Context, s *Split, state *splitter.State) string {
	if slices.Contains(state.Retired, state.Stable) {
		return state.Stable + " is retired"
	}
	agents := s.agents()
	if agents == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, heldTimeout)
	defer cancel()
	if err := agents.Dead(ctx, state.Stable); err != nil {
		return fmt.Sprintf("%s is dead: %s", state.Stable, brief(err))
	}
	return ""
}
