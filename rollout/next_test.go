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
	"github.com/switchback-proxy/switchback/store/embedded"
)

// rolled is the State of a rollout that has just begun, and its plan.
func rolled(t *testing.T, def rollout.Definition) (*splitter.State, rollout.Plan) {
	t.Helper()
	c, err := rollout.Start(created(t, def), def, rollout.StartRequest{}, alice, rollout.Seed{Now: noon, ID: "started", Salt: "salt"})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	plan, err := rollout.PlanOf(c.State)
	if err != nil {
		t.Fatalf("PlanOf: %v", err)
	}
	return c.State, *plan
}

// A pass on requests of the canary alone takes no step: what it is held against is the past.
func TestNoStepWithoutABaseline(t *testing.T) {
	s, plan := rolled(t, rolling(planOf(50, 100)))
	f := rollout.Findings{Verdict: health.Verdict{Result: health.Pass},
		Tally: rollout.Tally{Epoch: s.Epoch, Step: 1, Baked: 60, Requests: 1000}}
	m := rollout.Next(plan, s, f, noon.Add(time.Minute))
	want := []rollout.Wait{{For: rollout.WaitVerdict, Text: "no request of blue in this step yet that green could be compared with"}}
	if diff := cmp.Diff(want, m.Waits); diff != "" || m.To != 0 {
		t.Errorf("without a baseline: step %d, waits (-want +got):\n%s", m.To, diff)
	}
	f.Tally.Baseline = 1
	if m := rollout.Next(plan, s, f, noon.Add(time.Minute)); m.To != 2 {
		t.Errorf("with one: got %+v, want step 2", m)
	}
}

// A paused step whose canary was given another share by hand is spoken of by that.
func TestBakeTextOfAShareByHand(t *testing.T) {
	def := rolling(planOf(50, 100))
	s, plan := rolled(t, def)
	for _, change := range []func() (rollout.Changed, error){
		func() (rollout.Changed, error) {
			c, _, err := rollout.Pause(s, alice, rollout.Seed{Now: noon, ID: "paused", Salt: "salt"})
			return c, err
		},
		func() (rollout.Changed, error) {
			return rollout.SetWeights(s, def, rollout.WeightChange{Weights: map[string]splitter.Weight{"green": 7 * percent}}, alice,
				rollout.Seed{Now: noon, ID: "weighed", Salt: "salt"})
		},
	} {
		c, err := change()
		if err != nil {
			t.Fatal(err)
		}
		s = c.State
	}
	want := rollout.Wait{For: rollout.WaitBake, Text: "0s of 1s at 7%"}
	if m := rollout.Next(plan, s, rollout.Findings{}, noon); !slices.Contains(m.Waits, want) {
		t.Errorf("waits for %+v, want %+v among them", m.Waits, want)
	}
}

// Whoever applies a policy by which a rollout cannot come to its end is told so.
func TestPolicyThatARolloutCannotEndBy(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := plannedJudge()
		p := start(t, s, "proxy-1", def)
		elapse(2 * time.Second)
		if _, err := starting(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		def.Policy.Judge = nil
		p.reload(t, def)
		r, err := p.ApplyPolicy(t.Context(), "assistant", alice)
		if want := "the judge is off, so that no traffic stays on"; err != nil || !strings.Contains(r.Note, want) {
			t.Errorf("note: got %q, %v, want %q", r.Note, err, want)
		}
	})
}

// A proxy that was killed and is back is waited for by its name once, not as the run before as well.
func TestRestartedMemberIsNamedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := rolling(planOf(50, 100))
		fleet := starts(t, s, 2, def)
		serve(15, healthy, fleet...)
		begins(t, s, def)
		serve(3, healthy, fleet...)
		fleet[1].link.set(away)
		start(t, s, "proxy-2", def)
		for range 12 {
			serve(1, healthy, fleet[0])
			st := fleet[0].status(t)
			if st.Plan == nil {
				t.Fatalf("phase %s", st.State.Progress.Phase)
			}
			named := 0
			for _, w := range st.Plan.Waits {
				if w.For == rollout.WaitMembers && strings.HasPrefix(w.Text, "proxy-2 ") {
					named++
				}
			}
			if named > 1 {
				t.Fatalf("waits: %+v", st.Plan.Waits)
			}
		}
	})
}
