package rollout_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

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
		var got rollout.Grounds
		if err := json.Unmarshal(c.Event.Evidence, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if hasTally := got.Tally != nil; hasTally != (name != "pause") {
			t.Errorf("%s: tells what the step had seen: %t", name, hasTally)
		}
		if got.Result != tt.want.Result || got.Reason != tt.want.Reason {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
		if !strings.Contains(c.State.Changed.Reason, tt.want.Reason) && name != "promotion" {
			t.Errorf("%s: got reason %q, want it to say %q", name, c.State.Changed.Reason, tt.want.Reason)
		}
	}
}
