package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/store"
)

// takeUpTime is how long a round may take up judges' states; the next one goes on with the others.
const takeUpTime = time.Second

// prepareAll prepares splits to be folded, and returns those that are. Of one that cannot be, this instance's judge alone
// hears.
func (c *Controller) prepareAll(ctx context.Context, held []*hearing) (ready []*hearing) {
	limited, cancel := context.WithTimeout(ctx, takeUpTime)
	defer cancel()
	for _, h := range held {
		err := c.prepare(limited, h)
		switch {
		case err == nil:
			ready = append(ready, h)
		case limited.Err() == nil:
			c.unfolded(ctx, h, fmt.Errorf("the judge's state cannot be taken up: %w", err))
		}
	}
	return ready
}

// prepare sees to it that the fleet's judge is the one of the store, and that it judges what is on trial.
func (c *Controller) prepare(ctx context.Context, h *hearing) error {
	d := &h.split.docket
	if d.fleet == nil || d.base.Version != h.seat.Version {
		if err := c.takeUp(ctx, h); err != nil {
			return err
		}
	}
	if d.base.Epoch > h.trial.state.Epoch {
		return fmt.Errorf("it is of epoch %d, and this instance still decides by epoch %d", d.base.Epoch, h.trial.state.Epoch)
	}
	if d.base.Epoch < h.trial.state.Epoch && isBehind(d.fleet, h.second) {
		h.split.log.Warn("the judge begins anew, as the store's clock has gone back for long")
		d.fleet = health.NewJudge()
	}
	h.trial.instruct(d.fleet)
	if h.trial.plan != nil {
		d.advance.tally.begin(h.trial.state)
	}
	if d.next == 0 {
		d.next = h.frames[0].Second
		if d.base.Epoch == h.trial.state.Epoch {
			d.next = d.fleet.Resume()
		}
	}
	d.next = max(d.next, h.second-maxCatchUp)
	return nil
}

// takeUp loads the fleet's judge as its last holder left it. One of another release is begun anew: its history is lost, and
// what speaks against the canary.
func (c *Controller) takeUp(ctx context.Context, h *hearing) error {
	ctx, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	d := &h.split.docket
	base, err := c.openStore().LoadJudge(ctx, h.split.name)
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	if err == nil && base.Version == 0 && d.fleet != nil {
		d.base = base // the store has lost what this instance still knows, and is given it again
		d.changed = true
		return nil
	}
	fleet, plan := health.NewJudge(), storedPlan(base.Summary)
	if err == nil && base.Version > 0 {
		err = fleet.UnmarshalBinary(base.Doc)
	}
	if err != nil {
		plan = nil // what it had counted begins anew as well
		h.split.log.Warn("the judge begins anew, without what was known of stable and of the trial", zap.Error(err))
		fleet = health.NewJudge()
	}
	d.fleet, d.base, d.next = fleet, base, 0
	d.advance.takeUp(plan)
	return nil
}
