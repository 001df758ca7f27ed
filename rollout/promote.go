package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// PromoteNow gives the canary everything now: bake times and minimum evidence are skipped, and approval counts as given;
// the verdict must be pass, and the webhooks open. At 100 % it ends the watch, and the canary becomes stable. With Full it
// does at once, whatever is not known, unless the verdict is fail; that needs no plan. Nothing promotes a canary that this
// or another living member does not have. ErrStep is returned if the caller saw another step than the present one.
func PromoteNow(prev *splitter.State, def Definition, r PromoteRequest, f Findings, by By, seed Seed) (Changed, error) {
	p, err := mayPromote(prev, def, r, f)
	if err != nil {
		return Changed{}, err
	}
	if r.Full || prev.Progress.Step == p.Last() {
		return promote(prev, def, f, by, seed)
	}
	return advanceTo(prev, *p, p.Last(), f, by, seed)
}

// mayPromote says why the canary cannot be promoted now, and returns the plan that its trial goes by. That is nil only if
// a full promotion was asked for.
func mayPromote(prev *splitter.State, def Definition, r PromoteRequest, f Findings) (*Plan, error) {
	p, err := mustRun(prev)
	isByHand := p == nil && r.Full && prev.Progress.Phase == splitter.PhaseTrial
	progress, v := prev.Progress, f.Verdict
	switch {
	case err != nil && !isByHand:
		return nil, err
	case r.Step != 0 && r.Step != progress.Step:
		return nil, fmt.Errorf("%w: step %d was seen, it is step %d by now", ErrStep, r.Step, progress.Step)
	case progress.Paused != nil:
		return nil, refuse("the rollout is paused%s: %s; `resume` it first", by(progress.Paused.Actor), orNone(progress.Paused.Reason))
	case prev.KillOf(prev.Canary) != nil:
		return nil, refuse("%q is killed; revive it first", prev.Canary)
	case v.Result == health.Fail:
		return nil, refuse("%q fails: %s", prev.Canary, v.Reason)
	case !def.has(prev.Canary):
		return nil, unknownVariant(def, prev.Split, prev.Canary)
	case len(f.Lacking) > 0:
		return nil, refuse("%s: it would be out of service once that is stable; give its file the variant, or stop it, first",
			strings.Join(f.Lacking, "; "))
	case r.Full:
		return p, nil
	case v.Result != health.Pass:
		return nil, refuse("the verdict on %q is %s, not pass: %s; `--full` promotes it all the same", prev.Canary, v.Result,
			orNone(v.Reason))
	case len(f.Mixed) > 0:
		return nil, refuse("%s; `--full` promotes all the same", strings.Join(f.Mixed, "; "))
	case f.Stale != "":
		return nil, refuse("%s; `--full` promotes all the same", f.Stale)
	case len(f.Closed) > 0:
		return nil, refuse("%s; `--full` promotes all the same", strings.Join(f.Closed, "; "))
	}
	return p, nil
}

// promote makes the canary stable, in a new epoch: who was stable becomes the canary, and has nothing.
func promote(prev *splitter.State, def Definition, f Findings, by By, seed Seed) (Changed, error) {
	n := next(prev, KindPromoted, by, seed)
	if err := swapRoles(n, prev, prev.Canary, prev.Stable); err != nil {
		return Changed{}, err
	}
	notePromotion(n, prev, seed.Now)
	if err := newEpoch(n, def, seed.Now); err != nil {
		return Changed{}, err
	}
	n.Progress.Ended = splitter.EndPromoted
	return tellWhy(prev, n, f.grounds())
}

// swapRoles gives all that stable and canary have in prev to another stable of n.
func swapRoles(n, prev *splitter.State, stable, canary string) error {
	want := prev.Weights()
	has := want[prev.Stable] + want[prev.Canary]
	want[prev.Stable], want[prev.Canary] = 0, 0
	want[stable] += has
	delete(want, "") // of a split without a canary
	n.Stable, n.Canary, n.Trickle, n.Probe = stable, canary, nil, nil
	var err error
	if n.Ranges, err = splitter.Reassign(prev.Ranges, stable, shares(want, nil)); err != nil {
		return fmt.Errorf("make %q stable in %q: %w", stable, prev.Split, err)
	}
	return nil
}

// notePromotion remembers in n that prev's canary has become stable in place of another, and forgets the failbacks before,
// and what was taken back.
func notePromotion(n, prev *splitter.State, now time.Time) {
	p := splitter.Promotion{Variant: prev.Canary, Version: prev.Declared[prev.Canary], Before: prev.Stable,
		BeforeVersion: prev.Declared[prev.Stable], At: now}
	n.Promotions = append([]splitter.Promotion{p}, n.Promotions[:min(len(n.Promotions), splitter.KeptPromotions-1)]...)
	n.Cooldown, n.Left = splitter.Cooldown{}, splitter.Left{}
}
