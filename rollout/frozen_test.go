package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// What the file says counts from the next rollout on, and status says so.
func TestNotesOfARollout(t *testing.T) {
	const differs = "the file's plan differs from the one that this rollout began with"
	for name, tt := range map[string]struct {
		edit func(*rollout.Definition)
		do   command
		want string
	}{
		"as it began":      {func(*rollout.Definition) {}, starting, ""},
		"another plan":     {func(d *rollout.Definition) { d.Plan.MinUsers++ }, starting, differs},
		"no plan":          {func(d *rollout.Definition) { d.Plan = nil }, starting, differs},
		"after its end":    {func(d *rollout.Definition) { d.Plan = nil }, retiring("green", false), ""},
		"another judge":    {func(d *rollout.Definition) { d.Policy.Judge.Alpha = 0.05 }, starting, "the file's failback or judge differs"},
		"a plan to itself": {func(*rollout.Definition) {}, switching(rollout.SwitchRequest{To: "green", SkipChecks: true}), differs},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", plannedJudge())
				elapse(2 * time.Second)
				if _, err := tt.do(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				def := plannedJudge()
				tt.edit(&def)
				p.reload(t, def)
				elapse(2 * time.Second)
				got := strings.Join(p.status(t).Notes, "\n")
				if !strings.Contains(got, tt.want) || tt.want == "" && strings.Contains(got, "differs") || strings.Contains(got, "--from-file") {
					t.Errorf("got notes %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// What is only found on a disk may have been outdated: a plan that was restored from it waits for a person.
func TestARestoredPlan(t *testing.T) {
	for _, tt := range []struct {
		name     string
		restarts bool
		want     string
	}{
		{"known to be the latest", false, ""},
		{"found on a disk", true, "switchback: the store was empty, and the state was found on a disk only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", planned())
				elapse(2 * time.Second)
				if _, err := starting(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				elapse(2 * time.Second)
				empty := newStore(t)
				if tt.restarts {
					p.Detach(p.at)
					p.close(t)
					p = start(t, empty, "proxy-1", planned(), remembering(p))
				} else {
					p.link.replace(empty)
				}
				elapse(time.Minute)
				got := planGistOf(p.status(t).State)
				if got.Kind != "restored" || got.Step != 1 || got.Paused != tt.want {
					t.Errorf("got %+v, want it restored at step 1, paused %q", got, tt.want)
				}
			})
		})
	}
}
