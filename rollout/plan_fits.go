package rollout

import (
	"errors"
	"fmt"
)

// ErrPlan means that a plan can never come to its end in a split as configured, or that a canary could not fail on its way.
var ErrPlan = errors.New("a rollout here could never end well, or never fail")

// Fits returns an ErrPlan with the reason if a rollout of d could never pass or never fail, whatever its canary does. Which
// plan it goes by does not matter: each ends with 100 %, and needs a pass there.
func (d Definition) Fits() error {
	switch p := d.Policy; {
	case d.Canary == "":
		return fmt.Errorf("%w: split %q names no canary", ErrPlan, d.Name)
	case p.Judge == nil && p.Failback == nil:
		return fmt.Errorf("%w: failback is off, so that nothing is judged: the canary can neither fail nor pass", ErrPlan)
	case p.Judge == nil && p.Failback.Empty():
		return fmt.Errorf("%w: the judge is off and no limit is set, so that nothing is judged", ErrPlan)
	case p.Judge == nil:
		return fmt.Errorf("%w: the judge is off, so that no traffic stays on %q at 100%%, and without it no canary passes",
			ErrPlan, d.Stable)
	case p.Judge.Trickle.Off || weightOf(p.Judge.Trickle.Then) == 0:
		return fmt.Errorf("%w: the judge's trickle keeps no traffic on %q at 100%%, and without it no canary passes",
			ErrPlan, d.Stable)
	}
	return nil
}
