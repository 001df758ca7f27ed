package rollout_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

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
	other := func(c change) *splitter.State {
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
		"a step against a pause":      {stepped, other(pause(63)), "alice: trying", 1, trial},
		"a step against an approval":  {stepped, other(policy(63)), met, 1, trial},
		"a step against a failback":   {stepped, other(failback(63)), "", 1, failedBack},
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
