package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// A member that is silent holds a step; after a minute only if it had a hundredth of the requests, also when another one
// folds by then.
func TestSilentMembers(t *testing.T) {
	for name, tt := range map[string]struct {
		share int // of the silent one, in requests a second beside 60
		steps bool
	}{
		"with traffic":    {30, false},
		"without traffic": {0, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				plan := planOf(50, 100)
				plan.Watch = health.Duration(time.Hour)
				plan.Gates = []rollout.Gate{{Approval: true}}
				def := rolling(plan)
				first := start(t, s, "proxy-1", def)
				elapse(2 * time.Second)
				second, third := start(t, s, "proxy-2", def), start(t, s, "proxy-3", def)
				begins(t, s, def)
				for range 20 {
					third.asked(0, tt.share, 0)
					serve(1, healthy, first, second)
				}
				third.link.set(away)
				serve(20, healthy, first, second)
				if _, err := second.ApproveStep(t.Context(), "assistant", rollout.StepRequest{Step: 2}, alice); err != nil {
					t.Fatal(err)
				}
				serve(5, healthy, first, second)
				for _, p := range []*proxy{first, second} {
					if got := p.waits(t); !cmp.Equal(got, []rollout.WaitFor{rollout.WaitMembers}) {
						t.Errorf("%s waits for %v", p.opts.Instance, got)
					}
					if got := encode(t, p.status(t).Plan.Waits); !strings.Contains(got, "proxy-3") {
						t.Errorf("%s says %s, want proxy-3 named", p.opts.Instance, got)
					}
				}
				first.close(t)
				serve(90, healthy, second)
				if got := atStep(t, s) == 2; got != tt.steps {
					t.Errorf("took the step: %v, want %v", got, tt.steps)
				}
				if !tt.steps {
					if got := encode(t, second.status(t).Plan.Waits); !strings.Contains(got, "proxy-3 is silent for") {
						t.Errorf("it says %s", got)
					}
				}
			})
		})
	}
}

// A member whose way is so bad that it does not hear of a State holds the next step.
func TestLaggingMember(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		plan := planOf(10, 50, 100)
		plan.Watch = health.Duration(time.Hour)
		plan.Steps[0].Bake = health.Duration(30 * time.Second)
		def := rolling(plan)
		first := start(t, s, "proxy-1", def)
		elapse(2 * time.Second)
		begins(t, s, def)
		serve(5, healthy, first) // so that it folds
		other := start(t, s, "proxy-2", def)
		serve(5, healthy, first, other)
		other.link.set(unread)
		serve(60, healthy, first, other)
		if got := encode(t, first.status(t).Plan.Waits); !strings.Contains(got, "proxy-2 decides by revision 2 and not yet by 3") {
			t.Errorf("it says %s", got)
		}
		if got := atStep(t, s); got != 2 {
			t.Errorf("it is at step %d", got)
		}
		other.link.set(none)
		within(t, 20, "the step", healthy, func() bool { return atStep(t, s) == 3 }, first, other)
	})
}

// Members whose clocks differ by seconds count alike.
func TestRolloutWithClocksThatDiffer(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := rolling(planOf(10, 50, 100))
		first := start(t, s, "proxy-1", def)
		elapse(2 * time.Second)
		var fleet []*proxy
		for name, off := range map[string]time.Duration{"proxy-2": 2 * time.Second, "proxy-3": -3 * time.Second} {
			p := newProxy(t, s, name, def)
			p.link.sets(func(l *link) { l.ahead = off })
			p.mustStart(t)
			fleet = append(fleet, p)
		}
		fleet = append(fleet, first)
		serve(60, healthy, fleet...)
		begins(t, s, def)
		within(t, 120, "the promotion", healthy, func() bool { return stored(t, s).Stable == "green" }, fleet...)
		wantKinds(t, s, "created", "started", "step", "step", "promoted")
	})
}
