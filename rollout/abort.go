package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/switchback-proxy/switchback/splitter"
)

// Abort ends a trial by hand: the canary's share goes back to stable in one change. It needs no plan. ErrRefused is
// returned if no trial runs.
func Abort(prev *splitter.State, by By, seed Seed) (Changed, error) {
	return abort(prev, KindAborted, by, seed)
}

func abort(prev *splitter.State, kind string, by By, seed Seed) (Changed, error) {
	if prev.Progress.Phase != splitter.PhaseTrial || prev.Weights()[prev.Canary] == 0 {
		what := fmt.Sprintf("no trial of %q is under way that could be aborted (its phase is %s)", prev.Split, prev.Progress.Phase)
		if text := leftText(prev, seed.Now); text != "" {
			what += ": " + text + " already"
		}
		return Changed{}, refuse("%s", what)
	}
	if slices.Contains(prev.Retired, prev.Stable) {
		return Changed{}, retired(prev, prev.Stable)
	}
	n := next(prev, kind, by, seed)
	if err := giveBack(n, prev); err != nil {
		return Changed{}, err
	}
	n.Progress = aborted(prev, n.Changed)
	noteLeft(n, prev.Canary)
	return tell(prev, n)
}

// giveBack gives all that the canary has in prev to stable in n. Nothing is kept or lent any more.
func giveBack(n, prev *splitter.State) error {
	w := prev.Weights()
	w[prev.Stable] += w[prev.Canary]
	w[prev.Canary] = 0
	n.Trickle, n.Probe = nil, nil
	var err error
	if n.Ranges, err = splitter.Reassign(prev.Ranges, prev.Canary, shares(w, nil)); err != nil {
		return fmt.Errorf("give the share of %q back to %q: %w", prev.Canary, prev.Stable, err)
	}
	return nil
}

// aborted is the progress of a trial that a change aborted: by whom and why, which later changes do not hide, and of one that
// went by a plan at which step.
func aborted(prev *splitter.State, by splitter.Change) splitter.Progress {
	p := splitter.Progress{Phase: splitter.PhaseIdle, Since: by.At, Why: "aborted by " + cmp.Or(by.Actor, "hand")}
	if reason := strings.TrimSpace(by.Reason); reason != "" {
		p.Why += ": " + reason
	}
	if planRuns(prev) {
		p.Step, p.Reached, p.Ended = prev.Progress.Step, prev.Progress.Reached, splitter.EndAborted
	}
	return p
}
