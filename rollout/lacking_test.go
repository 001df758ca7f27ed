package rollout_test

import (
	"errors"
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

// renaming returns a definition whose canary has another name.
func renaming(def rollout.Definition, canary string) rollout.Definition {
	variants := slices.Clone(def.Variants)
	variants[1].Name = canary
	def.Canary, def.Variants = canary, variants
	return def
}

// said returns what an instance says that a rollout waits for of one kind, a sentence each.
func (p *proxy) said(t *testing.T, what rollout.WaitFor) (texts []string) {
	t.Helper()
	st := p.status(t)
	if st.Plan == nil {
		t.Fatalf("%s: no plan runs, phase %s", p.opts.Instance, st.State.Progress.Phase)
	}
	for _, w := range st.Plan.Waits {
		if w.For == what {
			texts = append(texts, w.Text)
		}
	}
	return texts
}

// halfHeld is a rollout whose first step is over in a second, on a fleet of two.
func halfHeld(t *testing.T, s *embedded.Store) (def rollout.Definition, fleet []*proxy) {
	t.Helper()
	plan := planOf(50, 100)
	plan.Watch = health.Duration(time.Hour)
	def = rolling(plan)
	fleet = starts(t, s, 2, def)
	serve(15, healthy, fleet...)
	return def, fleet
}

// No step is taken, and nothing promoted, while a member has no such variant; all say whose file it is.
func TestVariantThatAMemberLacks(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def, fleet := halfHeld(t, s)
		fleet[1].reload(t, renaming(def, "lime"))
		begins(t, s, def)
		for range 60 {
			serve(1, healthy, fleet[0])
		}
		want := []string{"proxy-2 has no variant green"}
		for _, p := range fleet {
			if got := p.said(t, rollout.WaitMembers); !cmp.Equal(got, want) {
				t.Errorf("%s waits for %q, want %q", p.opts.Instance, got, want)
			}
			lines, err := p.Why("assistant")
			if err != nil || !slices.Contains(lines, "Waits for members: proxy-2 has no variant green.") {
				t.Errorf("%s: why says %q, %v", p.opts.Instance, lines, err)
			}
		}
		if got := atStep(t, s); got != 1 {
			t.Errorf("at step %d, want 1", got)
		}
		for name, r := range map[string]rollout.PromoteRequest{"promote": {}, "promote in full": {Full: true}} {
			_, err := promoting(r)(t.Context(), fleet[0])
			if !errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), "proxy-2 has no variant green") {
				t.Errorf("%s: got %v, want a refusal that names proxy-2", name, err)
			}
			if _, err := promoting(r)(t.Context(), fleet[1]); !errors.Is(err, rollout.ErrUnknownVariant) {
				t.Errorf("%s through proxy-2: got %v, want ErrUnknownVariant", name, err)
			}
		}
		fleet[1].reload(t, def)
		within(t, 30, "step 2", healthy, func() bool { return atStep(t, s) == 2 }, fleet...)
		if _, err := promoting(rollout.PromoteRequest{Full: true})(t.Context(), fleet[1]); err != nil {
			t.Errorf("once all have green: %v", err)
		}
	})
}

// A variant that is gone from every file is not rolled out further, and none of them can promote it.
func TestVariantThatNobodyHas(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def, fleet := halfHeld(t, s)
		begins(t, s, def)
		for _, p := range fleet {
			p.reload(t, renaming(def, "lime"))
		}
		serve(30, traffic{blue: 30}, fleet...)
		want := []string{"proxy-1 has no variant green", "proxy-2 has no variant green"}
		if got := fleet[0].said(t, rollout.WaitMembers); !cmp.Equal(got, want) || atStep(t, s) != 1 {
			t.Errorf("at step %d, waiting for %q, want at step 1 for %q", atStep(t, s), got, want)
		}
	})
}

// Whoever begins a rollout is told which members have no such variant.
func TestStartTellsWhoLacksTheVariant(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def, fleet := halfHeld(t, s)
		fleet[1].reload(t, renaming(def, "lime"))
		elapse(15 * time.Second)
		got, err := starting(t.Context(), fleet[0])
		if want := "proxy-2 has no variant green: blue serves its share there"; err != nil || !strings.Contains(got.Note, want) {
			t.Errorf("got %q, %v, want %q", got.Note, err, want)
		}
	})
}

// A member that does not tell of its file, as earlier releases do not, or that has fallen silent keeps nobody from promoting.
func TestMembersThatDoNotTellAreNotHeldAgainst(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]store.File
		after time.Duration
	}{
		"earlier release": {},
		"silent":          {map[string]store.File{"assistant": {Hash: "x", Variants: []string{"blue"}}}, store.SilentAfter},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				def, fleet := halfHeld(t, s)
				begins(t, s, def)
				beat := store.Beat{MemberID: store.MemberID{Name: "proxy-3", Boot: "b3"}, Files: tt.files,
					Applied: map[string]splitter.Version{"assistant": stored(t, s).Version}}
				if _, err := s.Pulse(t.Context(), beat); err != nil {
					t.Fatal(err)
				}
				elapse(tt.after)
				if _, err := promoting(rollout.PromoteRequest{Full: true})(t.Context(), fleet[0]); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Neither people nor the judge promote, through one proxy, what its file does not have.
func TestPromotionOfWhatTheFileLacks(t *testing.T) {
	s := must(t, created(t, planned()), started(2), approve(3, 2))
	def := renaming(planned(), "lime")
	for _, full := range []bool{false, true} {
		_, err := rollout.PromoteNow(s, def, rollout.PromoteRequest{Full: full}, ready(s), alice, later(4))
		if !errors.Is(err, rollout.ErrUnknownVariant) {
			t.Errorf("full %t: got %v, want ErrUnknownVariant", full, err)
		}
	}
	if _, made, err := rollout.TakeStep(s, def, 2, ready(s), alice, later(63)); made || !errors.Is(err, rollout.ErrUnknownVariant) {
		t.Errorf("a step: got %t, %v, want ErrUnknownVariant", made, err)
	}
}
