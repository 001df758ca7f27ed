package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// Rename gives a variant of the State another name; its users and its role stay.
func Rename(prev *splitter.State, from, to string, by By, seed Seed) (Changed, error) {
	if err := mayRename(prev, from, to); err != nil {
		return Changed{}, err
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
	if v, ok := n.Superseded[from]; ok {
		delete(n.Superseded, from)
		n.Superseded[to] = v
	}
	for i := range n.Kills {
		n.Kills[i].Variant = renamed(n.Kills[i].Variant)
	}
	if n.Drill != nil {
		n.Drill.Variant = renamed(n.Drill.Variant)
	}
	renamePast(n, to, renamed)
	n.Moved = splitter.RenameMoves(n.Moved, from, to)
	return tellOnly(prev, n)
}

// mayRename says why a variant cannot have another name.
func mayRename(prev *splitter.State, from, to string) error {
	w := prev.Weights()
	_, used := w[from]
	if !used && from != prev.Stable && from != prev.Canary {
		return fmt.Errorf("%w: %q is not a variant in the state of %q", ErrUnknownVariant, from, prev.Split)
	}
	if !splitter.ValidName(to) {
		return fmt.Errorf("%w: %q is not a name: lower-case letters, digits, - and _, at most 63", ErrInvalid, to)
	}
	if _, taken := w[to]; taken || to == prev.Stable || to == prev.Canary {
		return refuse("%q is a variant of %q already", to, prev.Split)
	}
	if slices.Contains(prev.Retired, to) {
		return retired(prev, to)
	}
	return nil
}

// renamePast renames a variant in what n remembers of promotions, of what was left and of retired variants. Promotions of an
// earlier variant of the new name are forgotten: they cannot be taken back.
func renamePast(n *splitter.State, to string, renamed func(string) string) {
	n.Promotions = slices.DeleteFunc(n.Promotions, func(p splitter.Promotion) bool { return p.Variant == to || p.Before == to })
	for i := range n.Promotions {
		n.Promotions[i].Variant, n.Promotions[i].Before = renamed(n.Promotions[i].Variant), renamed(n.Promotions[i].Before)
	}
	n.Left.Variant = renamed(n.Left.Variant)
	for i := range n.Retired {
		n.Retired[i] = renamed(n.Retired[i])
	}
	slices.Sort(n.Retired)
}

// Adopt lets the State take over the roles, variants and weights of a file: a change of roles, so a new epoch. The
// zero request means def, this instance's own file. One that would take the latest promotion back is refused unless forced:
// it is older than that. A canary that is compared with stable leaves it a trickle. Kills stay, and so does a running
// cooldown, unless a canary on trial becomes stable: that is a promotion, which forgets the failbacks before it. A plan that
// runs ends.
func Adopt(prev *splitter.State, def Definition, r AdoptRequest, by By, seed Seed) (Changed, error) {
	if r.Stable == "" && (r.Canary != "" || len(r.Weights) > 0) {
		return Changed{}, fmt.Errorf("%w: roles to adopt name no stable variant", ErrInvalid)
	}
	if r.Stable == "" {
		r = AdoptRequest{Stable: def.Stable, Canary: def.Canary, Weights: def.weights(), Force: r.Force}
	}
	if !r.Force && unpromotes(prev, r) {
		return Changed{}, refuse("%q was promoted in place of %q at %s, and the file still says stable %q: write `stable %s` into it, and reload; "+
			"to go back use `rollback`, or force", prev.Stable, r.Stable, clockTime(prev.Promotions[0].At), r.Stable, prev.Stable)
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
	ended := noteTrialsEnd(n, prev, seed.Now)
	if begins(prev, n.Canary, want) {
		freshen(n, prev, seed)
	}
	if err := newEpoch(n, def, seed.Now); err != nil {
		return Changed{}, err
	}
	if planRuns(prev) {
		n.Progress.Ended = ended
	}
	return tell(prev, n)
}

// noteTrialsEnd remembers in n, which has other roles, what became of prev's canary if that was on trial, and returns how a
// plan has ended by that.
func noteTrialsEnd(n, prev *splitter.State, now time.Time) splitter.Ending {
	switch {
	case prev.Progress.Phase != splitter.PhaseTrial:
	case prev.Canary == n.Stable:
		notePromotion(n, prev, now)
		return splitter.EndPromoted
	case n.Weights()[prev.Canary] == 0:
		noteLeft(n, prev.Canary)
	}
	return splitter.EndAborted
}

// unpromotes reports whether a file, which still has the State's stable, would take the latest promotion back. One that
// trusts the canary on trial promotes that.
func unpromotes(s *splitter.State, r AdoptRequest) bool {
	_, stays := r.Weights[s.Stable]
	isPromoted := s.Canary == r.Stable && s.Progress.Phase == splitter.PhaseTrial
	return stays && !isPromoted && len(s.Promotions) > 0 && s.Promotions[0].Variant == s.Stable && s.Promotions[0].Before == r.Stable
}

// mayAdopt keeps adopt from being the way around a cooldown, or to a variant that is gone.
func mayAdopt(prev, n *splitter.State, seed Seed) error {
	if slices.Contains(prev.Retired, n.Stable) {
		return retired(prev, n.Stable)
	}
	if err := mayGive(prev, prev.Weights(), n.Weights()); err != nil {
		return err
	}
	if prev.Canary == "" || prev.Canary == n.Stable {
		return nil
	}
	return mayIncrease(prev, prev.Weights(), n.Weights(), false, seed)
}

// ApplyPolicy replaces the policy frozen in this epoch by the file's. A plan that runs stays as it was frozen.
func ApplyPolicy(prev *splitter.State, def Definition, by By, seed Seed) (Changed, error) {
	p, err := runningPlan(prev)
	if err != nil {
		return Changed{}, err
	}
	n := next(prev, KindPolicy, by, seed)
	if err := freezePolicy(n, def.Policy, p); err != nil {
		return Changed{}, err
	}
	if !def.Policy.trickles() {
		n.Trickle = nil // what stable has it keeps, until somebody asks for other weights
	}
	return tell(prev, n)
}
