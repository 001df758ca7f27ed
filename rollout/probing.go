package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// probeBelow is up to which share of bad requests a canary is compared first: one that fails more is not waited for.
	probeBelow = 0.5
	// probeLeast is how many requests of stable are enough for that.
	probeLeast = 10
	// sameShare is from which part of the way from its past to the canary's rate on stable shows the same.
	sameShare = 0.5
	// probeRest is how long after a probe that failed nothing the next one is held back: meanwhile the canary fails back
	// only if it fails more than is waited for.
	probeRest = 5 * time.Minute
	// probeGrace is how long after its end a probe is ended that nobody has judged.
	probeGrace = 5 * time.Second
)

// probeFirst deals with an alarm about a canary that has no baseline: stable is lent a tenth of the users for some seconds, and
// the canary is failed back unless they fare as badly there. It reports whether that is all that follows from the verdict.
func (c *Controller) probeFirst(ctx context.Context, h *hearing, v verdict) (handled bool, err error) {
	lead := h.judge.Lead()
	switch probe := h.trial.state.RunningProbe(); {
	case probe == nil && (v.Result != health.Fail || isDead(lead)):
		return false, nil
	case probe == nil && !v.NoBaseline && hasProbed(h.trial.state, c.now()) && isShared(lead):
		h.judge.Acquit() // whoever ended the probe could not write that it did
		return true, nil
	case probe == nil && !v.NoBaseline:
		return false, nil
	case probe == nil && hasProbed(h.trial.state, c.now()):
		return true, nil
	case probe == nil:
		return c.beginProbe(ctx, h, v, lead.Age)
	case c.now().Before(probe.Until):
		return true, nil
	case isShared(lead):
		h.judge.Acquit()
		return true, c.endProbe(ctx, h, fmt.Sprintf("%s: %.3g%% on %s and %.3g%% on %s: a shared cause, holding", lead.Stream,
			100*lead.Baseline.Share(), h.trial.state.Stable, 100*lead.Canary.Share(), h.trial.state.Canary))
	case v.Result != health.Fail:
		return true, c.endProbe(ctx, h, "nothing speaks against the canary any more")
	}
	return false, nil
}

// isDead reports whether most of the canary's requests fail. Slow ones serve people still.
func isDead(lead health.Lead) bool { return !lead.IsSlow && lead.Now.Share() > probeBelow }

// isShared reports whether stable fared as badly as the canary in a probe, and not as it always does.
func isShared(lead health.Lead) bool {
	past := lead.Past.Share()
	return lead.Baseline.N >= probeLeast && lead.Baseline.Share() >= past+sameShare*(lead.Canary.Share()-past)
}

// awaitsProbe reports whether an instance that judges alone is to wait for a probe, or for its end.
func (t *trial) awaitsProbe(j *health.Judge, now time.Time) bool {
	probe := t.state.RunningProbe()
	return probe != nil && (now.Before(probe.Until.Add(2*probeGrace)) || isShared(j.Lead()))
}

// hasProbed reports whether a probe has just ended, and nothing was changed since.
func hasProbed(s *splitter.State, now time.Time) bool {
	return s.Changed.Kind == KindProbeEnded && now.Sub(s.Changed.At) < probeRest
}

// settleProbe ends a probe that no judge has ended, as it lost the store or its holder. Every instance tries.
func (c *Controller) settleProbe(ctx context.Context, s *Split) error {
	state := s.storedState()
	probe := state.RunningProbe()
	if probe == nil || state.Schema > splitter.Schema || c.now().Before(probe.Until.Add(probeGrace)) {
		return nil
	}
	return c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		if prev.Epoch != probe.Epoch {
			return Changed{}, false, nil
		}
		return EndProbe(prev, "nobody has judged it in time", By{Actor: selfActor, Via: "judge"}, c.seed())
	})
}

// beginProbe lends stable some users; false if there is nothing to lend.
func (c *Controller) beginProbe(ctx context.Context, h *hearing, v verdict, age time.Duration) (begun bool, err error) {
	err = c.untilSwapped(ctx, h.split, func(prev *splitter.State) (ch Changed, _ bool, err error) {
		if prev.Epoch != v.epoch {
			return Changed{}, false, nil
		}
		ch, begun, err = Probe(prev, v.Verdict, age, By{Actor: selfActor, Via: "judge"}, c.seed())
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
