package rollout

import (
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// planRuns reports whether a State's trial goes by a plan. A plan without a step means nothing: a release that knows
// neither has begun another trial, and carried the plan along.
func planRuns(s *splitter.State) bool {
	return len(s.Plan) > 0 && s.Progress.Phase == splitter.PhaseTrial && s.Progress.Step > 0
}

// runningPlan reads the plan that a State's trial goes by; nil if it goes by none.
func runningPlan(s *splitter.State) (*Plan, error) {
	if !planRuns(s) {
		return nil, nil
	}
	p, err := PlanOf(s)
	if err == nil && s.Progress.Step > p.Last() {
		return nil, fmt.Errorf("revision %d of %q is at step %d of a plan of %d", s.Revision, s.Split, s.Progress.Step, p.Last())
	}
	return p, err
}

// mustRun returns the plan that a State's trial goes by, or says what to do as there is none.
func mustRun(s *splitter.State) (*Plan, error) {
	p, err := runningPlan(s)
	if err == nil && p == nil {
		how := "`start` begins one"
		if s.Progress.Phase == splitter.PhaseFailedBack {
			how = "`retry` begins one again, `start` one of another version"
		}
		return nil, refuse("no rollout of %q is under way (its phase is %s); %s", s.Split, s.Progress.Phase, how)
	}
	return p, err
}

// plan returns what a rollout goes by that is started without a plan of its own.
func (d Definition) plan() Plan { return PlanOrDefault(d.Plan) }

// freeze lets the trial that has begun in n go by the plan, from its first step. What the judge may spend is spread over
// the time that the plan takes: settings do not tell whether their duration was written or is the default.
func (p Plan) freeze(n *splitter.State, policy Policy, now time.Time) error {
	doc, err := encodePlan(p)
	if err != nil {
		return err
	}
	n.Plan = doc
	n.Progress.Step, n.Progress.Reached = 1, now
	return freezePolicy(n, policy, &p)
}

// reached returns the greatest step whose share is not above one that people gave the canary, and at least the first.
func (p Plan) reached(share splitter.Weight) int {
	step := 1
	for step < p.Last() && p.Step(step+1).Weight <= share {
		step++
	}
	return step
}

// raiseCanary raises the canary of n, which is being made of prev, to a share. Stable gives it, but for what the policy
// lets it keep; the trickle that runs in the trial goes on. A probe ends. Nobody who has the canary loses it by this.
func raiseCanary(n, prev *splitter.State, running *splitter.Trickle, p Policy, share splitter.Weight, now time.Time) error {
	ranges := repaid(prev)
	want := splitter.WeightsOf(ranges)
	has := want[n.Stable] + want[n.Canary]
	share = max(share, want[n.Canary])
	if share > has {
		return refuse("%s of %q are with others than %q (stable) and %q (canary), which is to have %s; give them back first",
			splitter.Full-has, prev.Split, n.Stable, n.Canary, share)
	}
	want[n.Canary], want[n.Stable] = share, has-share
	return place(n, ranges, running, p, want, now)
}

// place gives the variants of n the weights wanted of the ranges, but for what stable keeps.
func place(n *splitter.State, ranges []splitter.Range, running *splitter.Trickle, p Policy, want map[string]splitter.Weight,
	now time.Time,
) error {
	n.Probe = nil
	keepTrickle(n, running, p, want, now)
	var err error
	if n.Ranges, err = splitter.Reassign(ranges, n.Canary, shares(want, nil)); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// mayGive refuses to give anything to a variant that was said to be gone.
func mayGive(s *splitter.State, before, want map[string]splitter.Weight) error {
	for _, v := range s.Retired {
		if want[v] > before[v] {
			return retired(s, v)
		}
	}
	return nil
}

func retired(s *splitter.State, variant string) error {
	return refuse("%q of %q is retired; `retire --undo` takes that back", variant, s.Split)
}
