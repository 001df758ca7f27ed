package rollout_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// A new declared version begins one new epoch, whoever else still has the file before.
func TestDeclaredVersion(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, declaring(assistant(90, 10), "v1"))
		elapse(time.Second)
		fleet[0].fails(15)
		fleet[0].reload(t, declaring(assistant(90, 10), "v2"))
		elapse(time.Second)
		fleet[0].fails(15)
		elapse(4 * time.Second)
		fleet[0].wants(t, "with 15 failures of each version", 10, true)
		state := stored(t, s)
		if state.Epoch != 2 || state.Declared["green"] != "v2" {
			t.Errorf("got epoch %d with %v, want 2 with v2", state.Epoch, state.Declared)
		}
		if want := `green declares version "v2", before "v1"`; state.Changed.Reason != want {
			t.Errorf("reason: got %q, want %q", state.Changed.Reason, want)
		}
		fleet[1].reload(t, declaring(assistant(90, 10), "v2"))
		elapse(2 * time.Second)
		if got, want := kinds(t, s), []string{"created", "version"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
	})
}

func TestVersionIsDeclaredWhenTheStoreIsBack(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", declaring(assistant(90, 10), "v1"))
		elapse(time.Second)
		p.link.set(locked)
		p.reload(t, declaring(assistant(90, 10), "v2"))
		elapse(3 * time.Second)
		p.link.set(none)
		elapse(2 * time.Second)
		if got, want := kinds(t, s), []string{"created", "version"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
	})
}

// A configuration that is given up before it starts declares nothing and creates nothing.
func TestFailedReloadChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", declaring(assistant(90, 10), "v1"))
		elapse(time.Second)
		next := new(int)
		at, err := p.Attach(declaring(assistant(50, 50), "v2"), next)
		if err != nil {
			t.Fatal(err)
		}
		other := assistant(90, 10)
		other.Name = "other"
		added, err := p.Attach(other, next)
		if err != nil {
			t.Fatal(err)
		}
		elapse(3 * time.Second)
		if got := p.status(t).Local; got.Variants[1].Version != "v1" {
			t.Errorf("file in force: got %+v, want that of v1", got)
		}
		p.Detach(at)
		p.Detach(added)
		elapse(3 * time.Second)
		if got, want := kinds(t, s), []string{"created"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
		if got := p.Splits(); !cmp.Equal(got, []string{"assistant"}) {
			t.Errorf("splits: got %v, want assistant", got)
		}
		if events, err := s.Events(t.Context(), "other", 1); err != nil || len(events) > 0 {
			t.Errorf("events of the other: got %v, %v, want none", events, err)
		}
	})
}

// red is a definition that does not have the State's stable.
func red() rollout.Definition {
	def := assistant(90, 10)
	def.Stable = "red"
	def.Variants = []rollout.Variant{{Name: "red", Weight: 90 * percent}, {Name: "green", Weight: 10 * percent}}
	return def
}

func TestReloadWithoutTheStatesStableIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(90, 10))
		elapse(time.Second)
		_, err := p.Attach(red(), new(int))
		if err == nil || !strings.Contains(err.Error(), `stable is "blue"`) || !strings.Contains(err.Error(), `["red" "green"]`) ||
			!strings.Contains(err.Error(), "split rename assistant blue=NEW") || !strings.Contains(err.Error(), "split adopt") {
			t.Errorf("got %v, want both names and both ways out", err)
		}
		p.wants(t, "the old file", 10, true)
		if _, err := p.Rename(t.Context(), "assistant", "blue", "red", alice); err != nil {
			t.Fatal(err)
		}
		p.reload(t, red())
		if !p.Ready() {
			t.Error("after the rename: got not ready")
		}
	})
}

func TestColdStartWithoutTheStatesStable(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		start(t, s, "proxy-1", assistant(90, 10))
		elapse(time.Second)
		p := start(t, s, "proxy-2", red())
		elapse(10 * time.Second)
		got := p.at.View().Table.Decide(splitter.Request{Key: "somebody"})
		if got.Variant != 0 || got.Reason != splitter.ReasonStatic || p.Ready() {
			t.Errorf("got %+v, ready %v, want the file's own stable, not ready", got, p.Ready())
		}
		st := p.status(t)
		if notes := strings.Join(st.Notes, "\n"); st.Ready || !strings.Contains(notes, `"blue" is not in this file: "red" serves everyone here`) {
			t.Errorf("status: got ready %v, %q", st.Ready, st.Notes)
		}
		if _, err := p.SetWeights(t.Context(), "assistant", rollout.WeightChange{FromFile: true}, alice); err == nil {
			t.Error("weights from a file without stable: got no error")
		}
		if _, err := p.Adopt(t.Context(), "assistant", rollout.AdoptRequest{}, alice); err != nil || !p.Ready() {
			t.Errorf("adopt: got %v, ready %v, want it ready", err, p.Ready())
		}
	})
}

