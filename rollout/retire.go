package rollout

import (
	"fmt"
	"slices"

	"github.com/switchback-proxy/switchback/splitter"
)

// Retire notes that a variant is gone, so that nothing is given to it, or with Undo that it is back. A canary that declares
// a new version is back too. It returns false, and no change, if that is noted already; ErrRefused for stable and for
// a variant that has users.
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
	} else {
		n.Retired = append(n.Retired, r.Variant)
		slices.Sort(n.Retired)
	}
	c, err := tell(prev, n)
	return c, err == nil, err
}

// mayRetire says why a variant cannot be retired. To take that back is always possible.
func mayRetire(s *splitter.State, def Definition, r RetireRequest) error {
	share := s.Weights()[r.Variant]
	switch {
	case r.Undo:
		return nil
	case r.Variant == s.Stable:
		return fmt.Errorf("%w: %q is stable in %q; another must be promoted first", ErrRefused, r.Variant, s.Split)
	case share > 0:
		return fmt.Errorf("%w: %q has %s of %q; give that back first", ErrRefused, r.Variant, share, s.Split)
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
