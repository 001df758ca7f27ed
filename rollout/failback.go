package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// maxCooldown bounds the doubling of cooldowns.
const maxCooldown = 24 * time.Hour

// Failback gives the canary's share back to stable, in one change, on a failing verdict. It returns false, and no
// change, if there is nothing to give back: somebody else was first, or the trial is over; nor if stable was said to be gone.
func Failback(prev *splitter.State, v health.Verdict, by By, seed Seed) (Changed, bool, error) {
	w := prev.Weights()
	if v.Result != health.Fail || prev.Progress.Phase != splitter.PhaseTrial || w[prev.Canary] == 0 ||
		slices.Contains(prev.Retired, prev.Stable) {
		return Changed{}, false, nil
	}
	by.Reason = v.Reason
	n := next(prev, KindFailback, by, seed)
	w[prev.Stable] += w[prev.Canary]
	w[prev.Canary] = 0
	var err error
	if n.Ranges, err = splitter.Reassign(prev.Ranges, prev.Canary, shares(w, nil)); err != nil {
		return Changed{}, false, fmt.Errorf("fail back %q: %w", prev.Split, err)
	}
	p, err := policyOf(prev)
	if err != nil {
		return Changed{}, false, err
	}
	n.Trickle, n.Probe = nil, nil
	n.Progress = splitter.Progress{Phase: splitter.PhaseFailedBack, Since: seed.Now, Why: v.Reason,
		Step: prev.Progress.Step, Reached: prev.Progress.Reached} // the plan stays too, to tell at which step it ended
	n.Cooldown = splitter.Cooldown{
		Until:     seed.Now.Add(cooldown(time.Duration(p.Cooldown), prev.Cooldown.Failbacks)),
		Failbacks: prev.Cooldown.Failbacks + 1,
	}
	c, err := tell(prev, n)
	if err != nil {
		return Changed{}, false, err
	}
	if c.Event.Evidence, err = json.Marshal(v); err != nil {
		return Changed{}, false, fmt.Errorf("encode the verdict: %w", err)
	}
	return c, true, nil
}

// cooldown doubles with every earlier failback, up to a day.
func cooldown(first time.Duration, earlier int) time.Duration {
	d := first
	for range earlier {
		if d >= maxCooldown {
			break
		}
		d *= 2
	}
	return min(d, maxCooldown)
}