// At a cold start there is no old configuration to go on with: even what the disk knows is no reason to refuse.
func TestColdStartFromDiskWithoutTheStatesStable(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		old := start(t, s, "proxy-1", assistant(90, 10))
		elapse(time.Second)
		old.close(t)
		p := newProxy(t, s, "proxy-1", red(), remembering(old))
		if got := p.at.View().Table.Decide(splitter.Request{Key: "somebody"}); got.Variant != 0 || p.Ready() {
			t.Errorf("got %+v, ready %v, want the file's own stable, not ready", got, p.Ready())
		}
	})
}

func TestTwoPlacesMustAgree(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := newProxy(t, s, "proxy-1", assistant(90, 10))
		if _, err := p.Attach(assistant(90, 10), "first"); err != nil {
			t.Errorf("the same: %v", err)
		}
		if _, err := p.Attach(assistant(80, 20), "first"); err == nil || !strings.Contains(err.Error(), "defined twice, and differently") {
			t.Errorf("another: got %v, want an error", err)
		}
		if _, err := p.Attach(assistant(80, 20), "second"); err != nil {
			t.Errorf("another generation: %v", err)
		}
	})
}

// Windows, totals and flights belong to the process, not to a generation of the configuration.
func TestReloadKeepsTheSplit(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(90, 10))
		elapse(time.Second)
		p.fails(12)
		before, split := p.at.View(), p.at.Split()
		f := &health.Flight{Variant: "green", Start: time.Now(), Cancel: func(error) {}}
		split.Flights.Add(f)

		three := assistant(90, 10)
		three.Variants = append([]rollout.Variant{{Name: "red"}}, three.Variants...)
		p.reload(t, three)
		elapse(time.Second)
		after := p.at.View()
		if p.at.Split() != split || after.Windows[2] != before.Windows[1] || after.Totals[1] != before.Totals[0] {
			t.Error("got other windows after a reload, want the same at their new places")
		}
		st := p.status(t)
		if got := st.Variants[2]; got.Name != "green" || got.InFlight != 1 || got.Summary.Failures != 12 {
			t.Errorf("status of green: got %+v, want one in flight and 12 failures", got)
		}
		p.failsAs(1, 2, 12)
		elapse(3 * time.Second)
		p.wants(t, "judged over the reload", 0, true)
		p.Detach(p.at)
		if p.Split("assistant") != nil {
			t.Error("got a split that nobody uses")
		}
	})
}

// A policy that was applied is what everybody judges by from then on.
func TestApplyPolicy(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(90, 10))
		elapse(time.Second)
		lenient := assistant(90, 10)
		lenient.Policy.Failback.MinRequests = 1000
		fleet[0].reload(t, lenient)
		elapse(2 * time.Second)
		if _, err := fleet[0].ApplyPolicy(t.Context(), "assistant", alice); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, p := range fleet {
			p.fails(100)
		}
		elapse(3 * time.Second)
		for _, p := range fleet {
			p.wants(t, "under the new policy", 10, true)
		}
		if got, want := kinds(t, s), []string{"created", "policy"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
	})
}

// The secret is one for the fleet, and learnt as soon as the store can tell it.
func TestSecret(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := newProxy(t, s, "proxy-1", assistant(99, 1))
		p.link.set(away)
		p.mustStart(t)
		elapse(2 * time.Second)
		if got := p.Secrets(); len(got) > 0 {
			t.Errorf("without the store: got %q, want none", got)
		}
		p.link.set(none)
		other := start(t, s, "proxy-2", assistant(99, 1))
		elapse(2 * time.Second)
		one, two := p.Secrets(), other.Secrets()
		if len(one) != 1 || len(one[0]) != 64 || !cmp.Equal(one, two) {
			t.Errorf("got %q and %q, want one secret of 256 bits", one, two)
		}
	})
}

// A split that is added by a reload knows its State before it serves.
func TestSplitAddedWhileRunning(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := assistant(90, 10)
		def.Name = "other"
		other := start(t, s, "proxy-1", def)
		elapse(time.Second)
		p := start(t, s, "proxy-2", assistant(99, 1))
		at, err := p.Attach(def, "first")
		if err != nil || at.View().State == nil {
			t.Errorf("got %v, %v, want the State at once", at, err)
		}
		p.link.set(slow)
		begun := time.Now()
		def.Name = "third"
		if _, err := p.Attach(def, "first"); err != nil || time.Since(begun) > 500*time.Millisecond {
			t.Errorf("with a slow store: got %v after %v, want half a second at most", err, time.Since(begun))
		}
		synctest.Wait()
		if got := other.Splits(); !cmp.Equal(got, []string{"other"}) {
			t.Errorf("splits: got %v", got)
		}
	})
}

// A request that a handler before ours held up for longer than a reload took meets a kill that was made since.
func TestLateRequestsOfTheOldGeneration(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(50, 50))
		elapse(time.Second)
		old := p.at
		next, err := p.Attach(assistant(50, 50), "second")
		if err != nil {
			t.Fatal(err)
		}
		p.mustStart(t)
		p.Detach(old)
		p.kills(t, "")
		for name, at := range map[string]*rollout.Attachment{"new": next, "old": old} {
			if got := at.View().Table.Decide(splitter.Request{Key: "alice"}); got.Reason != splitter.ReasonDisabled {
				t.Errorf("the %s generation decides %v after the kill", name, got.Reason)
			}
		}
	})
}
