package rollout_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
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
		"roll back two": {[]change{started(2), promoted(3), started(4), promoted(5), rollBack(6, planned()), rollBack(7, planned())},
			planGist{Kind: "rolled_back", Epoch: 7, Ended: "rolled_back"}},
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
		"retire":                {[]change{retire(2, "green", false)}, planGist{Kind: "retired", Epoch: 1, Retired: []string{"green"}}},
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

func TestRolloutsRefused(t *testing.T) {
	without := func(change func(*rollout.Definition)) rollout.Definition {
		def := planned()
		change(&def)
		return def
	}
	noReason := func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.Retry(prev, planned(), rollout.RetryRequest{}, rollout.By{}, later(9))
	}
	three := without(func(def *rollout.Definition) { def.Variants = append(def.Variants, rollout.Variant{Name: "red"}) })
	red := func(n int, w splitter.Weight) change {
		return func(prev *splitter.State) (rollout.Changed, error) {
			c := rollout.WeightChange{Weights: map[string]splitter.Weight{"red": w * percent}}
			return rollout.SetWeights(prev, three, c, alice, later(n))
		}
	}
	v := func(versions ...string) rollout.Definition {
		return without(func(def *rollout.Definition) {
			def.Variants = []rollout.Variant{{Name: "blue", Version: versions[0]}, {Name: "green", Version: versions[1]}}
		})
	}
	none := rollout.StartRequest{}
	fail := found(func(f *rollout.Findings) { f.Verdict = failing })
	doubt := found(func(f *rollout.Findings) { f.Verdict = health.Verdict{Reason: "too few"} })
	closed := found(func(f *rollout.Findings) { f.Closed = []string{"deploys are frozen"} })
	for name, tt := range map[string]struct {
		in   []change // on a State with everybody on blue; the last one is looked at
		want error
		says string
	}{
		"start twice":             {[]change{started(2), started(3)}, rollout.ErrRefused, "a trial of \"green\" is under way, which has 1%"},
		"start beside a trial":    {[]change{green(2, 5), started(3)}, rollout.ErrRefused, "which has 5% (phase trial); `abort` ends it"},
		"start without a canary":  {[]change{adopt(2, planned(), rollout.AdoptRequest{Stable: "blue"}), started(3)}, rollout.ErrRefused, "has no canary"},
		"start a killed canary":   {[]change{kill(2, "k", "green"), started(3)}, rollout.ErrRefused, `"green" is killed`},
		"start a killed split":    {[]change{kill(2, "k", ""), started(3)}, rollout.ErrRefused, `"green" is killed`},
		"start a retired canary":  {[]change{retire(2, "green", false), started(3)}, rollout.ErrRefused, `"green" of "assistant" is retired`},
		"start beside others":     {[]change{red(2, 5), started(3)}, rollout.ErrRefused, `"blue" (stable) of "assistant" has 95%`},
		"start without its route": {[]change{begin(2, without(func(d *rollout.Definition) { d.Variants = d.Variants[:1] }), none)}, rollout.ErrUnknownVariant, `"green" is not a variant`},
		"start without stable":    {[]change{begin(2, without(func(d *rollout.Definition) { d.Variants = d.Variants[1:] }), none)}, rollout.ErrUnknownVariant, `"blue" is not a variant`},
		"start without a judge":   {[]change{begin(2, without(func(d *rollout.Definition) { d.Policy.Failback = nil }), none)}, rollout.ErrRefused, "failback is off"},
		"start by a bad plan":     {[]change{begin(2, planned(), rollout.StartRequest{Plan: &rollout.Plan{}})}, rollout.ErrInvalid, "the last must be 100%"},
		"start what failed":       {[]change{started(2), failback(3), started(99)}, rollout.ErrRefused, "`retry` tries it again"},
		"start in a cooldown":     {[]change{started(2), failback(3), begin(4, declaring(planned(), "v2"), none)}, rollout.ErrCooldown, "use force"},
		"retry without a reason":  {[]change{started(2), failback(3), noReason}, rollout.ErrInvalid, "needs a reason"},
		"retry of nothing":        {[]change{retry(2, rollout.RetryRequest{})}, rollout.ErrRefused, "neither failed back nor aborted"},
		"retry in a cooldown":     {[]change{started(2), failback(3), retry(4, rollout.RetryRequest{})}, rollout.ErrCooldown, "use force"},
		"retry of a trial":        {[]change{started(2), retry(3, rollout.RetryRequest{})}, rollout.ErrRefused, "is under way"},
		"pause of nothing":        {[]change{pause(2)}, rollout.ErrRefused, "no rollout of \"assistant\" is under way"},
		"pause of a trial":        {[]change{green(2, 5), pause(3)}, rollout.ErrRefused, "no rollout of \"assistant\" is under way (its phase is trial)"},
		"pause twice":             {[]change{started(2), pause(3), pause(4)}, errNothing, ""},
		"resume what runs":        {[]change{started(2), resume(3)}, errNothing, ""},
		"approve another":         {[]change{started(2), approve(3, 3)}, rollout.ErrStep, "step 3 was to be opened, and step 2 of 4 (10%) is the next"},
		"approve twice":           {[]change{started(2), approve(3, 2), approve(4, 2)}, errNothing, ""},
		"approve without a gate":  {[]change{started(2), approve(3, 2), stepTo(63, 2), approve(64, 3)}, rollout.ErrRefused, "nobody needs to approve step 3 of 4 (50%)"},
		"approve the promotion":   {[]change{switchTo(2, "green"), approve(3, 2)}, rollout.ErrRefused, "nobody needs to approve the promotion"},
		"step without approval":   {[]change{started(2), stepTo(63, 2)}, errNothing, ""},
		"step on a fail":          {[]change{started(2), approve(3, 2), stepOn(63, 2, fail)}, errNothing, ""},
		"step on doubt":           {[]change{started(2), approve(3, 2), stepOn(63, 2, doubt)}, errNothing, ""},
		"step before a webhook":   {[]change{started(2), approve(3, 2), stepOn(63, 2, closed)}, errNothing, ""},
		"step too far":            {[]change{started(2), approve(3, 2), stepTo(63, 3)}, errNothing, ""},
		"step without evidence": {[]change{started(2), approve(3, 2), stepOn(63, 2, func(*splitter.State) rollout.Findings {
			return rollout.Findings{Verdict: passing}
		})}, errNothing, ""},
		"step while paused":        {[]change{started(2), approve(3, 2), pause(4), stepTo(63, 2)}, errNothing, ""},
		"step of nothing":          {[]change{stepTo(2, 0)}, errNothing, ""},
		"pause on a pass":          {[]change{begin(2, pausing(), none), pausePlan(3, passing)}, errNothing, ""},
		"pause where all go back":  {[]change{started(2), pausePlan(3, failing)}, errNothing, ""},
		"pause a trial by hand":    {[]change{green(2, 5), pausePlan(3, failing)}, errNothing, ""},
		"weights of a plan":        {[]change{started(2), green(3, 5)}, rollout.ErrRefused, "a rollout moves the share of \"green\" (step 1, 1%); `pause` it"},
		"weights for others":       {[]change{started(2), pause(3), red(4, 5)}, rollout.ErrRefused, "`abort` it first"},
		"weights of what is gone":  {[]change{retire(2, "green", false), green(3, 5)}, rollout.ErrRefused, "is retired"},
		"adopt what is gone":       {[]change{retire(2, "green", false), adopt(3, assistant(90, 10), rollout.AdoptRequest{})}, rollout.ErrRefused, "is retired"},
		"adopt as stable":          {[]change{retire(2, "green", false), adopt(3, planned(), rollout.AdoptRequest{Stable: "green"})}, rollout.ErrRefused, "is retired"},
		"rename to what is gone":   {[]change{retire(2, "green", false), adopt(3, planned(), rollout.AdoptRequest{Stable: "blue"}), rename(4, "blue", "green")}, rollout.ErrRefused, "is retired"},
		"promote nothing":          {[]change{promote(2, rollout.PromoteRequest{})}, rollout.ErrRefused, "no rollout"},
		"promote a trial":          {[]change{green(2, 5), promote(3, rollout.PromoteRequest{})}, rollout.ErrRefused, "no rollout"},
		"promote nothing in full":  {[]change{promoted(2)}, rollout.ErrRefused, "no rollout"},
		"promote another step":     {[]change{started(2), promote(3, rollout.PromoteRequest{Step: 2})}, rollout.ErrStep, "step 2 was seen, it is step 1 by now"},
		"promote what is paused":   {[]change{started(2), pause(3), promoted(4)}, rollout.ErrRefused, "paused by alice: trying; `resume` it first"},
		"promote what is killed":   {[]change{started(2), kill(3, "k", "green"), promoted(4)}, rollout.ErrRefused, "is killed"},
		"promote what fails":       {[]change{started(2), promoteOn(3, rollout.PromoteRequest{Full: true}, fail)}, rollout.ErrRefused, `"green" fails: 30 of 40 failed`},
		"promote in doubt":         {[]change{started(2), promoteOn(3, rollout.PromoteRequest{}, doubt)}, rollout.ErrRefused, "is inconclusive, not pass: too few"},
		"promote before a webhook": {[]change{started(2), promoteOn(3, rollout.PromoteRequest{}, closed)}, rollout.ErrRefused, "deploys are frozen; `--full`"},
		"abort nothing":            {[]change{abort(2)}, rollout.ErrRefused, "no trial of \"assistant\" is under way"},
		"abort twice":              {[]change{started(2), abort(3), abort(4)}, rollout.ErrRefused, "no trial of \"assistant\" is under way"},
		"roll back nothing":        {[]change{rollBack(2, planned())}, rollout.ErrRefused, "by no promotion that could be taken back"},
		"roll back twice":          {[]change{started(2), promoted(3), rollBack(4, planned()), rollBack(5, planned())}, rollout.ErrRefused, "by no promotion"},
		"roll back in a trial":     {[]change{started(2), promoted(3), started(4), rollBack(5, planned())}, rollout.ErrRefused, "a trial of \"blue\" is under way"},
		"roll back to what is gone": {[]change{started(2), promoted(3), retire(4, "blue", false), rollBack(5, planned())}, rollout.ErrRefused,
			`"blue" of "assistant" is retired`},
		"roll back to what is killed": {[]change{started(2), promoted(3), kill(4, "k", "blue"), rollBack(5, planned())}, rollout.ErrRefused, "killed"},
		"roll back to what failed":    {[]change{started(2), promoted(3), started(4), failback(5), rollBack(6, planned())}, rollout.ErrRefused, `"blue" was failed back since`},
		"roll back without its route": {[]change{started(2), promoted(3), rollBack(4, without(func(d *rollout.Definition) { d.Variants = d.Variants[1:] }))},
			rollout.ErrUnknownVariant, `it was stable before "green"`},
		"roll back to another version": {[]change{begin(2, v("v1", "v2"), none), declaredAgain(3, v("v1", "v2")), promoted(4), rollBack(5, v("v3", "v2"))},
			rollout.ErrRefused, `"blue" declares version "v3", and was stable with "v1"`},
		"roll back after adopt": {[]change{started(2), promoted(3), adopt(4, planned(), rollout.AdoptRequest{}), rollBack(5, planned())},
			rollout.ErrRefused, `"blue" is stable in "assistant" by no promotion`},
		"switch to stable":        {[]change{switchTo(2, "blue")}, rollout.ErrRefused, `"blue" is stable already`},
		"switch to nobody":        {[]change{switchTo(2, "grey")}, rollout.ErrUnknownVariant, `"grey" is not a variant`},
		"switch in a trial":       {[]change{started(2), switchTo(3, "green")}, rollout.ErrRefused, "is under way"},
		"switch to what failed":   {[]change{started(2), failback(3), switchTo(99, "green")}, rollout.ErrRefused, "step by step"},
		"switch back in a step":   {[]change{started(2), switchBack(3)}, rollout.ErrRefused, "`abort` ends it"},
		"switch back of nothing":  {[]change{switchBack(2)}, rollout.ErrRefused, "by no promotion"},
		"retire stable":           {[]change{retire(2, "blue", false)}, rollout.ErrRefused, `"blue" is stable in "assistant"`},
		"retire what has users":   {[]change{green(2, 5), retire(3, "green", false)}, rollout.ErrRefused, `"green" has 5%`},
		"retire nobody":           {[]change{retire(2, "grey", false)}, rollout.ErrUnknownVariant, `"grey" is not a variant`},
		"retire twice":            {[]change{retire(2, "green", false), retire(3, "green", false)}, errNothing, ""},
		"undo without retirement": {[]change{retire(2, "grey", true)}, errNothing, ""},
	} {
		t.Run(name, func(t *testing.T) {
			last := len(tt.in) - 1
			c, err := tt.in[last](must(t, created(t, three), tt.in[:last]...))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, error %v, want %v with %q", c.State, err, tt.want, tt.says)
			}
		})
	}
}

