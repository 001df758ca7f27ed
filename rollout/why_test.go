package rollout_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// whyIs fails the test unless an instance's sentences have these in them, and none has a placeholder that was not filled.
func (p *proxy) whyIs(t *testing.T, when string, want ...string) {
	t.Helper()
	list, err := p.Why("assistant")
	if err != nil {
		t.Fatalf("%s: Why: %v", when, err)
	}
	text := strings.Join(list, "\n")
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s: got\n%s\nwant %q in it", when, text, w)
		}
	}
	if strings.Contains(text, "%!") {
		t.Errorf("%s: got\n%s", when, text)
	}
}

// A verdict by which no plan moves is not told as one.
func TestWhyWithoutTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		plan := planOf(10, 100)
		plan.Steps[0].Bake = health.Duration(10 * time.Minute)
		def := rolling(plan)
		p := start(t, s, "proxy-1", def)
		serve(15, healthy, p)
		begins(t, s, def)
		serve(30, healthy, p)
		p.link.set(away)
		serve(10, healthy, p)
		p.whyIs(t, "away", "There is no verdict: the fleet's requests cannot be judged together for now. "+
			"By its own requests alone, this instance finds ", "no pass yet: the fleet's requests cannot be judged together for now")
		if list, _ := p.Why("assistant"); strings.Contains(strings.Join(list, "\n"), "The verdict is") {
			t.Errorf("away: got %q, want no verdict", list)
		}
	})
}

// Why says what is going on in each phase of a split's life.
func TestWhy(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		plan := planOf(10, 100)
		plan.MinRequests, plan.Watch = 100_000, health.Duration(time.Hour)
		plan.Steps[0].Bake = health.Duration(10 * time.Minute)
		def := rolling(plan)
		p := start(t, s, "proxy-1", def)
		serve(15, healthy, p)
		p.whyIs(t, "idle", "blue is stable and no rollout is under way: `split start` begins one of green.")
		begins(t, s, def)
		serve(90, healthy, p)
		p.whyIs(t, "in a step", "green is at step 1 of 2, with 10%, reached 1m30s ago", "The verdict is pass: ",
			"Waits for bake: ", "Waits for minimum: ", "Next is step 2 (100%), at 2000-01-01 00:10", "at the earliest.",
			"Warning: min_requests 100000 is more than green sees at 10% in 10m: at the present rate it takes ")
		asked := func(what string, f func(context.Context, string, rollout.By) (rollout.Result, error)) {
			if _, err := f(t.Context(), "assistant", alice); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		asked("pause", p.PauseRollout)
		p.whyIs(t, "paused", "Waits for resume: paused by alice: trying")
		p.kills(t, "green")
		p.whyIs(t, "killed", "green was killed 0s ago", "by alice", "Waits for revival: green is killed")
		p.revives(t)
		asked("resume", p.ResumeRollout)
		p.link.set(away)
		serve(5, healthy, p)
		p.whyIs(t, "store away", "The store is away", "Warning: the store is away: no step is taken until it is back.")
		p.link.set(none)
		serve(5, healthy, p)
		asked("abort", p.AbortRollout)
		p.whyIs(t, "aborted", "The last rollout was aborted 0s ago", "It was aborted by alice")
		p.set(t, 10)
		serve(5, healthy, p)
		p.whyIs(t, "by hand", "green has 10% and is on trial since ", "no plan moves it, people do")
		serve(60, broken, p)
		p.whyIs(t, "failed back", "green failed back to blue ", "`split retry`", "may not be increased before ")
	})
}

// Why says how a watch stands, and who was promoted.
func TestWhyAfterAWatch(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		plan := planOf(100)
		plan.Watch = health.Duration(2 * time.Minute)
		def := rolling(plan)
		p := start(t, s, "proxy-1", def)
		serve(15, healthy, p)
		begins(t, s, def)
		serve(30, healthy, p)
		p.whyIs(t, "watched", "green has 100%", "it is watched for 2m, and then promoted.", "Next is the promotion, at ")
		within(t, 150, "the promotion", healthy, func() bool { return stored(t, s).Stable == "green" }, p)
		p.whyIs(t, "promoted", "green was promoted ", "No rollout is under way.")
	})
}

func TestWhyOfNothing(t *testing.T) {
	p := newProxy(t, newStore(t), "proxy-1", assistant(100, 0))
	p.whyIs(t, "blind", "No state is known yet: blue serves everyone")
	if _, err := p.Why("nothing"); err == nil {
		t.Error("Why of an unknown split: got no error")
	}
}
