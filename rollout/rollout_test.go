package rollout_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

func TestRollouts(t *testing.T) {
	const swap = "green/blue"
	onTrial := planGist{Epoch: 2, Phase: trial, HasPlan: true, Step: 1, Canary: percent}
	with := func(change func(*planGist)) planGist {
		g := onTrial
		change(&g)
		return g
	}
	halfway := []change{started(2), approve(3, 2), stepTo(63, 2), stepTo(123, 3)}
	watched := slices.Clip(append(halfway, stepTo(183, 4)))
	own := rollout.StartRequest{Plan: &rollout.Plan{Steps: []rollout.Step{{Weight: 2 * percent, Bake: hour}, {Weight: splitter.Full}},
		NoTraffic: hour, Watch: hour}}
	for name, tt := range map[string]struct {
		in   []change // on a State with everybody on blue; the last one is looked at
		want planGist
	}{
		"start":             {[]change{started(2)}, with(func(g *planGist) { g.Kind = "started" })},
		"start by own plan": {[]change{begin(2, planned(), own)}, with(func(g *planGist) { g.Kind, g.Canary = "started", 2*percent })},
		"start in a cooldown": {[]change{started(2), failback(3), begin(4, declaring(planned(), "v2"), rollout.StartRequest{Force: true})},
			with(func(g *planGist) { g.Kind, g.Epoch, g.Failbacks = "started", 3, 1 })},
		"approve": {[]change{started(2), approve(3, 2)}, with(func(g *planGist) { g.Kind, g.Approved = "approved", 2 })},
		"step": {halfway[:3], with(func(g *planGist) {
			g.Kind, g.Step, g.Approved, g.Canary = "step", 2, 2, 10*percent
		})},
		"the last step": {watched, with(func(g *planGist) {
			g.Kind, g.Step, g.Approved, g.Canary = "step", 4, 2, splitter.Full
		})},
		"the promotion": {append(watched, stepTo(303, 5)),
			planGist{Kind: "promoted", Epoch: 3, Roles: swap, Ended: "promoted", Promoted: []string{"green<blue"}}},
		"pause": {[]change{started(2), pause(3)}, with(func(g *planGist) { g.Kind, g.Paused = "paused", "alice: trying" })},
		"pause as it fails": {[]change{begin(2, pausing(), rollout.StartRequest{}), pausePlan(3, failing)},
			with(func(g *planGist) { g.Kind, g.Paused = "paused", "switchback: 30 of 40 failed" })},
		"resume": {append(halfway, pause(124), resume(125)), with(func(g *planGist) {
			g.Kind, g.Step, g.Approved, g.Canary = "resumed", 3, 2, 50*percent
		})},
		"resume below the first step": {[]change{started(2), pause(3), weights(4, map[string]splitter.Weight{"green": 10}), resume(5)},
			with(func(g *planGist) { g.Kind = "resumed" })},
		"weights while paused": {append(halfway, pause(124), green(125, 12)), with(func(g *planGist) {
			g.Kind, g.Step, g.Approved, g.Canary, g.Paused = "weights", 2, 2, 12*percent, "alice: trying"
		})},
		"resume where people left it": {append(halfway, pause(124), green(125, 12), resume(126)), with(func(g *planGist) {
			g.Kind, g.Step, g.Approved, g.Canary = "resumed", 2, 2, 12*percent
		})},
		"raised while paused": {[]change{started(2), pause(3), green(4, 60), resume(5)}, with(func(g *planGist) {
			g.Kind, g.Step, g.Canary = "resumed", 3, 60*percent
		})},
		"abort": {append(halfway, abort(124)), with(func(g *planGist) {
			g.Kind, g.Phase, g.Step, g.Canary, g.Ended = "aborted", idle, 3, 0, "aborted"
		})},
		"abort by weights": {append(halfway, green(124, 0)), with(func(g *planGist) {
			g.Kind, g.Phase, g.Step, g.Canary, g.Ended = "aborted", idle, 3, 0, "aborted"
		})},
		"abort of a trial by hand": {[]change{green(2, 5), abort(3)}, planGist{Kind: "aborted", Epoch: 2}},
		"failback": {append(halfway, pause(124), failback(125)), with(func(g *planGist) {
			g.Kind, g.Phase, g.Step, g.Canary, g.Failbacks = "failback", failedBack, 3, 0, 1
		})},
		"retry": {append(halfway, failback(124), retry(140, rollout.RetryRequest{})), with(func(g *planGist) {
			g.Kind, g.Epoch, g.Failbacks = "retried", 3, 1
		})},
		"retry in a cooldown": {append(halfway, failback(124), retry(125, rollout.RetryRequest{Force: true})), with(func(g *planGist) {
			g.Kind, g.Epoch, g.Failbacks = "retried", 3, 1
		})},
		"retry after an abort": {[]change{started(2), abort(3), retry(4, rollout.RetryRequest{})}, with(func(g *planGist) {
			g.Kind, g.Epoch = "retried", 3
		})},
		"retry after an abort of a trial by weights": {[]change{green(2, 5), abort(3), retry(4, rollout.RetryRequest{})},
			with(func(g *planGist) { g.Kind, g.Epoch = "retried", 3 })},
		"retry after weights of nothing": {[]change{green(2, 5), green(3, 0), retry(4, rollout.RetryRequest{})},
			with(func(g *planGist) { g.Kind, g.Epoch = "retried", 3 })},
		"weights after a failback": {append(halfway, failback(124), green(140, 5)),
			planGist{Kind: "weights", Epoch: 3, Phase: trial, Canary: 5 * percent, Failbacks: 1}},
		"promote": {[]change{started(2), promote(3, rollout.PromoteRequest{Step: 1})}, with(func(g *planGist) {
			g.Kind, g.Step, g.Canary = "step", 4, splitter.Full
		})},
		"promote in the watch": {append(watched, promote(184, rollout.PromoteRequest{Step: 4})),
			planGist{Kind: "promoted", Epoch: 3, Roles: swap, Ended: "promoted", Promoted: []string{"green<blue"}}},
		"promote in full": {[]change{started(2), promoteOn(3, rollout.PromoteRequest{Full: true}, func(*splitter.State) rollout.Findings {
			return rollout.Findings{Closed: []string{"no"}}
		})}, planGist{Kind: "promoted", Epoch: 3, Roles: swap, Ended: "promoted", Promoted: []string{"green<blue"}}},
		"promote in full without a plan": {[]change{green(2, 5), promoted(3)},
			planGist{Kind: "promoted", Epoch: 3, Roles: swap, Ended: "promoted", Promoted: []string{"green<blue"}}},
		"a promotion forgets failbacks": {append(halfway, failback(124), retry(140, rollout.RetryRequest{}), promoted(141)),
			planGist{Kind: "promoted", Epoch: 4, Roles: swap, Ended: "promoted", Promoted: []string{"green<blue"}}},
		"roll back": {[]change{started(2), promoted(3), rollBack(4, planned())}, planGist{Kind: "rolled_back", Epoch: 4, Ended: "rolled_back"}},
		"blue after green": {[]change{started(2), promoted(3), started(4), promoted(5)}, planGist{Kind: "promoted", Epoch: 5,
			Ended: "promoted", Promoted: []string{"blue<green", "green<blue"}}},
		"roll back two": {[]change{started(2), promoted(3), started(4), promoted(5), rollBack(6, planned()), rollBackTo(7, planned(), "blue")},
			planGist{Kind: "rolled_back", Epoch: 7, Ended: "rolled_back"}},
		"roll back after an abort": {[]change{started(2), promoted(3), started(4), abort(5), rollBackTo(6, planned(), "blue")},
			planGist{Kind: "rolled_back", Epoch: 5, Ended: "rolled_back"}},
		"roll back what came after an abort": {[]change{started(2), promoted(3), started(4), abort(5), started(6), promoted(7), rollBack(8, planned())},
			planGist{Kind: "rolled_back", Epoch: 7, Roles: swap, Ended: "rolled_back", Promoted: []string{"green<blue"}}},
		"switch": {[]change{switchTo(2, "green")}, with(func(g *planGist) { g.Kind, g.Canary = "switched", splitter.Full })},
		"a switch passes": {[]change{switchTo(2, "green"), stepTo(122, 2)},
			planGist{Kind: "promoted", Epoch: 3, Roles: swap, Ended: "promoted", Promoted: []string{"green<blue"}}},
		"a switch fails": {[]change{switchTo(2, "green"), failback(3)}, with(func(g *planGist) {
			g.Kind, g.Phase, g.Canary, g.Failbacks = "failback", failedBack, 0, 1
		})},
		"switch back in the watch": {[]change{switchTo(2, "green"), switchBack(3)}, with(func(g *planGist) {
			g.Kind, g.Phase, g.Canary, g.Ended = "switched_back", idle, 0, "aborted"
		})},
		"switch back after it": {[]change{switchTo(2, "green"), promoted(3), switchBack(4)},
			planGist{Kind: "switched_back", Epoch: 4, Ended: "rolled_back"}},
		"retire": {[]change{retire(2, "green", false)}, planGist{Kind: "retired", Epoch: 1, Retired: []string{"green"}}},
		"retire stable in the watch": {append(watched, retire(184, "blue", false)), with(func(g *planGist) {
			g.Kind, g.Step, g.Approved, g.Canary, g.Retired = "retired", 4, 2, splitter.Full, []string{"blue"}
		})},
		"retire undo":           {[]change{retire(2, "green", false), retire(3, "green", true)}, planGist{Kind: "retired", Epoch: 1}},
		"a new version is back": {[]change{retire(2, "green", false), redeclare(3, "v2")}, planGist{Kind: "version", Epoch: 2}},
		"a new version begins again": {append(halfway, pause(124), redeclared(125)), with(func(g *planGist) {
			g.Kind, g.Epoch, g.Paused = "version", 3, "alice: trying"
		})},
		"rename": {[]change{retire(2, "green", false), retire(3, "green", true), started(4), promoted(5), retire(6, "blue", false),
			rename(7, "blue", "azure")}, planGist{Kind: "renamed", Epoch: 3, Roles: "green/azure", Ended: "promoted",
			Promoted: []string{"green<azure"}, Retired: []string{"azure"}}},
		"adopt ends a rollout": {append(halfway, adopt(124, assistant(95, 5), rollout.AdoptRequest{})),
			planGist{Kind: "adopted", Epoch: 3, Phase: trial, Canary: 5 * percent, Ended: "aborted"}},
		"adopt promotes": {append(halfway, adopt(124, assistant(95, 5), rollout.AdoptRequest{Stable: "green", Canary: "blue"})),
			planGist{Kind: "adopted", Epoch: 3, Roles: swap, Ended: "promoted", Promoted: []string{"green<blue"}}},
		"policy": {append(halfway, policy(124)), with(func(g *planGist) {
			g.Kind, g.Step, g.Approved, g.Canary = "policy", 3, 2, 50*percent
		})},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.want.Roles == "" {
				tt.want.Roles = "blue/green"
			}
			got := planGistOf(must(t, created(t, planned()), tt.in...))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("got %+v, want %+v (-want +got):\n%s", got, tt.want, diff)
			}
		})
	}
}

// A trial that people end says who and why, whatever is changed afterwards.
func TestAbortSaysWhoAndWhy(t *testing.T) {
	nobody := func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.Abort(prev, rollout.By{}, later(3))
	}
	for name, tt := range map[string]struct {
		in   []change
		want string
	}{
		"abort":               {[]change{started(2), abort(3)}, "aborted by alice: trying"},
		"abort, and a change": {[]change{started(2), abort(3), retire(4, "green", false)}, "aborted by alice: trying"},
		"switch back":         {[]change{switchTo(2, "green"), switchBack(3)}, "aborted by alice: trying"},
		"weights":             {[]change{green(2, 5), green(3, 0)}, "aborted by alice: trying"},
		"by nobody":           {[]change{started(2), nobody}, "aborted by hand"},
	} {
		if got := must(t, created(t, planned()), tt.in...).Progress.Why; got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// redeclared has planned's file declare another version of green.
func redeclared(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Redeclare(prev, declaring(planned(), "v2"), alice, later(n)))
	}
}

func policy(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.ApplyPolicy(prev, plannedJudge(), alice, later(n))
	}
}