// declaredAgain lets the canary's declared version of a file be known, if it is not.
func declaredAgain(n int, def rollout.Definition) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		c, made, err := rollout.Redeclare(prev, def, alice, later(n))
		if !made {
			c.State = prev
		}
		return c, err
	}
}

// What a rollout freezes is what its file said as it began.
func TestStartFreezes(t *testing.T) {
	begun := must(t, created(t, plannedJudge()), begin(2, plannedJudge(), rollout.StartRequest{}))
	p, err := rollout.PlanOf(begun)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plannedJudge().Plan, p); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if begun.Salt != "salt-2" || begun.Progress.Reached != later(2).Now {
		t.Errorf("got salt %q, reached at %v, want a fresh one, now", begun.Salt, begun.Progress.Reached)
	}
	for _, tt := range []struct {
		name string
		in   *splitter.State
		want health.Duration
	}{
		{"the plan's: three bakes and the watch", begun, 5 * hour},
		{"the same by an applied policy", must(t, begun, policy(3)), 5 * hour},
		{"an hour at least", must(t, created(t, plannedJudge()), begin(2, plannedJudge(), rollout.StartRequest{Plan: &rollout.Plan{
			Steps: []rollout.Step{{Weight: splitter.Full}}, NoTraffic: hour, Watch: hour / 60}})), hour},
		{"90 days at most", must(t, created(t, plannedJudge()), begin(2, plannedJudge(), rollout.StartRequest{Plan: &rollout.Plan{
			Steps: []rollout.Step{{Weight: 1, Bake: 720 * hour}, {Weight: 2, Bake: 720 * hour}, {Weight: 3, Bake: 720 * hour},
				{Weight: splitter.Full}}, NoTraffic: hour, Watch: 720 * hour}})), 90 * 24 * hour},
		{"the file's without a plan", must(t, created(t, plannedJudge())), 24 * hour},
	} {
		var frozen rollout.Policy
		if err := json.Unmarshal(tt.in.Policy, &frozen); err != nil {
			t.Fatal(err)
		}
		if got := frozen.Judge.Duration; got != tt.want {
			t.Errorf("%s: got a duration of %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := plannedJudge().Policy.Judge.Duration; got != 24*hour {
		t.Errorf("the file's own duration is %s by now", got)
	}
}

// A file without a plan has the default one.
func TestStartByDefault(t *testing.T) {
	begun := must(t, created(t, assistant(100, 0)), begin(2, assistant(100, 0), rollout.StartRequest{}))
	p, err := rollout.PlanOf(begun)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rollout.DefaultPlan(), *p); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// A plan that earlier releases carried into a trial of their own means nothing.
func TestCarriedPlan(t *testing.T) {
	s := must(t, created(t, planned()), started(2))
	s.Progress = splitter.Progress{Phase: trial, Since: noon}
	for name, f := range map[string]change{"step": stepTo(3, 1), "pause": pausePlan(3, failing)} {
		if c, err := f(s); !errors.Is(err, errNothing) {
			t.Errorf("%s: got %v, %v, want nothing", name, c.State, err)
		}
	}
	if got := planGistOf(must(t, s, green(3, 7))); got.Canary != 7*percent {
		t.Errorf("got %+v, want the weights that were asked for", got)
	}
}

// A switch leaves stable what the policy says, and counts as 100 % all the same.
func TestStepsLeaveATrickle(t *testing.T) {
	def := plannedJudge()
	s := created(t, def)
	c, err := rollout.SwitchTo(s, def, rollout.SwitchRequest{To: "green"}, alice, later(2))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(share(5, 95), c.State.Weights()); diff != "" || c.State.Progress.Step != 1 {
		t.Errorf("step %d with weights (-want +got):\n%s", c.State.Progress.Step, diff)
	}
	halfway := must(t, s, begin(2, def, rollout.StartRequest{}), promote(3, rollout.PromoteRequest{}))
	if diff := cmp.Diff(share(5, 95), halfway.Weights()); diff != "" || halfway.RunningTrickle() == nil {
		t.Errorf("the last step (-want +got):\n%s", diff)
	}
	resumed := must(t, halfway, pause(4), resume(5))
	if got := planGistOf(resumed); got.Step != 4 || got.Canary != 95*percent {
		t.Errorf("resumed: got %+v, want the last step and what it gave", got)
	}
	after := must(t, halfway, promote(6, rollout.PromoteRequest{}))
	if diff := cmp.Diff(map[string]splitter.Weight{"green": splitter.Full}, after.Weights()); diff != "" || after.Trickle != nil {
		t.Errorf("promoted (-want +got):\n%s", diff)
	}
}

// What becomes stable is remembered with the versions that were tried, and no more than some.
func TestPromotionsAreRemembered(t *testing.T) {
	def := declaring(planned(), "v2")
	s := must(t, created(t, def), begin(2, def, rollout.StartRequest{}), promoted(3))
	want := []splitter.Promotion{{Variant: "green", Version: "v2", Before: "blue", At: later(3).Now}}
	if diff := cmp.Diff(want, s.Promotions); diff != "" {
		t.Errorf("promotions (-want +got):\n%s", diff)
	}
	for n := range 2 * splitter.KeptPromotions {
		s = must(t, s, started(10+2*n), promoted(11+2*n))
	}
	if got := len(s.Promotions); got != splitter.KeptPromotions {
		t.Errorf("got %d promotions, want %d", got, splitter.KeptPromotions)
	}
}

// The event of a change that a verdict made has the verdict.
func TestEvidenceOfSteps(t *testing.T) {
	begun := must(t, created(t, pausing()), begin(2, pausing(), rollout.StartRequest{}), approve(3, 2))
	for name, tt := range map[string]struct {
		in   change
		want health.Verdict
	}{
		"step": {stepTo(63, 2), passing}, "promotion": {promoted(63), passing}, "pause": {pausePlan(63, failing), failing},
	} {
		c, err := tt.in(begun)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got health.Verdict
		if err := json.Unmarshal(c.Event.Evidence, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Result != tt.want.Result || got.Reason != tt.want.Reason {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
		if !strings.Contains(c.State.Changed.Reason, tt.want.Reason) && name != "promotion" {
			t.Errorf("%s: got reason %q, want it to say %q", name, c.State.Changed.Reason, tt.want.Reason)
		}
	}
}

// An imported rollout waits for a person.
func TestImportPauses(t *testing.T) {
	exported := must(t, created(t, planned()), started(2), approve(3, 2), stepTo(63, 2))
	exported.Drill = &splitter.Drill{ID: "d", Variant: "green", Users: []string{"1"}, Until: noon}
	for _, prev := range []*splitter.State{nil, created(t, planned())} {
		c, err := rollout.Import(prev, rollout.ImportRequest{State: exported}, alice, later(99))
		if err != nil {
			t.Fatal(err)
		}
		want := planGist{Kind: "imported", Epoch: 3, Roles: "blue/green", Canary: 10 * percent, Phase: trial, HasPlan: true, Step: 2,
			Approved: 2, Paused: "alice: the split was imported"}
		if diff := cmp.Diff(want, planGistOf(c.State)); diff != "" || c.State.Drill != nil {
			t.Errorf("drill %v, imported (-want +got):\n%s", c.State.Drill, diff)
		}
	}
	exported.Progress.Step = 9
	if _, err := rollout.Import(nil, rollout.ImportRequest{State: exported}, alice, later(99)); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("import at a step that the plan has not: got %v, want ErrInvalid", err)
	}
}

// Where two histories meet, no plan goes on by itself that somebody may have stopped.
func TestReconcilePlans(t *testing.T) {
	common := must(t, created(t, planned()), started(2), approve(3, 2))
	stepped := must(t, common, stepTo(63, 2))
	other := func(id int, c change) *splitter.State {
		s := must(t, common, c)
		s.ID = s.ID + "-other"
		s.Placed = []splitter.Version{s.Version}
		return s
	}
	const met = "alice: two histories of the split were brought together"
	for name, tt := range map[string]struct {
		ours, theirs *splitter.State
		paused       string
		step         int
		phase        splitter.Phase
	}{
		"a step against a pause":      {stepped, other(63, pause(63)), "alice: trying", 1, trial},
		"a step against an approval":  {stepped, other(63, policy(63)), met, 1, trial},
		"a step against a failback":   {stepped, other(63, failback(63)), "", 1, failedBack},
		"a step that only was lost":   {stepped, common, "", 2, trial},
		"a pause that only was lost":  {must(t, common, pause(4)), common, "alice: trying", 1, trial},
		"a pause against a kill":      {must(t, common, pause(4)), must(t, common, kill(5, "k", "green")), "alice: trying", 1, trial},
		"a step against a first file": {stepped, created(t, planned()), "", 2, trial},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.theirs.Descends(tt.ours.Version) {
				t.Fatal("theirs comes from ours: nothing would be brought together")
			}
			got := planGistOf(reconciled(t, tt.ours, tt.theirs, 99))
			if got.Paused != tt.paused || got.Step != tt.step || got.Phase != tt.phase {
				t.Errorf("got %+v, want paused %q at step %d in %v", got, tt.paused, tt.step, tt.phase)
			}
		})
	}
}

// A verdict fails back what is paused too, and the cooldown grows as ever.
func TestFailbackOfAPlan(t *testing.T) {
	s := must(t, created(t, planned()), started(2), pause(3), failback(4))
	if got, want := s.Cooldown, (splitter.Cooldown{Until: later(4).Now.Add(15 * time.Minute), Failbacks: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := planGistOf(s); got.Paused != "" || got.Step != 1 {
		t.Errorf("got %+v, want the step that it failed at, and no pause", got)
	}
}
