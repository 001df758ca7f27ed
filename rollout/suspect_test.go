package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

const asOften = "blue fails as often: 48% of 300"

func suspect(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Suspect(prev, asOften, judge, later(n)))
	}
}

// A mark changes what is said, and nothing else.
func TestSuspect(t *testing.T) {
	before := must(t, created(t, assistant(90, 10)), failback(2))
	after := must(t, before, suspect(3))
	if got := after.Changed; got.Kind != "suspected" || got.Reason != asOften || after.Progress.Suspected != asOften {
		t.Errorf("got %+v and %+v, want the mark", got, after.Progress)
	}
	bare := after.Clone()
	bare.Version, bare.Parent, bare.Lineage, bare.Changed = before.Version, before.Parent, before.Lineage, before.Changed
	bare.Progress.Suspected = ""
	if d := cmp.Diff(encode(t, before), encode(t, bare)); d != "" {
		t.Errorf("besides the mark: -before +after:\n%s", d)
	}
	for name, prev := range map[string]*splitter.State{
		"marked":        after,
		"on trial":      created(t, assistant(90, 10)),
		"a new trial":   must(t, after, forced(4, 10)),
		"a new version": must(t, after, redeclare(4, "v2")),
	} {
		if c, ok, err := rollout.Suspect(prev, asOften, judge, later(9)); ok || err != nil {
			t.Errorf("%s: got %+v, %v, want nothing", name, c.State, err)
		}
	}
	if got := must(t, after, forced(4, 10)).Progress.Suspected; got != "" {
		t.Errorf("a new trial: got %q, want no suspicion", got)
	}
}

// Of a fork, a mark outlives the side that did not know of it, and never outweighs what people decided.
func TestSuspicionOfAFork(t *testing.T) {
	past := must(t, created(t, assistant(90, 10)), failback(2))
	marked := must(t, past, suspect(3))
	for name, tt := range map[string]struct {
		ours, theirs *splitter.State
		green        splitter.Weight
		want         string
	}{
		"only ours":          {marked, must(t, past, kill(4, "k1", "")), 0, asOften},
		"only theirs":        {must(t, past, kill(4, "k1", "")), marked, 0, asOften},
		"a new trial":        {marked, must(t, past, forced(4, 10)), 10_000, ""},
		"our own new trial":  {must(t, past, forced(4, 10)), marked, 10_000, ""},
		"failed back a fork": {must(t, created(t, assistant(90, 10)), failback(5)), marked, 0, asOften},
	} {
		n := reconciled(t, tt.ours, tt.theirs, 20)
		if got := n.Progress.Suspected; got != tt.want || n.Weights()["green"] != tt.green {
			t.Errorf("%s: got %q with %s on green, want %q with %s", name, got, n.Weights()["green"], tt.want, tt.green)
		}
	}
}

// Whoever looks at the split is told.
func TestSuspicionIsNoted(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(90, 10))
		elapse(time.Second)
		for _, f := range []change{failback(2), suspect(3)} {
			prev := stored(t, s)
			c, err := f(prev)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Swap(t.Context(), prev.Version, c.State, c.Event); err != nil {
				t.Fatal(err)
			}
		}
		elapse(2 * time.Second)
		if got := strings.Join(p.status(t).Notes, "\n"); !strings.Contains(got, "shared cause suspected: "+asOften) {
			t.Errorf("notes: got %q", got)
		}
		p.wants(t, "suspected", 0, true)
	})
}
