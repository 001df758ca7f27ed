package rollout_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

func TestRolloutsRefused(t *testing.T) {
	without := func(change func(*rollout.Definition)) rollout.Definition {
		def := planned()
		change(&def)
		return def
	}
	noReason := func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.Retry(prev, planned(), rollout.RetryRequest{}, rollout.By{Reason: "  "}, later(9))
	}
	three := without(func(def *rollout.Definition) { def.Variants = append(def.Variants, rollout.Variant{Name: "red"}) })
	next := without(func(def *rollout.Definition) {
		def.Stable, def.Canary, def.Variants = "green", "lime", []rollout.Variant{{Name: "green", Weight: splitter.Full}, {Name: "lime"}}
	})
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
	stale := found(func(f *rollout.Findings) { f.Stale = "the last 20 s are not judged yet" })
	for name, tt := range map[string]struct {
		in   []change // on a State with everybody on blue; the last one is looked at
		want error
		says string
	}{
		"start twice": {[]change{started(2), started(3)},
			rollout.ErrRefused, "a trial of \"green\" is under way, which has 1%"},
		"start beside a trial": {[]change{green(2, 5), started(3)},
			rollout.ErrRefused, "which has 5% (phase trial); `abort` ends it"},
		"start without a canary": {[]change{adopt(2, planned(), rollout.AdoptRequest{Stable: "blue"}), started(3)},
			rollout.ErrRefused, "has no canary"},
		"start a killed canary": {[]change{kill(2, "k", "green"), started(3)}, rollout.ErrRefused, `"green" is killed`},
		"start a killed split":  {[]change{kill(2, "k", ""), started(3)}, rollout.ErrRefused, `"green" is killed`},
		"start a retired canary": {[]change{retire(2, "green", false), started(3)},
			rollout.ErrRefused, `"green" of "assistant" is retired`},
		"start beside others": {[]change{red(2, 5), started(3)}, rollout.ErrRefused, `"blue" (stable) of "assistant" has 95%`},
		"start without its route": {[]change{begin(2, without(func(d *rollout.Definition) { d.Variants = d.Variants[:1] }), none)},
			rollout.ErrUnknownVariant, `"green" is not a variant`},
		"start without stable": {[]change{begin(2, without(func(d *rollout.Definition) { d.Variants = d.Variants[1:] }), none)},
			rollout.ErrUnknownVariant, `"blue" is not a variant`},
		"start without a judge": {[]change{begin(2, without(func(d *rollout.Definition) { d.Policy.Failback = nil }), none)},
			rollout.ErrRefused, "failback is off"},
		"start by a bad plan": {[]change{begin(2, planned(), rollout.StartRequest{Plan: &rollout.Plan{}})},
			rollout.ErrInvalid, "the last must be 100%"},
		"start what failed": {[]change{started(2), failback(3), started(99)}, rollout.ErrRefused, "`retry` tries it again"},
		"start in a cooldown": {[]change{started(2), failback(3), begin(4, declaring(planned(), "v2"), none)},
			rollout.ErrCooldown, "use force"},
		"retry without a reason": {[]change{started(2), failback(3), noReason}, rollout.ErrInvalid, "needs a reason"},
		"retry of nothing": {[]change{retry(2, rollout.RetryRequest{})},
			rollout.ErrRefused, "neither failed back nor aborted"},
		"retry after a rollback": {[]change{started(2), promoted(3), rollBack(4, planned()), retry(5, rollout.RetryRequest{})},
			rollout.ErrRefused, "neither failed back nor aborted"},
		"retry in a cooldown": {[]change{started(2), failback(3), retry(4, rollout.RetryRequest{})},
			rollout.ErrCooldown, "use force"},
		"retry of a trial": {[]change{started(2), retry(3, rollout.RetryRequest{})}, rollout.ErrRefused, "is under way"},
		"pause of nothing": {[]change{pause(2)}, rollout.ErrRefused, "no rollout of \"assistant\" is under way"},
		"pause of a trial": {[]change{green(2, 5), pause(3)},
			rollout.ErrRefused, "no rollout of \"assistant\" is under way (its phase is trial)"},
		"pause twice":      {[]change{started(2), pause(3), pause(4)}, errNothing, ""},
		"resume what runs": {[]change{started(2), resume(3)}, errNothing, ""},
		"approve another": {[]change{started(2), approve(3, 3)},
			rollout.ErrStep, "step 3 was to be opened, and step 2 of 4 (10%) is the next"},
		"approve twice": {[]change{started(2), approve(3, 2), approve(4, 2)}, errNothing, ""},
		"approve without a gate": {[]change{started(2), approve(3, 2), stepTo(63, 2), approve(64, 3)},
			rollout.ErrRefused, "nobody needs to approve step 3 of 4 (50%)"},
		"approve the promotion": {[]change{switchTo(2, "green"), approve(3, 2)},
			rollout.ErrRefused, "nobody needs to approve the promotion"},
		"step without approval": {[]change{started(2), stepTo(63, 2)}, errNothing, ""},
		"step on a fail":        {[]change{started(2), approve(3, 2), stepOn(63, 2, fail)}, errNothing, ""},
		"step on doubt":         {[]change{started(2), approve(3, 2), stepOn(63, 2, doubt)}, errNothing, ""},
		"step before a webhook": {[]change{started(2), approve(3, 2), stepOn(63, 2, closed)}, errNothing, ""},
		"step too far":          {[]change{started(2), approve(3, 2), stepTo(63, 3)}, errNothing, ""},
		"step without evidence": {[]change{started(2), approve(3, 2), stepOn(63, 2, func(*splitter.State) rollout.Findings {
			return rollout.Findings{Verdict: passing}
		})}, errNothing, ""},
		"step while paused":       {[]change{started(2), approve(3, 2), pause(4), stepTo(63, 2)}, errNothing, ""},
		"step of nothing":         {[]change{stepTo(2, 0)}, errNothing, ""},
		"pause on a pass":         {[]change{begin(2, pausing(), none), pausePlan(3, passing)}, errNothing, ""},
		"pause where all go back": {[]change{started(2), pausePlan(3, failing)}, errNothing, ""},
		"pause a trial by hand":   {[]change{green(2, 5), pausePlan(3, failing)}, errNothing, ""},
		"weights of a plan": {[]change{started(2), green(3, 5)},
			rollout.ErrRefused, "a rollout moves the share of \"green\" (step 1, 1%); `pause` it"},
		"weights for others":      {[]change{started(2), pause(3), red(4, 5)}, rollout.ErrRefused, "`abort` it first"},
		"weights of what is gone": {[]change{retire(2, "green", false), green(3, 5)}, rollout.ErrRefused, "is retired"},
		"adopt what is gone": {[]change{retire(2, "green", false), adopt(3, assistant(90, 10), rollout.AdoptRequest{})},
			rollout.ErrRefused, "is retired"},
		"adopt as stable": {[]change{retire(2, "green", false), adopt(3, planned(), rollout.AdoptRequest{Stable: "green"})},
			rollout.ErrRefused, "is retired"},
		"rename to what is gone": {[]change{retire(2, "green", false), adopt(3, planned(), rollout.AdoptRequest{Stable: "blue"}), rename(4, "blue", "green")},
			rollout.ErrRefused, "is retired"},
		"promote nothing": {[]change{promote(2, rollout.PromoteRequest{})}, rollout.ErrRefused, "no rollout"},
		"promote what failed back": {[]change{started(2), failback(3), promote(4, rollout.PromoteRequest{})},
			rollout.ErrRefused, "`retry` begins one again, `start` one of another version"},
		"promote a trial": {[]change{green(2, 5), promote(3, rollout.PromoteRequest{})},
			rollout.ErrRefused, "no rollout"},
		"promote nothing in full": {[]change{promoted(2)}, rollout.ErrRefused, "no rollout"},
		"promote another step": {[]change{started(2), promote(3, rollout.PromoteRequest{Step: 2})},
			rollout.ErrStep, "step 2 was seen, it is step 1 by now"},
		"promote what is paused": {[]change{started(2), pause(3), promoted(4)},
			rollout.ErrRefused, "paused by alice: trying; `resume` it first"},
		"promote what is killed": {[]change{started(2), kill(3, "k", "green"), promoted(4)}, rollout.ErrRefused, "is killed"},
		"promote what fails": {[]change{started(2), promoteOn(3, rollout.PromoteRequest{Full: true}, fail)},
			rollout.ErrRefused, `"green" fails: 30 of 40 failed`},
		"promote in doubt": {[]change{started(2), promoteOn(3, rollout.PromoteRequest{}, doubt)},
			rollout.ErrRefused, "is inconclusive, not pass: too few"},
		"promote on an old pass": {[]change{started(2), promoteOn(3, rollout.PromoteRequest{}, stale)},
			rollout.ErrRefused, "the last 20 s are not judged yet; `--full`"},
		"promote before a webhook": {[]change{started(2), promoteOn(3, rollout.PromoteRequest{}, closed)},
			rollout.ErrRefused, "deploys are frozen; `--full`"},
		"abort nothing": {[]change{abort(2)}, rollout.ErrRefused, "no trial of \"assistant\" is under way"},
		"abort twice": {[]change{started(2), abort(3), abort(4)},
			rollout.ErrRefused, "(its phase is idle): \"green\" was aborted by alice 1m ago, at 2026-11-22 12:03:00 UTC, already"},
		"roll back nothing": {[]change{rollBack(2, planned())},
			rollout.ErrRefused, "by no promotion that could be taken back"},
		"roll back twice": {[]change{started(2), promoted(3), rollBack(4, planned()), rollBack(5, planned())},
			rollout.ErrRefused, "\"green\" was rolled back by alice 1m ago, at 2026-11-22 12:04:00 UTC, already; `start` or `switch` begins anew"},
		"roll back two promotions": {[]change{started(2), promoted(3), started(4), promoted(5), rollBack(6, planned()), rollBack(7, planned())},
			rollout.ErrRefused, "\"blue\" was rolled back by alice 1m ago, at 2026-11-22 12:06:00 UTC, already; `start` or `switch` begins anew, " +
				"and `rollback --to blue` takes back the promotion of \"green\" all the same"},
		"roll back after an abort": {[]change{started(2), promoted(3), started(4), abort(5), rollBack(6, planned())},
			rollout.ErrRefused, "\"blue\" was aborted by alice 1m ago"},
		"roll back after weights of nothing": {[]change{started(2), promoted(3), weights(4, map[string]splitter.Weight{"blue": 5 * percent}),
			weights(5, map[string]splitter.Weight{"blue": 0}), rollBack(6, planned())},
			rollout.ErrRefused, "\"blue\" was given 0% by alice 1m ago"},
		"roll back after adopt of nothing": {[]change{started(2), promoted(3), started(4),
			adopt(5, planned(), rollout.AdoptRequest{Stable: "green", Canary: "red"}), rollBack(6, three)},
			rollout.ErrRefused, "\"blue\" was given 0% by alice 1m ago"},
		"roll back to another": {[]change{started(2), promoted(3), started(4), abort(5), rollBackTo(6, planned(), "red")},
			rollout.ErrRefused, `leads to "blue", which was stable before "green", and not to "red"`},
		"roll back to stable": {[]change{started(2), promoted(3), started(4), abort(5), rollBackTo(6, planned(), "green")},
			rollout.ErrRefused, `"green" is stable already`},
		"roll back to where it led": {[]change{started(2), promoted(3), rollBackTo(4, planned(), "blue"), rollBackTo(5, planned(), "blue")},
			rollout.ErrRefused, `"blue" is stable already`},
		"roll back to what failed, said so": {[]change{started(2), promoted(3), started(4), failback(5), rollBackTo(6, planned(), "blue")},
			rollout.ErrRefused, `"blue" was failed back since`},
		"switch back twice": {[]change{started(2), promoted(3), switchTo(4, "blue"), switchBack(5), switchBack(6)},
			rollout.ErrRefused, "\"blue\" was switched back by alice 1m ago, at 2026-11-22 12:05:00 UTC, already"},
		"switch back a promotion twice": {[]change{started(2), promoted(3), switchTo(4, "blue"), promoted(5), switchBack(6), switchBack(7)},
			rollout.ErrRefused, "\"blue\" was switched back by alice 1m ago"},
		"roll back after a switch back": {[]change{started(2), promoted(3), switchTo(4, "blue"), switchBack(5), kill(6, "k", "red"), rollBack(7, planned())},
			rollout.ErrRefused, "\"blue\" was switched back by alice 2m ago"},
		"switch back as another release noted it": {[]change{started(2), promoted(3), switchTo(4, "blue"), switchBack(5), unnoted, switchBack(6)},
			rollout.ErrRefused, "\"blue\" was aborted 1m ago"},
		"roll back as another release noted it": {[]change{started(2), promoted(3), started(4), promoted(5), rollBack(6, planned()), unnoted, rollBack(7, planned())},
			rollout.ErrRefused, "\"blue\" was rolled back 1m ago"},
		"roll back in a trial": {[]change{started(2), promoted(3), started(4), rollBack(5, planned())},
			rollout.ErrRefused, "a trial of \"blue\" is under way"},
		"roll back to what is gone": {[]change{started(2), promoted(3), retire(4, "blue", false), rollBack(5, planned())}, rollout.ErrRefused,
			`"blue" of "assistant" is retired`},
		"roll back to what is killed": {[]change{started(2), promoted(3), kill(4, "k", "blue"), rollBack(5, planned())},
			rollout.ErrRefused, "killed"},
		"roll back to what failed": {[]change{started(2), promoted(3), started(4), failback(5), rollBack(6, planned())},
			rollout.ErrRefused, `"blue" was failed back since`},
		"roll back without its route": {[]change{started(2), promoted(3), rollBack(4, without(func(d *rollout.Definition) { d.Variants = d.Variants[1:] }))},
			rollout.ErrUnknownVariant, `it was stable before "green"`},
		"roll back to another version": {[]change{begin(2, v("v1", "v2"), none), declaredAgain(3, v("v1", "v2")), promoted(4), rollBack(5, v("v3", "v2"))},
			rollout.ErrRefused, `"blue" declares version "v3", and was stable with "v1"`},
		"roll back after adopt": {[]change{started(2), promoted(3), adopt(4, planned(), rollout.AdoptRequest{Force: true}), rollBack(5, planned())},
			rollout.ErrRefused, `"blue" is stable in "assistant" by no promotion`},
		"adopt a file from before a promotion": {[]change{started(2), promoted(3), adopt(4, planned(), rollout.AdoptRequest{})}, rollout.ErrRefused,
			`"green" was promoted in place of "blue" at 2026-11-22 12:03:00 UTC, and the file still says stable "blue": write ` + "`stable green` into it"},
		"start what the file does not have": {[]change{started(2), promoted(3), begin(4, next, none)},
			rollout.ErrUnknownVariant, "`split adopt assistant` lets the state follow the file, whose canary is \"lime\""},
		"switch to stable":        {[]change{switchTo(2, "blue")}, rollout.ErrRefused, `"blue" is stable already`},
		"switch to nobody":        {[]change{switchTo(2, "grey")}, rollout.ErrUnknownVariant, `"grey" is not a variant`},
		"switch in a trial":       {[]change{started(2), switchTo(3, "green")}, rollout.ErrRefused, "is under way"},
		"switch to what failed":   {[]change{started(2), failback(3), switchTo(99, "green")}, rollout.ErrRefused, "step by step"},
		"switch back in a step":   {[]change{started(2), switchBack(3)}, rollout.ErrRefused, "`abort` ends it"},
		"switch back of nothing":  {[]change{switchBack(2)}, rollout.ErrRefused, "by no promotion"},
		"retire stable":           {[]change{retire(2, "blue", false)}, rollout.ErrRefused, `"blue" is stable in "assistant"`},
		"retire what has users":   {[]change{green(2, 5), retire(3, "green", false)}, rollout.ErrRefused, `"green" has 5%`},
		"retire nobody":           {[]change{retire(2, "grey", false)}, rollout.ErrUnknownVariant, `"grey" is not a variant`},
		"abort to what is gone":   {[]change{switchTo(2, "green"), retire(3, "blue", false), abort(4)}, rollout.ErrRefused, `"blue" of "assistant" is retired`},
		"fail to what is gone":    {[]change{switchTo(2, "green"), retire(3, "blue", false), failback(4)}, errNothing, ""},
		"retire stable midway":    {[]change{started(2), retire(3, "blue", false)}, rollout.ErrRefused, "no canary has its place yet"},
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

// unnoted is a State as a release before this one left it.
func unnoted(prev *splitter.State) (rollout.Changed, error) {
	n := prev.Clone()
	n.Left = splitter.Left{}
	return rollout.Changed{State: n}, nil
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
