package rollout_test

import (
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// hour is an hour as plans have it.
const hour = health.Duration(time.Hour)

// planned is a split with everybody on blue, whose rollouts go by 1, 10, 50 and 100 %; somebody must approve 10 %.
func planned() rollout.Definition {
	def := assistant(100, 0)
	def.Plan = &rollout.Plan{
		Steps: []rollout.Step{{Weight: percent, Bake: hour}, {Weight: 10 * percent, Bake: hour}, {Weight: 50 * percent, Bake: hour},
			{Weight: splitter.Full}},
		MinRequests: 10, MinUsers: 2, NoTraffic: hour, Watch: 2 * hour,
		Gates: []rollout.Gate{{Approval: true, Before: 10 * percent}},
	}
	return def
}

// plannedJudge is planned, with a judge that keeps a trickle on stable.
func plannedJudge() rollout.Definition {
	def := planned()
	settings := health.DefaultSettings()
	def.Policy.Judge = &settings
	return def
}

// pausing is planned, with a plan that pauses when the canary fails.
func pausing() rollout.Definition {
	def := planned()
	def.Plan.OnFail = rollout.OnFailPause
	return def
}

// passing is a verdict that a step can be taken on.
var passing = health.Verdict{Result: health.Pass, Reason: "1 of 400 failed"}

// ready are findings on which a State's plan takes its next step, but for approval.
func ready(s *splitter.State) rollout.Findings {
	return rollout.Findings{Verdict: passing,
		Tally: rollout.Tally{Epoch: s.Epoch, Step: s.Progress.Step, Baked: 2 * 3600, Requests: 10, Baseline: 10, Users: 2}}
}

// found changes ready findings.
func found(change func(*rollout.Findings)) func(*splitter.State) rollout.Findings {
	return func(s *splitter.State) rollout.Findings {
		f := ready(s)
		change(&f)
		return f
	}
}

func begin(n int, def rollout.Definition, r rollout.StartRequest) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.Start(prev, def, r, alice, later(n))
	}
}

// started begins planned's rollout.
func started(n int) change { return begin(n, planned(), rollout.StartRequest{}) }

func stepTo(n, to int) change { return stepOn(n, to, ready) }

func stepOn(n, to int, f func(*splitter.State) rollout.Findings) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.TakeStep(prev, planned(), to, f(prev), rollout.By{Actor: "switchback"}, later(n)))
	}
}

func pause(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) { return was(rollout.Pause(prev, alice, later(n))) }
}

func pausePlan(n int, v health.Verdict) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.PausePlan(prev, v, rollout.By{Actor: "switchback"}, later(n)))
	}
}

func resume(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Resume(prev, health.Verdict{}, alice, later(n)))
	}
}

func approve(n, step int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Approve(prev, rollout.StepRequest{Step: step}, alice, later(n)))
	}
}

func promote(n int, r rollout.PromoteRequest) change { return promoteOn(n, r, ready) }

func promoteOn(n int, r rollout.PromoteRequest, f func(*splitter.State) rollout.Findings) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.PromoteNow(prev, planned(), r, f(prev), alice, later(n))
	}
}

// promoted takes a rollout to its end.
func promoted(n int) change { return promote(n, rollout.PromoteRequest{Full: true}) }

func abort(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) { return rollout.Abort(prev, alice, later(n)) }
}

func rollBack(n int, def rollout.Definition) change { return rollBackTo(n, def, "") }

func rollBackTo(n int, def rollout.Definition, variant string) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.RollBack(prev, def, rollout.RollbackRequest{To: variant}, alice, later(n))
	}
}

func retry(n int, r rollout.RetryRequest) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.Retry(prev, planned(), r, alice, later(n))
	}
}

func switchTo(n int, variant string) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.SwitchTo(prev, planned(), rollout.SwitchRequest{To: variant}, alice, later(n))
	}
}

func switchBack(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.SwitchBack(prev, planned(), alice, later(n))
	}
}

func retire(n int, variant string, undo bool) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Retire(prev, planned(), rollout.RetireRequest{Variant: variant, Undo: undo}, alice, later(n)))
	}
}

// planGist is what a State says of a rollout.
type planGist struct {
	Kind      string
	Epoch     uint64
	Roles     string // stable/canary
	Canary    splitter.Weight
	Phase     splitter.Phase
	HasPlan   bool
	Step      int
	Approved  int
	Paused    string // why
	Ended     splitter.Ending
	Promoted  []string // variant<before, newest first
	Retired   []string
	Failbacks int
}

func planGistOf(s *splitter.State) planGist {
	g := planGist{Kind: s.Changed.Kind, Epoch: s.Epoch, Roles: s.Stable + "/" + s.Canary, Canary: s.Weights()[s.Canary],
		Phase: s.Progress.Phase, HasPlan: len(s.Plan) > 0, Step: s.Progress.Step, Approved: s.Progress.Approved,
		Ended: s.Progress.Ended, Retired: s.Retired, Failbacks: s.Cooldown.Failbacks}
	if p := s.Progress.Paused; p != nil {
		g.Paused = p.Actor + ": " + p.Reason
	}
	for _, p := range s.Promotions {
		g.Promoted = append(g.Promoted, p.Variant+"<"+p.Before)
	}
	return g
}
