package rollout

import (
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
	if v.Result != health.Fail || prev.Progress.Phase != splitter.PhaseTrial || prev.Weights()[prev.Canary] == 0 ||
		slices.Contains(prev.Retired, prev.Stable) {
		return Changed{}, false, nil
	}
	by.Reason = v.Reason
	n := next(prev, KindFailback, by, seed)
	if err := giveBack(n, prev); err != nil {
		return Changed{}, false, err
	}
	p, err := policyOf(prev)
	if err != nil {
		return Changed{}, false, err
	}
	n.Progress = splitter.Progress{Phase: splitter.PhaseFailedBack, Since: seed.Now, Why: v.Reason,
		Step: prev.Progress.Step, Reached: prev.Progress.Reached} // the plan stays too, to tell at which step it ended
	noteLeft(n, prev.Canary)
	n.Cooldown = splitter.Cooldown{
		Until:     seed.Now.Add(cooldown(time.Duration(p.Cooldown), prev.Cooldown.Failbacks)),
		Failbacks: prev.Cooldown.Failbacks + 1,
	}
	c, err := tellWhy(prev, n, Grounds{Verdict: v})
	return c, err == nil, err
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
