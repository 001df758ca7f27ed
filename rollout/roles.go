package rollout

import (
	"cmp"
	"fmt"
	"maps"

	"github.com/switchback-proxy/switchback/splitter"
)

// Rename gives a variant of the State another name; its users and its role stay.
func Rename(prev *splitter.State, from, to string, by By, seed Seed) (Changed, error) {
	w := prev.Weights()
	_, used := w[from]
	if !used && from != prev.Stable && from != prev.Canary {
		return Changed{}, fmt.Errorf("%w: %q is not a variant in the state of %q", ErrUnknownVariant, from, prev.Split)
	}
	if !splitter.ValidName(to) {
		return Changed{}, fmt.Errorf("%w: %q is not a name: lower-case letters, digits, - and _, at most 63", ErrInvalid, to)
	}
	if _, taken := w[to]; taken || to == prev.Stable || to == prev.Canary {
		return Changed{}, fmt.Errorf("%w: %q is a variant of %q already", ErrRefused, to, prev.Split)
	}
	n := next(prev, KindRename, by, seed)
	n.Ranges = splitter.RenameVariant(n.Ranges, from, to)
	renamed := func(s string) string {
		if s == from {
			return to
		}
		return s
	}
	n.Stable, n.Canary = renamed(n.Stable), renamed(n.Canary)
	if v, ok := n.Declared[from]; ok {
		delete(n.Declared, from)
		n.Declared[to] = v
	}
	for i := range n.Kills {
		n.Kills[i].Variant = renamed(n.Kills[i].Variant)
	}
	n.Moved = splitter.RenameMoves(n.Moved, from, to)
	return tellOnly(prev, n)
}

// Adopt lets the State take over the roles, variants and weights of a file: a change of roles, so a new epoch. The
// zero request means def, this instance's own file. A canary that is compared with stable leaves it a trickle. Kills stay, and so does a running cooldown, unless a canary on
// trial becomes stable: a promotion forgets the failbacks before it.
func Adopt(prev *splitter.State, def Definition, r AdoptRequest, by By, seed Seed) (Changed, error) {
	if r.Stable == "" && (r.Canary != "" || len(r.Weights) > 0) {
		return Changed{}, fmt.Errorf("%w: roles to adopt name no stable variant", ErrInvalid)
	}
	if r.Stable == "" {
		r = AdoptRequest{Stable: def.Stable, Canary: def.Canary, Weights: def.weights()}
	}
	n, ranges := next(prev, KindAdopt, by, seed), repaid(prev)
	n.Stable, n.Canary = r.Stable, r.Canary
	want := maps.Clone(r.Weights)
	if want == nil {
		want = map[string]splitter.Weight{r.Stable: splitter.Full}
	}
	keepTrickle(n, nil, def.Policy, want, seed.Now)
	var err error
	if n.Ranges, err = splitter.Reassign(ranges, n.Canary, shares(want, def.names())); err != nil {
		return Changed{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := mayAdopt(prev, n, seed); err != nil {
		return Changed{}, err
	}
	if prev.Canary == n.Stable && prev.Progress.Phase == splitter.PhaseTrial {
		n.Cooldown = splitter.Cooldown{}
	}
	if begins(prev, n.Canary, want) {
		freshen(n, prev, seed)
	}
	if err := newEpoch(n, def, seed.Now); err != nil {
		return Changed{}, err
	}
	return tell(prev, n)
}

// mayAdopt keeps adopt from being the way around a cooldown.
func mayAdopt(prev, n *splitter.State, seed Seed) error {
	if prev.Canary == "" || prev.Canary == n.Stable {
		return nil
	}
	return mayIncrease(prev, prev.Weights(), n.Weights(), false, seed)
}

// ApplyPolicy replaces the policy frozen in this epoch by the file's.
func ApplyPolicy(prev *splitter.State, def Definition, by By, seed Seed) (Changed, error) {
	policy, err := encodePolicy(def.Policy)
	if err != nil {
		return Changed{}, err
	}
	n := next(prev, KindPolicy, by, seed)
	n.Policy = policy
	if !def.Policy.trickles() {
		n.Trickle = nil // what stable has it keeps, until somebody asks for other weights
	}
	return tell(prev, n)
}

// Redeclare begins a new epoch when the file declares another version of the canary: a failback of the old version is
// no verdict on the new one, and evidence of the old one is none on the new one. Stable gets back what it keeps while a
// new version is watched. It returns false, and no change, if the version is the same or not declared.
func Redeclare(prev *splitter.State, def Definition, by By, seed Seed) (Changed, bool, error) {
	declared := def.declared()[prev.Canary]
	if prev.Canary == "" || declared == "" || declared == prev.Declared[prev.Canary] {
		return Changed{}, false, nil
	}
	before := cmp.Or(prev.Declared[prev.Canary], "none")
	by.Reason = fmt.Sprintf("%s declares version %q, before %q", prev.Canary, declared, before)
	n, ranges := next(prev, KindVersion, by, seed), repaid(prev)
	want := splitter.WeightsOf(ranges)
	keepTrickle(n, nil, def.Policy, want, seed.Now)
	var err error
	if n.Ranges, err = splitter.Reassign(ranges, prev.Canary, shares(want, nil)); err != nil {
		return Changed{}, false, fmt.Errorf("watch version %q of %q: %w", declared, prev.Split, err)
	}
	if err := newEpoch(n, def, seed.Now); err != nil {
		return Changed{}, false, err
	}
	c, err := tell(prev, n)
	return c, true, err
}
