package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// planOf is a plan of steps of so many percent, of a second each, that asks for nothing but the verdict.
func planOf(percents ...splitter.Weight) rollout.Plan {
	p := rollout.Plan{NoTraffic: health.Duration(time.Hour), Watch: health.Duration(time.Second)}
	for _, w := range percents {
		p.Steps = append(p.Steps, rollout.Step{Weight: w * percent, Bake: health.Duration(time.Second)})
	}
	p.Steps[len(p.Steps)-1].Bake = 0
	return p
}

// rolling is strict with green at nothing, and a plan.
func rolling(plan rollout.Plan) rollout.Definition {
	def := strict(100, 0, noTrickle)
	def.Plan = &plan
	return def
}

// begins begins a rollout by a definition's plan, as somebody at another instance would.
func begins(t *testing.T, s *embedded.Store, def rollout.Definition) {
	t.Helper()
	prev := stored(t, s)
	c, err := rollout.Start(prev, def, rollout.StartRequest{}, alice, rollout.Seed{Now: time.Now(), ID: "started", Salt: "salt"})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	if err := s.Swap(t.Context(), prev.Version, c.State, c.Event); err != nil {
		t.Fatalf("Swap: %v", err)
	}
	elapse(100 * time.Millisecond)
}

// waits lists what an instance says a rollout waits for.
func (p *proxy) waits(t *testing.T) (list []rollout.WaitFor) {
	t.Helper()
	st := p.status(t)
	if st.Plan == nil {
		t.Fatalf("%s: no plan runs, phase %s", p.opts.Instance, st.State.Progress.Phase)
	}
	for _, w := range st.Plan.Waits {
		list = append(list, w.For)
	}
	return list
}

// within serves traffic until a condition holds, and fails the test if it does not within so many seconds.
func within(t *testing.T, seconds int, what string, x traffic, until func() bool, fleet ...*proxy) {
	t.Helper()
	for range seconds {
		if until() {
			return
		}
		serve(1, x, fleet...)
	}
	t.Fatalf("not within %d s: %s", seconds, what)
}

// atStep returns the step that a store's State is at, of a trial.
func atStep(t *testing.T, s store.Store) int {
	t.Helper()
	return stored(t, s).Progress.Step
}

// A rollout goes by itself from the first step to the promotion.
func TestRolloutRunsItself(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := rolling(planOf(1, 25, 100))
		fleet := starts(t, s, 3, def)
		serve(15, healthy, fleet...)
		begins(t, s, def)
		within(t, 120, "the promotion", healthy, func() bool { return stored(t, s).Stable == "green" }, fleet...)
		wantKinds(t, s, "created", "started", "step", "step", "promoted")
		got := stored(t, s)
		if got.Progress.Ended != splitter.EndPromoted || got.Canary != "blue" || got.Weights()["green"] != splitter.Full {
			t.Errorf("got %+v with weights %v, want green promoted", got.Progress, got.Weights())
		}
		for _, p := range fleet {
			if st := p.status(t); st.Plan != nil {
				t.Errorf("%s: a plan runs yet: %+v", p.opts.Instance, st.Plan)
			}
		}
	})
}

// holding says what keeps a plan from going on for ever.
type holding struct {
	change func(*rollout.Plan)
	want   rollout.WaitFor
}

// A plan goes no further while anything is waited for, and every instance says for what.
func TestRolloutWaits(t *testing.T) {
	for name, tt := range map[string]holding{
		"bake":     {func(p *rollout.Plan) { p.Steps[0].Bake = health.Duration(time.Hour) }, rollout.WaitBake},
		"requests": {func(p *rollout.Plan) { p.MinRequests = 1_000_000 }, rollout.WaitMinimum},
		"users":    {func(p *rollout.Plan) { p.MinUsers = 1_000_000 }, rollout.WaitMinimum},
		"approval": {func(p *rollout.Plan) { p.Gates = []rollout.Gate{{Approval: true}} }, rollout.WaitApproval},
		"window": {func(p *rollout.Plan) {
			p.Window = &rollout.Window{From: 14 * 60, To: 15 * 60} // the bubble begins at midnight
		}, rollout.WaitWindow},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				plan := planOf(10, 100)
				tt.change(&plan)
				def := rolling(plan)
				fleet := starts(t, s, 2, def)
				serve(15, healthy, fleet...)
				begins(t, s, def)
				serve(60, healthy, fleet...)
				for _, p := range fleet {
					if got := p.waits(t); !cmp.Equal(got, []rollout.WaitFor{tt.want}) {
						t.Errorf("%s waits for %v, want %s alone", p.opts.Instance, got, tt.want)
					}
				}
				if got := atStep(t, s); got != 1 {
					t.Errorf("it is at step %d, want 1", got)
				}
			})
		})
	}
}

