package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/switchback-proxy/switchback/splitter"
)

// Start begins a rollout of the canary by a plan: that of the request, else the file's, else [DefaultPlan]. It begins a
// new epoch at the plan's first step. ErrRefused is returned while a trial runs, and for a canary that cannot be given
// anything or has failed; ErrCooldown while a failback's cooldown lasts, unless forced.
func Start(prev *splitter.State, def Definition, r StartRequest, by By, seed Seed) (Changed, error) {
	if prev.Progress.Phase == splitter.PhaseFailedBack && !isNewVersion(prev, def) {
		return Changed{}, refuse("%q was failed back and declares no other version since: %s; `retry` tries it again, "+
			"and wants a reason", prev.Canary, orNone(prev.Progress.Why))
	}
	p := def.plan()
	if r.Plan != nil {
		p = *r.Plan
	}
	return beginning{KindStarted, p, r.Force}.make(prev, def, by, seed)
}

// Retry begins a rollout by the file's plan again after a failback or an abort, for a reason that By must have. It begins
// at the first step, in a new epoch. What is refused is as with [Start].
func Retry(prev *splitter.State, def Definition, r RetryRequest, by By, seed Seed) (Changed, error) {
	if strings.TrimSpace(by.Reason) == "" {
		return Changed{}, fmt.Errorf("%w: a retry needs a reason: what is different now?", ErrInvalid)
	}
	if !wasGivenUp(prev) && prev.Progress.Phase != splitter.PhaseTrial {
		return Changed{}, refuse("%q was neither failed back nor aborted; `start` begins a rollout", prev.Canary)
	}
	return beginning{KindRetried, def.plan(), r.Force}.make(prev, def, by, seed)
}

// beginning is a rollout that is to begin.
type beginning struct {
	kind  string
	plan  Plan
	force bool
}

// make begins it.
func (b beginning) make(prev *splitter.State, def Definition, by By, seed Seed) (Changed, error) {
	if err := b.plan.Validate(); err != nil {
		return Changed{}, fmt.Errorf("%w: a plan that cannot be gone by: %w", ErrInvalid, err)
	}
	if err := mayBegin(prev, def); err != nil {
		return Changed{}, err
	}
	n := next(prev, b.kind, by, seed)
	freshen(n, prev, seed)
	if err := raiseCanary(n, prev, nil, def.Policy, b.plan.Step(1).Weight, seed.Now); err != nil {
		return Changed{}, err
	}
	if err := mayIncrease(prev, prev.Weights(), n.Weights(), b.force, seed); err != nil {
		return Changed{}, fmt.Errorf("%w; use force to do it all the same", err)
	}
	if err := newEpoch(n, def, seed.Now); err != nil {
		return Changed{}, err
	}
	if err := b.plan.freeze(n, def.Policy, seed.Now); err != nil {
		return Changed{}, err
	}
	return tell(prev, n)
}

// mayBegin says why no rollout of the canary can begin.
func mayBegin(s *splitter.State, def Definition) error {
	w := s.Weights()
	phase := s.Progress.Phase
	switch {
	case s.Canary == "":
		return refuse("%q has no canary to be rolled out", s.Split)
	case !def.has(s.Canary) && def.Canary != "":
		return fmt.Errorf("%w: the canary by the state; `split adopt %s` lets the state follow the file, whose canary is %q",
			unknownVariant(def, s.Split, s.Canary), s.Split, def.Canary)
	case !def.has(s.Canary):
		return unknownVariant(def, s.Split, s.Canary)
	case !def.has(s.Stable):
		return unknownVariant(def, s.Split, s.Stable)
	case phase == splitter.PhaseTrial || phase == splitter.PhaseUnknown || w[s.Canary] > 0:
		return refuse("a trial of %q is under way, which has %s (phase %s); `abort` ends it", s.Canary, w[s.Canary], phase)
	case s.Drill != nil:
		return refuse("a drill of %q is under way, until %s at the latest", s.Split, clockTime(s.Drill.Until))
	case s.KillOf(s.Canary) != nil:
		return refuse("%q is killed; revive it first", s.Canary)
	case slices.Contains(s.Retired, s.Canary):
		return retired(s, s.Canary)
	case w[s.Stable] < splitter.Full:
		return refuse("%q (stable) of %q has %s: a plan ends with all on the canary, so the other variants must have nothing",
			s.Stable, s.Split, w[s.Stable])
	case def.Policy.Failback == nil:
		return refuse("nothing judges %q (failback is off), so no step of a plan could ever be taken", s.Split)
	}
	return nil
}
