package rollout

import (
	"slices"

	"github.com/switchback-proxy/switchback/splitter"
)

// Retire notes that a variant is gone, so that nothing is given to it, or with Undo that it is back. A canary that declares
// a new version is back too. Stable can be retired while the canary is watched that has its place: it loses its trickle,
// and no failback goes to it. It returns false, and no change, if that is noted already; ErrRefused for a variant that has
// users.
func Retire(prev *splitter.State, def Definition, r RetireRequest, by By, seed Seed) (Changed, bool, error) {
	isRetired := slices.Contains(prev.Retired, r.Variant)
	if isRetired != r.Undo {
		return Changed{}, false, nil
	}
	if err := mayRetire(prev, def, r); err != nil {
		return Changed{}, false, err
	}
	what := r.Variant + " is gone"
	if r.Undo {
		what = r.Variant + " is back"
	}
	if by.Reason != "" {
		what += ": " + by.Reason
	}
	by.Reason = what
	n := next(prev, KindRetired, by, seed)
	if r.Undo {
		n.Retired = without(n.Retired, r.Variant)
	} else if err := noteGone(n, prev, r.Variant); err != nil {
		return Changed{}, false, err
	}
	c, err := tell(prev, n)
	return c, err == nil, err
}

// noteGone notes in n that a variant is gone. What stable has is a trickle, which goes to the canary.
func noteGone(n, prev *splitter.State, variant string) error {
	n.Retired = append(n.Retired, variant)
	slices.Sort(n.Retired)
	if variant != n.Stable {
		return nil
	}
	return raiseCanary(n, prev, nil, frozenPolicy(prev), splitter.Full, n.Changed.At)
}

// isSucceeded reports whether stable's place is the canary's already, but for a trickle.
func isSucceeded(s *splitter.State) bool {
	w := splitter.WeightsOf(repaid(s))
	return s.Progress.Phase == splitter.PhaseTrial && w[s.Canary] > 0 && w[s.Canary]+w[s.Stable] == splitter.Full &&
		(w[s.Stable] == 0 || s.RunningTrickle() != nil && w[s.Stable] <= s.Trickle.Keeps)
}

// mayRetire says why a variant cannot be retired. To take that back is always possible.
func mayRetire(s *splitter.State, def Definition, r RetireRequest) error {
	share := s.Weights()[r.Variant]
	switch {
	case r.Undo:
		return nil
	case r.Variant == s.Stable && isSucceeded(s):
		return nil
	case r.Variant == s.Stable:
		return refuse("%q is stable in %q, and no canary has its place yet", r.Variant, s.Split)
	case share > 0:
		return refuse("%q has %s of %q; give that back first", r.Variant, share, s.Split)
	}
	return knows(s, def, r.Variant)
}

// without returns names without one of them; nil if none is left.
func without(names []string, name string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == name })
	if len(names) == 0 {
		return nil
	}
	return names
}
