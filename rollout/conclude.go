package rollout

import (
	"context"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// conclude publishes what the fleet's judge says and does what follows.
func (c *Controller) conclude(ctx context.Context, h *hearing, said *summary) {
	if !h.trial.onTrial {
		c.suspect(ctx, h)
		return
	}
	h.split.keep(said.judgement(), said.Epoch)
	c.follow(ctx, h, h.trial.verdict(said.Verdict))
	c.advance(ctx, h, said.Verdict)
	c.checkShares(ctx, h)
}

// follow does what follows from what the fleet's judge says of the canary.
func (c *Controller) follow(ctx context.Context, h *hearing, v verdict) {
	if v.Result != health.Fail {
		h.split.docket.held = heldFailback{}
	} else if !h.split.pausesOnFail() && c.holdsFailback(ctx, h.split, v) {
		h.split.warnOf(v)
		return
	}
	if handled, err := c.probeFirst(ctx, h, v); handled || err != nil {
		if ctx.Err() == nil {
			h.split.docket.failing.note(h.split.log, "cannot compare the canary with stable for a while", err)
		}
		h.split.warnOf(v)
		return
	}
	c.act(ctx, h.split, v)
}

// suspect marks a failback of which stable shows the cause now.
func (c *Controller) suspect(ctx context.Context, h *hearing) {
	if h.trial.state.Progress.Phase != splitter.PhaseFailedBack || h.trial.state.Progress.Suspected != "" {
		return
	}
	why, ok := h.judge.Suspicion()
	if !ok {
		return
	}
	err := c.untilSwapped(ctx, h.split, func(prev *splitter.State) (Changed, bool, error) {
		if prev.Epoch != h.trial.state.Epoch {
			return Changed{}, false, nil
		}
		return Suspect(prev, why, By{Actor: selfActor, Via: "judge"}, c.seed())
	})
	switch {
	case err == nil:
		h.split.log.Error("the failback seems to have had a shared cause", zap.String("reason", why))
	case ctx.Err() == nil:
		h.split.docket.failing.note(h.split.log, "a suspicion cannot be written", err)
	}
}
