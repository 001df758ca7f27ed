package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// waited returns why people were told that a rollout waits, oldest first.
func waited(t *testing.T, s store.Store) (reasons []string) {
	t.Helper()
	events, err := s.Events(t.Context(), "assistant", 1000)
	if err != nil {
		t.Fatalf("Events: %v", err)
	}
	for i := range events {
		if ev := events[len(events)-1-i]; ev.Kind == rollout.KindWaiting {
			reasons = append(reasons, ev.Reason)
		}
	}
	return reasons
}

// A member that holds a step for two minutes is told of, once in the step, with what to do.
func TestMembersThatHoldAStepAreTold(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		plan := planOf(50, 100)
		plan.Watch, plan.Steps[0].Bake = hour, health.Duration(30*time.Second)
		def := rolling(plan)
		fleet := starts(t, s, 2, def)
		serve(15, healthy, fleet...)
		begins(t, s, def)
		serve(20, healthy, fleet...)
		fleet[1].link.set(away)
		serve(110, healthy, fleet[0])
		if got := waited(t, s); len(got) > 0 || atStep(t, s) != 1 {
			t.Errorf("after 110 s: told %q at step %d, want nothing at step 1", got, atStep(t, s))
		}
		serve(30, healthy, fleet[0])
		got := waited(t, s)
		if len(got) != 1 || !strings.HasPrefix(got[0], "the rollout holds at 50%: proxy-2 is silent for 2m") ||
			!strings.Contains(got[0], "`split forget --instance proxy-2`") {
			t.Errorf("after 140 s: told %q, want of proxy-2, and what to do", got)
		}
		serve(300, healthy, fleet[0])
		if again := waited(t, s); !cmp.Equal(again, got) {
			t.Errorf("after 440 s: told %q, want nothing more", again)
		}
		fleet[1].link.set(none)
		within(t, 60, "step 2", healthy, func() bool { return atStep(t, s) == 2 }, fleet...)
	})
}

// Members are told of once a step is due but for them, and not while its time, its hours or a pause hold it as well.
func TestMembersThatDoNotHoldAStepAreNotTold(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*rollout.Plan)
		do     command
	}{
		"bake":   {change: func(p *rollout.Plan) { p.Steps[0].Bake = hour }},
		"window": {change: func(p *rollout.Plan) { p.Window = &rollout.Window{From: 14 * 60, To: 15 * 60} }},
		"pause":  {do: pausingIt},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				plan := planOf(50, 100)
				plan.Steps[0].Bake = health.Duration(30 * time.Second)
				if tt.change != nil {
					tt.change(&plan)
				}
				def := rolling(plan)
				fleet := starts(t, s, 2, def)
				serve(15, healthy, fleet...)
				begins(t, s, def)
				serve(20, healthy, fleet...)
				if tt.do != nil {
					if _, err := tt.do(t.Context(), fleet[0]); err != nil {
						t.Fatal(err)
					}
				}
				fleet[1].link.set(away)
				serve(300, healthy, fleet[0])
				if got := fleet[0].said(t, rollout.WaitMembers); len(got) != 1 {
					t.Errorf("waits for %q, want proxy-2", got)
				}
				if got := waited(t, s); len(got) > 0 {
					t.Errorf("told %q, want nothing", got)
				}
			})
		})
	}
}
