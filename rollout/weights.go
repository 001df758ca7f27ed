package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// SetWeights moves shares. Raising the canary from nothing begins a new epoch, with a fresh salt if stable had
// everyone, so that the same people are not always the first to try. A canary that is compared with stable leaves it a
// trickle. A probe ends: weights that are not named are those from before it. ErrCooldown is returned for an increase of
// the canary while a failback's cooldown lasts, unless forced. While a plan runs that is not paused, the canary's share is
// the plan's: all that can be done to it is to take it all, which aborts the rollout.
func SetWeights(prev *splitter.State, def Definition, c WeightChange, by By, seed Seed) (Changed, error) {
	ranges := repaid(prev)
	before := splitter.WeightsOf(ranges)
	want, err := wanted(prev, before, def, c)
	if err != nil {
		return Changed{}, err
	}
	asked := want[prev.Canary]
	n := next(prev, KindWeights, by, seed)
	n.Probe = nil
	starts := begins(prev, prev.Canary, want)
	if starts {
		freshen(n, prev, seed)
		keepTrickle(n, nil, def.Policy, want, seed.Now)
	} else {
		keepTrickle(n, prev.RunningTrickle(), frozenPolicy(prev), want, seed.Now)
	}
	if err := mayPlace(prev, before, want, asked, c.Force, seed); err != nil {
		return Changed{}, err
	}
	if n.Ranges, err = splitter.Reassign(ranges, prev.Canary, shares(want, def.names())); err != nil {
		return Changed{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if starts {
		err = newEpoch(n, def, seed.Now)
	} else {
		err = notePlan(n, prev, asked)
	}
	if err != nil {
		return Changed{}, err
	}
	return tell(prev, n)
}

// mayPlace says why weights that were worked out cannot be set; asked is what was asked for the canary, of which stable may
// keep some.
func mayPlace(prev *splitter.State, before, want map[string]splitter.Weight, asked splitter.Weight, force bool, seed Seed) error {
	if err := planAllows(prev, before, want, asked); err != nil {
		return err
	}
	if err := mayGive(prev, before, want); err != nil {
		return err
	}
	if err := mayIncrease(prev, before, want, force, seed); err != nil {
		return fmt.Errorf("%w; use force to do it all the same", err)
	}
	return nil
}

// planAllows refuses to move what a running plan moves. While it is paused, people may.
func planAllows(prev *splitter.State, before, want map[string]splitter.Weight, asked splitter.Weight) error {
	if !planRuns(prev) || asked == 0 {
		return nil
	}
	has := before[prev.Canary]
	if isMoved := asked != has || want[prev.Canary] != has; isMoved && prev.Progress.Paused == nil {
		return refuse("a rollout moves the share of %q (step %d, %s); `pause` it to set the weights by hand, or `abort` it",
			prev.Canary, prev.Progress.Step, has)
	}
	for v, w := range want {
		if v != prev.Stable && v != prev.Canary && w > before[v] {
			return refuse("a rollout is under way, which ends with all on %q, so %q cannot be given any; `abort` it first",
				prev.Canary, v)
		}
	}
	return nil
}

// notePlan notes in n what new weights mean to the trial that goes on in it: its end if the canary has nothing any more,
// otherwise which step of its plan it has reached.
func notePlan(n, prev *splitter.State, asked splitter.Weight) error {
	if prev.Progress.Phase != splitter.PhaseTrial {
		return nil
	}
	if asked == 0 {
		n.Progress = aborted(prev, n.Changed)
		if planRuns(prev) {
			n.Changed.Kind = KindAborted
		}
		noteLeft(n, prev.Canary)
		return nil
	}
	p, err := runningPlan(prev)
	if err != nil || p == nil || asked == splitter.WeightsOf(repaid(prev))[prev.Canary] {
		return err
	}
	if step := p.reached(asked); step != prev.Progress.Step {
		n.Progress.Step, n.Progress.Reached = step, n.Changed.At
	}
	return nil
}

// begins reports whether new weights begin a trial of the canary, which had nothing.
func begins(prev *splitter.State, canary string, want map[string]splitter.Weight) bool {
	return canary != "" && prev.Weights()[canary] == 0 && want[canary] > 0
}

// freshen gives a trial that begins a fresh salt, if n's stable had everyone and so nobody is moved by it: otherwise the
// same people would be the first to try every canary.
func freshen(n, prev *splitter.State, seed Seed) {
	if prev.Weights()[n.Stable] == splitter.Full {
		n.Salt = seed.Salt
	}
}

// wanted works out every variant's weight from the ones that were named; the others' are those from before.
func wanted(prev *splitter.State, before map[string]splitter.Weight, def Definition, c WeightChange,
) (map[string]splitter.Weight, error) {
	named := c.Weights
	if c.FromFile {
		if len(named) > 0 {
			return nil, fmt.Errorf("%w: weights are named and to be taken from the file: choose one", ErrInvalid)
		}
		if !def.has(prev.Stable) {
			return nil, refuse("the file has %q and not %q (stable by the state), which would be left without a share; "+
				"adopt the file instead", def.names(), prev.Stable)
		}
		named = def.weights()
	}
	if len(named) == 0 {
		return nil, fmt.Errorf("%w: no weight is named", ErrInvalid)
	}
	want := maps.Clone(before)
	if c.FromFile {
		want = map[string]splitter.Weight{}
	}
	for _, v := range slices.Sorted(maps.Keys(named)) {
		if err := knows(prev, def, v); err != nil {
			return nil, err
		}
		if named[v] > splitter.Full {
			return nil, fmt.Errorf("%w: weight %s of %q: must be at most 100%%", ErrInvalid, named[v], v)
		}
		want[v] = named[v]
	}
	return balance(prev.Stable, named, want)
}

// balance lets stable have what the others leave, unless it was named itself.
func balance(stable string, named, want map[string]splitter.Weight) (map[string]splitter.Weight, error) {
	var others uint64
	for v, w := range want {
		if v != stable {
			others += uint64(w)
		}
	}
	full := uint64(splitter.Full)
	if w, ok := named[stable]; ok && others+uint64(w) != full {
		return nil, fmt.Errorf("%w: weights add up to %s, they must add up to 100%%",
			ErrInvalid, splitter.Weight(others+uint64(w)))
	}
	if others > full {
		return nil, fmt.Errorf("%w: weights add up to %s without %q (stable), at most 100%% can be given",
			ErrInvalid, splitter.Weight(others), stable)
	}
	want[stable] = splitter.Weight(full - others)
	return want, nil
}

// mayIncrease refuses to give the canary more while a cooldown lasts.
func mayIncrease(prev *splitter.State, before, want map[string]splitter.Weight, force bool, seed Seed) error {
	until := prev.Cooldown.Until
	if prev.Canary == "" || want[prev.Canary] <= before[prev.Canary] || force || !seed.Now.Before(until) {
		return nil
	}
	return fmt.Errorf("%w: after a failback %q may not be increased before %s (in %s)",
		ErrCooldown, prev.Canary, clockTime(until), until.Sub(seed.Now).Round(time.Second))
}

// knows returns ErrUnknownVariant unless the State or the file has the variant.
func knows(s *splitter.State, def Definition, variant string) error {
	if variant == s.Stable || variant == s.Canary || s.Weights()[variant] > 0 || def.has(variant) {
		return nil
	}
	return unknownVariant(def, s.Split, variant)
}

func unknownVariant(def Definition, split, variant string) error {
	return fmt.Errorf("%w: %q is not a variant of %q; it has %q", ErrUnknownVariant, variant, split, def.names())
}
