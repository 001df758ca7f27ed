package rollout

import "github.com/switchback-proxy/switchback/splitter"

// SwitchTo gives the canary everybody at once, but for the trickle that stable keeps. It is a rollout of one step: the
// canary is watched for as long as the file's plan says, and then becomes stable; if it fails, all go back in one change.
// What is refused is as with [Start], and a variant that is not the canary.
func SwitchTo(prev *splitter.State, def Definition, r SwitchRequest, by By, seed Seed) (Changed, error) {
	if err := knows(prev, def, r.To); err != nil {
		return Changed{}, err
	}
	if r.To == prev.Stable {
		return Changed{}, refuse("%q is stable already", r.To)
	}
	if r.To != prev.Canary {
		return Changed{}, refuse("%q is neither stable nor canary; `adopt` gives it that role", r.To)
	}
	if prev.Progress.Phase == splitter.PhaseFailedBack && !isNewVersion(prev, def) {
		return Changed{}, refuse("%q was failed back and declares no other version since: %s; `retry` tries it again, "+
			"step by step", prev.Canary, orNone(prev.Progress.Why))
	}
	return beginning{KindSwitched, def.plan().atOnce(), false}.make(prev, def, by, seed)
}

// atOnce is the plan of a switch: one step, that of 100 %, and the watch. A switch that fails is always taken back.
func (p Plan) atOnce() Plan {
	return Plan{Steps: []Step{{Weight: splitter.Full}}, Watch: p.Watch, NoTraffic: p.NoTraffic}
}

// SwitchBack takes a switch back: while it is watched it gives everybody back to stable, and after its promotion it rolls
// that back. ErrRefused is returned in between the steps of a rollout, and for what [RollBack] refuses: also if it was
// taken back already.
func SwitchBack(prev *splitter.State, def Definition, by By, seed Seed) (Changed, error) {
	p, err := runningPlan(prev)
	if err != nil {
		return Changed{}, err
	}
	if p != nil && prev.Progress.Step == p.Last() {
		return abort(prev, KindSwitchedBack, by, seed)
	}
	return rollBack(prev, def, KindSwitchedBack, "", by, seed)
}
