package rollout_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// merged is what reconciling comes to.
type merged struct {
	Revision, Epoch uint64
	Phase           splitter.Phase
	Green           splitter.Weight // in percent
	Kills           []string
}

func TestReconcile(t *testing.T) {
	revived := func(id string) change { return revive(90, rollout.ReviveRequest{IDs: []string{id}}) }
	for name, tt := range map[string]struct {
		past, ours, theirs []change // ours and theirs both go on from the past
		want               merged
	}{
		"the store went back to where ours came from": {
			ours: []change{green(1, 10), green(2, 25), kill(3, "k1", "green")}, theirs: nil,
			want: merged{5, 2, trial, 25, []string{"k1"}},
		},
		"ours killed, theirs raised": {
			past: []change{green(1, 10)}, ours: []change{kill(2, "k1", "")}, theirs: []change{green(3, 25)},
			want: merged{4, 2, trial, 25, []string{"k1"}},
		},
		"ours raised, theirs killed": {
			past: []change{green(1, 10)}, ours: []change{green(2, 25)}, theirs: []change{kill(3, "k1", "")},
			want: merged{4, 2, trial, 25, []string{"k1"}},
		},
		"both raised one trial": {
			past: []change{green(1, 10)}, ours: []change{green(2, 25)}, theirs: []change{green(3, 50)},
			want: merged{4, 2, trial, 25, nil},
		},
		"ours failed back, theirs raised": {
			past: []change{green(1, 10)}, ours: []change{failback(2)}, theirs: []change{green(3, 50), green(4, 75)},
			want: merged{5, 2, failedBack, 0, nil},
		},
		"theirs failed back, ours aborted": {
			past: []change{green(1, 10)}, ours: []change{green(2, 0)}, theirs: []change{failback(3)},
			want: merged{4, 2, failedBack, 0, nil},
		},
		"both began a trial": {
			ours: []change{green(1, 20)}, theirs: []change{green(2, 5)},
			want: merged{3, 3, trial, 5, nil},
		},
		"ours killed, theirs lifted that kill": {
			past: []change{kill(1, "k1", ""), kill(2, "k2", "")}, ours: []change{kill(3, "k3", "")}, theirs: []change{revived("k1")},
			want: merged{5, 1, idle, 0, []string{"k2", "k3"}},
		},
		"ours lifted a kill": {
			past: []change{kill(1, "k1", "")}, ours: []change{revived("k1")}, theirs: []change{green(3, 5)},
			want: merged{4, 2, trial, 5, nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			past := must(t, created(t, assistant(100, 0)), tt.past...)
			ours, theirs := must(t, past, tt.ours...), must(t, past, tt.theirs...)
			n := reconciled(t, ours, theirs, 100)
			got := merged{n.Revision, n.Epoch, n.Progress.Phase, n.Weights()["green"] / percent, nil}
			for _, k := range n.Kills {
				got.Kills = append(got.Kills, k.ID)
			}
			slices.Sort(got.Kills)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if n.Parent != theirs.ID || !n.Descends(ours.Version) || !n.Descends(theirs.Version) {
				t.Errorf("history: got parent %q and %v, want both %v and %v", n.Parent, n.Lineage, ours.Version, theirs.Version)
			}
		})
	}
}

// reconciled brings two States together.
func reconciled(t rapid.TB, ours, theirs *splitter.State, n int) *splitter.State {
	t.Helper()
	c, ok, err := rollout.Reconcile(ours, theirs, alice, later(n))
	if err != nil || !ok {
		t.Fatalf("Reconcile: got %v, %v", ok, err)
	}
	return c.State
}

