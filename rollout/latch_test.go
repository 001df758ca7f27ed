package rollout_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// imports writes an exported State over what there is.
func imports(n int, exported *splitter.State) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return rollout.Import(prev, rollout.ImportRequest{State: exported}, alice, later(n))
	}
}

// meets brings a State together with what the store has.
func meets(n int, theirs *splitter.State) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Reconcile(prev, theirs, alice, later(n)))
	}
}

// A canary that was failed back has users again in another epoch, or never.
func TestFailedBackIsLatched(t *testing.T) {
	def := comparing(90, 10)
	before := must(t, created(t, def), weigh(def, 2, share(60, 40)))
	failed := must(t, before, failback(3))
	other, err := rollout.Create(comparing(0, 100), alice, later(7))
	if err != nil {
		t.Fatal(err)
	}
	anew := other.State
	zeroed := func(n int) change { return weigh(def, n, map[string]splitter.Weight{"green": 0}) }
	for name, tt := range map[string]struct {
		in    []change // on the State that is failed back
		green splitter.Weight
		epoch uint64
		phase splitter.Phase
	}{
		"nothing":                  {nil, 0, 1, failedBack},
		"weights after a cooldown": {[]change{weigh(def, 18, share(90, 10))}, 10_000, 2, trial},
		"weights by force":         {[]change{forced(4, 10)}, 10_000, 2, trial},
		"weights of nothing":       {[]change{zeroed(4)}, 0, 1, failedBack},
		"from file":                {[]change{fromFile(18, def, nil)}, 10_000, 2, trial},
		"the end of a watch":       {[]change{never(watched(60))}, 0, 1, failedBack},
		"a probe":                  {[]change{never(probe(4)), never(endProbe(5))}, 0, 1, failedBack},
		"a suspicion":              {[]change{suspect(4)}, 0, 1, failedBack},
		"kill and revive":          {[]change{kill(4, "k", "green"), revive(5, rollout.ReviveRequest{})}, 0, 1, failedBack},
		"another policy": {[]change{func(s *splitter.State) (rollout.Changed, error) { return rollout.ApplyPolicy(s, def, alice, later(4)) }},
			0, 1, failedBack},
		"another name":              {[]change{rename(4, "green", "emerald"), rename(5, "emerald", "green")}, 0, 1, failedBack},
		"another version":           {[]change{redeclare(4, "v2")}, 0, 2, idle},
		"adopted":                   {[]change{adopt(18, def, rollout.AdoptRequest{})}, 10_000, 2, trial},
		"import of the trial":       {[]change{imports(4, before)}, 40_000, 2, trial},
		"import of itself":          {[]change{imports(4, failed)}, 0, 2, failedBack},
		"import, then more":         {[]change{imports(4, failed), forced(5, 10)}, 10_000, 3, trial},
		"a store that went back":    {[]change{meets(4, before)}, 0, 1, failedBack},
		"a store that went on":      {[]change{meets(9, must(t, before, weigh(def, 8, share(95, 5))))}, 0, 1, failedBack},
		"a store that was killed":   {[]change{meets(9, must(t, before, kill(8, "k", "green")))}, 0, 1, failedBack},
		"a store that began anew":   {[]change{meets(9, anew)}, 0, 2, failedBack},
		"a store that was given up": {[]change{meets(9, must(t, before, zeroed(8)))}, 0, 1, failedBack},
		"a store that tries anew": {[]change{meets(9, must(t, before, zeroed(6), weigh(def, 8, share(90, 10))))},
			0, 3, failedBack},
		"a store that was restored": {[]change{meets(9, restored(before, 8))}, 0, 1, failedBack},
	} {
		t.Run(name, func(t *testing.T) {
			s := must(t, failed, tt.in...)
			if got := s.Weights()["green"]; got != tt.green || s.Epoch != tt.epoch || s.Progress.Phase != tt.phase {
				t.Errorf("got green at %s in epoch %d, %s; want %s, %d, %s", got, s.Epoch, s.Progress.Phase, tt.green, tt.epoch, tt.phase)
			}
		})
	}
}

// never goes on with the State as it is if a change is none.
func never(f change) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		c, err := f(prev)
		if errors.Is(err, errNothing) {
			return rollout.Changed{State: prev}, nil
		}
		return c, err
	}
}

// restored is a State that was written back into an empty store.
func restored(s *splitter.State, n int) *splitter.State {
	r := s.Clone()
	r.Version, r.Parent = splitter.Version{Revision: s.Revision + 1, ID: later(n).ID}, s.ID
	r.Lineage, r.Placed = splitter.Heritage(s), s.LastPlaced()
	r.Changed = splitter.Change{Kind: rollout.KindRestored, At: later(n).Now}
	return r
}

