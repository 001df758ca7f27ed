package rollout

import (
	"context"
	"fmt"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// probeBelow is up to which share of bad requests a canary is compared first: one that fails more is not waited for.
	probeBelow = 0.5
	// probeLeast is how many requests of stable are enough for that.
	probeLeast = 10
	// sameShare is from which part of the canary's rate on stable shows the same.
	sameShare = 0.5
)

// probeFirst deals with an alarm about a canary that has no baseline: stable is lent a tenth of the users for some seconds, and
// the canary is failed back unless they fare as badly there. It reports whether that is all that follows from the verdict.
func (c *Controller) probeFirst(ctx context.Context, h *hearing, v verdict) (handled bool, err error) {
	worst, found := leading(v)
	switch probe := h.trial.state.RunningProbe(); {
	case probe == nil && !mayProbe(v, worst, found):
		return false, nil
	case probe == nil:
		return c.beginProbe(ctx, h, v)
	case c.now().Before(probe.Until):
		return true, nil
	case found && worst.BaselineLately.N >= probeLeast && worst.BaselineLately.Share() >= sameShare*worst.CanaryLately.Share():
		h.judge.Acquit()
		return true, c.endProbe(ctx, h, fmt.Sprintf("%s: %.3g%% on %s and %.3g%% on %s: a shared cause, holding", worst.Stream,
			100*worst.BaselineLately.Share(), h.trial.state.Stable, 100*worst.CanaryLately.Share(), h.trial.state.Canary))
	case v.Result != health.Fail:
		return true, c.endProbe(ctx, h, "nothing speaks against the canary any more")
	}
	return false, nil
}

// leading returns the numbers of what speaks most against the canary.
func leading(v verdict) (health.StreamVerdict, bool) {
	if len(v.Streams) == 0 {
		return health.StreamVerdict{}, false
	}
	return v.Streams[0], true
}

// mayProbe reports whether a failing canary is to be compared first.
func mayProbe(v verdict, worst health.StreamVerdict, found bool) bool {
	return v.Result == health.Fail && v.NoBaseline && found && worst.CanaryLately.Share() <= probeBelow
}

// beginProbe lends stable some users; false if there is nothing to lend.
func (c *Controller) beginProbe(ctx context.Context, h *hearing, v verdict) (begun bool, err error) {
	err = c.untilSwapped(ctx, h.split, func(prev *splitter.State) (ch Changed, _ bool, err error) {
		if prev.Epoch != v.epoch {
			return Changed{}, false, nil
		}
		ch, begun, err = Probe(prev, v.Verdict, By{Actor: selfActor, Via: "judge"}, c.seed())
		return ch, begun, err
	})
	return begun, err
}

func (c *Controller) endProbe(ctx context.Context, h *hearing, why string) error {
	return c.untilSwapped(ctx, h.split, func(prev *splitter.State) (Changed, bool, error) {
		if prev.Epoch != h.trial.state.Epoch {
			return Changed{}, false, nil
		}
		return EndProbe(prev, why, By{Actor: selfActor, Via: "judge"}, c.seed())
	})
}