// Without requests of the canary nothing goes on, and people are told once; it is no failure.
func TestRolloutWithoutTraffic(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		plan := planOf(10, 100)
		plan.NoTraffic = health.Duration(time.Minute)
		def := rolling(plan)
		fleet := starts(t, s, 2, def)
		begins(t, s, def)
		serve(180, traffic{blue: 30}, fleet...)
		if got := fleet[0].waits(t); !slices.Contains(got, rollout.WaitTraffic) {
			t.Errorf("waits for %v, want traffic", got)
		}
		wantKinds(t, s, "created", "started", "no_traffic")
	})
}

// What is counted of a step counts once, whoever folds it, and nothing of it is lost.
func TestTallyIsTakenOver(t *testing.T) {
	for name, goes := range map[string]func(t *testing.T, p *proxy){
		"stays":   func(*testing.T, *proxy) {},
		"closed":  func(t *testing.T, p *proxy) { p.close(t) },
		"cut off": func(_ *testing.T, p *proxy) { p.link.set(away) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				plan := planOf(50, 100)
				plan.Steps[0].Bake = health.Duration(time.Hour)
				def := rolling(plan)
				first := start(t, s, "proxy-1", def)
				elapse(2 * time.Second)
				begins(t, s, def)
				elapse(5 * time.Second) // so that it folds
				others := []*proxy{start(t, s, "proxy-2", def), start(t, s, "proxy-3", def)}
				elapse(10 * time.Second)
				began := time.Now() // a step's time begins with its first request
				serve(27, traffic{blue: 20, green: 10}, others...)
				if len(first.link.sealed()) == 0 {
					t.Fatal("the first proxy does not fold")
				}
				goes(t, first)
				serve(23, traffic{blue: 20, green: 10}, others...)
				elapse(60 * time.Second)
				for _, p := range others {
					got := p.status(t).Plan.Tally
					if got.Requests != 50*2*10 || got.Baseline != 50*2*20 {
						t.Errorf("%s: counted %d requests and %d of stable, want 1000 and 2000", p.opts.Instance, got.Requests, got.Baseline)
					}
					if d := time.Since(began).Seconds() - float64(got.Baked); d < 0 || d > 8 {
						t.Errorf("%s: %d s were baked of %v", p.opts.Instance, got.Baked, time.Since(began))
					}
				}
			})
		})
	}
}

// Time in which nobody counts is no bake.
func TestTimeDownIsNotBaked(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		plan := planOf(50, 100)
		plan.Watch = health.Duration(time.Hour)
		plan.Steps[0].Bake = health.Duration(2 * time.Minute)
		def := rolling(plan)
		p := start(t, s, "proxy-1", def)
		serve(10, healthy, p)
		begins(t, s, def)
		serve(60, healthy, p)
		p.link.set(away)
		serve(300, healthy, p)
		if w := p.status(t).Plan.Warnings; len(w) == 0 || !strings.Contains(w[0], "the store is away") {
			t.Errorf("warnings: got %q, want that the store is away", w)
		}
		p.link.set(none)
		serve(40, healthy, p)
		if got := p.status(t).Plan.Tally.Baked; got < 85 || got > 105 || atStep(t, s) != 1 {
			t.Errorf("after 100 s and 300 s away: %d s were baked, at step %d", got, atStep(t, s))
		}
		serve(30, healthy, p)
		if got := atStep(t, s); got != 2 {
			t.Errorf("after another 30 s: at step %d, want 2", got)
		}
	})
}