// An imported State that contradicts itself would bring back what failed, unjudged.
func TestImportOfAFailedCanaryWithUsers(t *testing.T) {
	spoilt := must(t, created(t, assistant(90, 10)), failback(2))
	spoilt.Ranges = created(t, assistant(90, 10)).Ranges
	_, err := rollout.Import(nil, rollout.ImportRequest{State: spoilt}, alice, later(3))
	if want := `invalid request: "green" is failed back in the state of "assistant" and has 10%: a canary that failed has nothing`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// lived is a State with the epochs in which a canary was failed back on its way.
type lived struct {
	state  *splitter.State
	failed map[uint64]bool
}

// Whatever is done to a split, however its histories fork and meet: an epoch that was failed back has no canary any more.
func TestFailedEpochsStayFailed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		def := comparing(90, 10)
		all := []lived{{created(t, def), map[uint64]bool{}}}
		for n := range rapid.IntRange(1, 25).Draw(t, "changes") {
			from := rapid.SampledFrom(all).Draw(t, "from")
			other := rapid.SampledFrom(all).Draw(t, "other")
			all = append(all, goOn(t, def, from, other, 20*(n+1))...)
		}
	})
}

// goOn makes one change of a history, perhaps with another one, and checks what comes of it; nothing if nothing changes.
func goOn(t *rapid.T, def rollout.Definition, from, other lived, n int) []lived {
	green := splitter.Weight(rapid.SampledFrom([]uint32{0, 5, 50, 100}).Draw(t, "green"))
	ways := map[string]change{
		"weights": func(s *splitter.State) (rollout.Changed, error) {
			return rollout.SetWeights(s, def, rollout.WeightChange{Weights: map[string]splitter.Weight{"green": green * percent}, Force: true}, alice, later(n))
		},
		"failback": failback(n), "kill": kill(n, later(n).ID, "green"), "watched": watched(n), "probe": probe(n),
		"probed": endProbe(n), "suspect": suspect(n), "import": imports(n, other.state), "meet": meets(n, other.state),
		"version": redeclare(n, later(n).ID), "restore": func(s *splitter.State) (rollout.Changed, error) {
			return rollout.Changed{State: restored(s, n)}, nil
		},
	}
	kind := rapid.SampledFrom([]string{"weights", "weights", "failback", "failback", "kill", "watched", "probe", "probed", "suspect", "import", "meet",
		"meet", "meet", "version", "restore"}).Draw(t, "kind")
	c, err := ways[kind](from.state)
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	h := lived{c.State, maps.Clone(from.failed)}
	if kind == "meet" {
		maps.Copy(h.failed, other.failed)
	}
	if kind == "failback" {
		h.failed[c.State.Epoch] = true
	}
	if h.failed[h.state.Epoch] && h.state.Weights()[h.state.Canary] > 0 {
		t.Fatalf("%s: epoch %d was failed back, and green has %s", kind, h.state.Epoch, h.state.Weights()["green"])
	}
	return []lived{h}
}

// What a snapshot from before the failback says does not bring the canary back: not to a store that knows better, nor to
// one that has lost everything while somebody knows better.
func TestOldSnapshotDoesNotUndoAFailback(t *testing.T) {
	for name, loses := range map[string]bool{"the store knows": false, "the store has lost it": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				fleet := starts(t, s, 2, assistant(90, 10))
				elapse(time.Second)
				fleet[0].close(t) // its snapshot has green at 10 %
				fleet[1].fails(50)
				elapse(6 * time.Second) // the other one, which is listed still, is waited for
				fleet[1].wants(t, "failed back", 0, true)
				if loses {
					s = newStore(t)
					fleet[1].link.replace(s)
				}
				back := start(t, s, "proxy-1", assistant(90, 10), remembering(fleet[0]))
				elapse(20 * time.Second)
				for _, p := range []*proxy{back, fleet[1]} {
					p.wants(t, "in the end", 0, true)
				}
				if got := stored(t, s); got.Progress.Phase != failedBack || got.Epoch != 1 {
					t.Errorf("got %s in epoch %d, want failed back in 1", got.Progress.Phase, got.Epoch)
				}
			})
		})
	}
}

// An instance that knows of the failback and was away while the store was filled from an old snapshot tells the rest.
func TestFailbackOutlivesARestoredStore(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(90, 10))
		elapse(time.Second)
		fleet[0].link.set(away)
		fleet[1].fails(50)
		elapse(6 * time.Second) // the other one is waited for
		fleet[1].wants(t, "failed back", 0, true)
		fleet[1].close(t)

		empty := newStore(t)
		fleet[0].link.replace(empty)
		fleet[0].link.set(none)
		elapse(20 * time.Second)
		fleet[0].wants(t, "filled from what it knew", 10, true)
		back := start(t, empty, "proxy-2", assistant(90, 10), remembering(fleet[1]))
		elapse(5 * time.Second)
		for _, p := range []*proxy{back, fleet[0]} {
			p.wants(t, "together again", 0, true)
		}
		if got := stored(t, empty); got.Progress.Phase != failedBack || got.Epoch != 1 {
			t.Errorf("got %s in epoch %d, want failed back in 1", got.Progress.Phase, got.Epoch)
		}
		w := rollout.WeightChange{Weights: map[string]splitter.Weight{"green": 5 * percent}, Force: true}
		if r, err := back.SetWeights(context.Background(), "assistant", w, alice); err != nil || r.State.Epoch != 2 {
			t.Errorf("tried again: got %+v, %v, want epoch 2", r.State, err)
		}
	})
}