func TestNothingToReconcile(t *testing.T) {
	past := must(t, created(t, assistant(100, 0)), green(1, 10))
	now := must(t, past, green(2, 20), kill(3, "k1", ""))
	for name, tt := range map[string]struct{ ours, theirs *splitter.State }{
		"the same":            {now, now},
		"the store went on":   {past, now},
		"reconciled before":   {now, reconciled(t, now, must(t, past, green(9, 50)), 50)},
		"reconciled and more": {now, must(t, reconciled(t, now, must(t, past, green(9, 50)), 50), green(10, 0))},
	} {
		if _, ok, err := rollout.Reconcile(tt.ours, tt.theirs, alice, later(99)); ok || err != nil {
			t.Errorf("%s: got %v, %v, want nothing to do", name, ok, err)
		}
	}
}

// Two histories that went on from one past come to the same, whoever brings them together; what only one of them changed
// is kept; kills of both hold.
func TestReconcileAnyFork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{now: noon, n: 1, def: threeVariants(t)}
		c, err := rollout.Create(m.def, alice, seedAt(1, noon))
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		m.state = c.State
		m.several(t, "past")
		past := m.state
		m.several(t, "ours")
		ours := m.state
		m.state = past
		m.several(t, "theirs")
		theirs := m.state
		if theirs.Descends(ours.Version) || ours.Descends(theirs.Version) {
			return // one of them did nothing
		}
		one, other := reconciled(t, ours, theirs, 1000), reconciled(t, theirs, ours, 2000)
		if !cmp.Equal(one.Ranges, other.Ranges) || one.Epoch != other.Epoch || one.Progress.Phase != other.Progress.Phase ||
			one.Stable != other.Stable || one.Canary != other.Canary || !cmp.Equal(sortedIDs(one), sortedIDs(other)) {
			t.Fatalf("it matters who does it:\n%+v\n%+v", one, other)
		}
		for _, from := range []*splitter.State{ours, theirs} {
			for _, k := range from.Kills {
				lifted := isLifted(ours, k.ID) || isLifted(theirs, k.ID)
				if slices.Contains(sortedIDs(one), k.ID) == lifted {
					t.Fatalf("kill %s: on %v, lifted %v", k.ID, !lifted, lifted)
				}
			}
		}
		onlyOurs, onlyTheirs := slices.Equal(theirs.Placed, past.Placed), slices.Equal(ours.Placed, past.Placed)
		if onlyOurs && !cmp.Equal(one.Ranges, ours.Ranges) || onlyTheirs && !cmp.Equal(one.Ranges, theirs.Ranges) {
			t.Fatalf("what one of them changed is lost: %v of %v and %v", one.Ranges, ours.Ranges, theirs.Ranges)
		}
		if low := min(canaryShare(ours), canaryShare(theirs)); !onlyOurs && !onlyTheirs && canaryShare(one) != low {
			t.Fatalf("canary's share: got %v, want the lower one %v", canaryShare(one), low)
		}
	})
}

// several makes up to four changes.
func (m *machine) several(t *rapid.T, when string) {
	kinds := []func(*rapid.T){m.kill, m.revive, m.failback, m.raise, m.policy, m.version}
	for i := range rapid.IntRange(0, 4).Draw(t, when) {
		kinds[rapid.IntRange(0, len(kinds)-1).Draw(t, fmt.Sprintf("%s %d", when, i))](t)
	}
}

// raise gives the canary another share.
func (m *machine) raise(t *rapid.T) {
	before := m.state.Weights()
	most := uint32(before[m.state.Canary] + before[m.state.Stable])
	w := map[string]splitter.Weight{m.state.Canary: splitter.Weight(rapid.Uint32Range(0, most).Draw(t, "weight"))}
	c, err := rollout.SetWeights(m.state, m.def, rollout.WeightChange{Weights: w, Force: true}, alice, m.seed())
	if err != nil {
		t.Fatalf("SetWeights(%v): %v", w, err)
	}
	m.state = c.State
}

func canaryShare(s *splitter.State) splitter.Weight { return s.Weights()[s.Canary] }

func isLifted(s *splitter.State, id string) bool {
	return slices.ContainsFunc(s.Revived, func(r splitter.Revival) bool { return r.ID == id })
}

func sortedIDs(s *splitter.State) []string {
	ids := idsOf(s.Kills)
	slices.Sort(ids)
	return ids
}
