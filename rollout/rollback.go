package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// RollBack takes the latest promotion back: who was stable before it is stable again and gets everybody, in one change
// and a new epoch. ErrRefused is returned while a trial runs, and if that variant is gone or killed, has failed since, or
// declares another version than it had: that one was never stable. If anything since the promotion was taken back, it is
// refused too unless the request says where it leads: somebody who repeats a command must not undo what it did.
func RollBack(prev *splitter.State, def Definition, r RollbackRequest, by By, seed Seed) (Changed, error) {
	return rollBack(prev, def, KindRolledBack, r.To, by, seed)
}

func rollBack(prev *splitter.State, def Definition, kind, to string, by By, seed Seed) (Changed, error) {
	if err := mayRollBack(prev, def, to, seed.Now); err != nil {
		return Changed{}, err
	}
	p := prev.Promotions[0]
	n := next(prev, kind, by, seed)
	if err := swapRoles(n, prev, p.Before, p.Variant); err != nil {
		return Changed{}, err
	}
	n.Promotions = n.Promotions[1:]
	noteLeft(n, p.Variant)
	if err := newEpoch(n, def, seed.Now); err != nil {
		return Changed{}, err
	}
	n.Progress.Ended = splitter.EndRolledBack
	return tell(prev, n)
}

// mayRollBack says why the latest promotion cannot be taken back, so that the variant named is stable; empty: whichever it was.
func mayRollBack(s *splitter.State, def Definition, to string, now time.Time) error {
	if phase := s.Progress.Phase; phase == splitter.PhaseTrial || phase == splitter.PhaseUnknown {
		return refuse("a trial of %q is under way (phase %s); `abort` ends it", s.Canary, phase)
	}
	if to == s.Stable {
		return refuse("%q is stable already", to)
	}
	left := leftText(s, now)
	if len(s.Promotions) == 0 || s.Promotions[0].Variant != s.Stable {
		if to == "" && left != "" {
			return refuse("%s already; `start` or `switch` begins anew", left)
		}
		return refuse("%q is stable in %q by no promotion that could be taken back", s.Stable, s.Split)
	}
	p := s.Promotions[0]
	declared := def.version(p.Before)
	switch {
	case !def.has(p.Before):
		return fmt.Errorf("%w: it was stable before %q", unknownVariant(def, s.Split, p.Before), p.Variant)
	case p.Before == s.Canary && s.Progress.Phase == splitter.PhaseFailedBack:
		return refuse("%q was failed back since: %s", p.Before, orNone(s.Progress.Why))
	case to == "" && left != "":
		return refuse("%s already; `start` or `switch` begins anew, and `rollback --to %s` takes back the promotion of %q "+
			"all the same", left, p.Before, p.Variant)
	case to != "" && to != p.Before:
		return refuse("a rollback leads to %q, which was stable before %q, and not to %q", p.Before, p.Variant, to)
	case slices.Contains(s.Retired, p.Before):
		return retired(s, p.Before)
	case s.KillOf(p.Before) != nil:
		return refuse("%q is killed; revive it first", p.Before)
	case p.BeforeVersion != "" && declared != "" && declared != p.BeforeVersion:
		return refuse("%q declares version %q, and was stable with %q: bring that back first", p.Before, declared, p.BeforeVersion)
	}
	return nil
}
