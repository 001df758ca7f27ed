package rollout

import (
	"fmt"
	"slices"

	"github.com/switchback-proxy/switchback/splitter"
)

// Approve opens the gate before the next step, which is the one that the person saw: ErrStep is returned for another. It
// returns false, and no change, if it is open already.
func Approve(prev *splitter.State, r StepRequest, by By, seed Seed) (Changed, bool, error) {
	p, err := mustRun(prev)
	if err != nil {
		return Changed{}, false, err
	}
	step := prev.Progress.Step
	if r.Step != step+1 {
		return Changed{}, false, fmt.Errorf("%w: step %d was to be opened, and %s is the next", ErrStep, r.Step, p.stepText(step+1))
	}
	if !slices.ContainsFunc(p.GatesBefore(r.Step), func(g Gate) bool { return g.Approval }) {
		return Changed{}, false, refuse("nobody needs to approve %s", p.stepText(r.Step))
	}
	if prev.Progress.Approved >= r.Step {
		return Changed{}, false, nil
	}
	n := next(prev, KindApproved, by, seed)
	n.Progress.Approved = r.Step
	c, err := tell(prev, n)
	return c, err == nil, err
}

// stepText names a step for people.
func (p Plan) stepText(n int) string {
	if n > p.Last() {
		return "the promotion"
	}
	return fmt.Sprintf("step %d of %d (%s)", n, p.Last(), p.weightText(n))
}
