package rollout_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// second is another split, for an instance that does not run the first.
func second() rollout.Definition {
	def := assistant(90, 10)
	def.Name = "other"
	return def
}

// A proxy that crashed and came back without the split does not configure it any more, though its earlier run is listed.
func TestForgetAfterACrash(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		looker := start(t, s, "proxy-2", second())
		elapse(time.Second)
		p.link.set(away) // so that it says no goodbye
		p.close(t)
		elapse(time.Minute)
		if _, err := looker.Forget(t.Context(), "assistant", alice); !errors.Is(err, rollout.ErrRefused) {
			t.Errorf("after the crash: got %v, want ErrRefused", err)
		}
		start(t, s, "proxy-1", second())
		elapse(2 * time.Second)
		if _, err := looker.Forget(t.Context(), "assistant", alice); err != nil {
			t.Errorf("after the restart: %v", err)
		}
	})
}

func TestForget(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		looker := start(t, s, "proxy-2", second())
		elapse(time.Second)
		p.set(t, 25)
		p.kills(t, "green")
		forget := func() error {
			_, err := looker.Forget(t.Context(), "assistant", alice)
			return err
		}
		if err := forget(); !errors.Is(err, rollout.ErrRefused) {
			t.Errorf("in use: got %v, want ErrRefused", err)
		}
		p.close(t)
		if err := forget(); !errors.Is(err, rollout.ErrRefused) {
			t.Errorf("killed: got %v, want ErrRefused", err)
		}
		p.mustStart(t)
		p.revives(t)
		p.close(t)
		before := stored(t, s)
		if err := forget(); err != nil {
			t.Fatalf("Forget: %v", err)
		}
		if got := stored(t, s); got.Forgotten.IsZero() || got.Revision != before.Revision+1 || got.Changed.Kind != rollout.KindForget {
			t.Errorf("got %s, want a tombstone after %v", encode(t, got), before.Version)
		}
		if err := forget(); !errors.Is(err, rollout.ErrUnknownSplit) {
			t.Errorf("again: got %v, want ErrUnknownSplit", err)
		}
		if _, err := looker.Forget(t.Context(), "nobody", alice); !errors.Is(err, rollout.ErrUnknownSplit) {
			t.Errorf("unknown: got %v, want ErrUnknownSplit", err)
		}

		// Its snapshot has green at 25 %.
		again := start(t, s, "proxy-1", assistant(95, 5), remembering(p))
		elapse(3 * time.Second)
		again.wants(t, "in use again", 5, true)
		got := stored(t, s)
		if !got.Forgotten.IsZero() || got.Revision != before.Revision+2 || got.Epoch != before.Epoch+1 || got.Changed.Kind != rollout.KindCreated {
			t.Errorf("got %s, want a first State that goes on from the tombstone", encode(t, got))
		}
	})
}

// A tombstone takes the place of what a machine remembers, so that it outlives the store's own.
func TestTombstoneOnDisk(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		at, err := p.Attach(second(), "first")
		if err != nil {
			t.Fatal(err)
		}
		p.mustStart(t)
		elapse(time.Second)
		p.set(t, 40)
		elapse(time.Second)
		p.Detach(p.at)
		elapse(2 * time.Second)
		if _, err := p.Forget(t.Context(), "assistant", alice); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		empty := newStore(t)
		p.link.replace(empty)
		if p.at, err = p.Attach(assistant(95, 5), "second"); err != nil {
			t.Fatal(err)
		}
		p.mustStart(t)
		elapse(8 * time.Second)
		p.wants(t, "named again, with an empty store", 5, true)
		p.Detach(at)
	})
}

func TestExportImport(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		start(t, s, "proxy-2", second())
		elapse(time.Second)
		p.set(t, 25)
		p.kills(t, "green")
		elapse(time.Second)
		all, err := p.Export(t.Context(), nil)
		if err != nil || len(all) != 2 || all[0].Split != "assistant" || encode(t, all[0]) != encode(t, stored(t, s)) {
			t.Fatalf("Export: got %v, %v, want both", all, err)
		}
		if _, err := p.Export(t.Context(), []string{"other", "nobody"}); !errors.Is(err, rollout.ErrUnknownSplit) {
			t.Errorf("Export of nobody: got %v, want ErrUnknownSplit", err)
		}

		// A fleet elsewhere, which has that split already.
		elsewhere := newStore(t)
		there := start(t, elsewhere, "proxy-3", assistant(99, 1))
		elapse(time.Second)
		k := there.kills(t, "").Event.Kills[0]
		for n := range 5 {
			there.set(t, splitter.Weight(2+n))
		}
		r, err := there.Import(t.Context(), "assistant", rollout.ImportRequest{State: all[0]}, alice)
		if err != nil {
			t.Fatalf("Import: %v", err)
		}
		got := stored(t, elsewhere)
		if encode(t, got) != encode(t, r.State) || got.Revision != 8 || got.Salt != all[0].Salt || got.Weights()["green"] != 25*percent ||
			!cmp.Equal(idsOf(got.Kills), []string{k.ID, all[0].Kills[0].ID}) || got.Changed.Kind != rollout.KindImport {
			t.Errorf("got %s, want the imported State after revision 7, with kills of both", encode(t, got))
		}
		there.wants(t, "imported", 25, false)

		// One that nobody there runs, in an empty place.
		if _, err := there.Import(t.Context(), "other", rollout.ImportRequest{State: all[1]}, alice); err != nil {
			t.Errorf("Import of a split that is not run here: %v", err)
		}
	})
}

// A killed split that nobody runs any more can be revived, and then forgotten.
func TestReviveOfASplitThatNobodyRuns(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		looker := start(t, s, "proxy-2", second())
		elapse(time.Second)
		p.kills(t, "")
		p.close(t)
		if _, err := looker.Revive(t.Context(), "assistant", rollout.ReviveRequest{IDs: []string{"none"}}, alice); !errors.Is(err, rollout.ErrRefused) ||
			!strings.Contains(err.Error(), stored(t, s).Kills[0].ID) {
			t.Errorf("another kill: got %v, want ErrRefused that names the one that is on", err)
		}
		if _, err := looker.Revive(t.Context(), "assistant", rollout.ReviveRequest{}, alice); err != nil {
			t.Fatal(err)
		}
		if _, err := looker.Forget(t.Context(), "assistant", alice); err != nil {
			t.Fatal(err)
		}
	})
}

// Kills that were lifted here are not brought back by an import, which says so.
func TestImportLeavesOutLiftedKills(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		lifted := p.kills(t, "").Event.Kills[0].ID
		exported := stored(t, s)
		p.revives(t)
		r, err := p.Import(t.Context(), "assistant", rollout.ImportRequest{State: exported}, alice)
		if err != nil || len(r.State.Kills) > 0 || !strings.Contains(r.Note, lifted) {
			t.Errorf("got %+v, %v, want a note on kill %s", r, err, lifted)
		}
	})
}

func TestImportRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		state := stored(t, s)
		foreign := must(t, state, rename(1, "blue", "purple"))
		tombstone, err := rollout.Forget(state, alice, later(1))
		if err != nil {
			t.Fatal(err)
		}
		newer := state.Clone()
		newer.Schema++
		for name, tt := range map[string]struct {
			split string
			state *splitter.State
			by    rollout.By
			want  error
		}{
			"no state":            {"assistant", nil, alice, rollout.ErrInvalid},
			"of another split":    {"other", state, alice, rollout.ErrInvalid},
			"of a forgotten one":  {"assistant", tombstone.State, alice, rollout.ErrInvalid},
			"stable unknown here": {"assistant", foreign, alice, rollout.ErrRefused},
			"of a newer release":  {"assistant", newer, alice, store.ErrNewerSchema},
			"stale":               {"assistant", state, rollout.By{If: &splitter.Version{Revision: 99, ID: "x"}}, rollout.ErrStale},
		} {
			if _, err := p.Import(t.Context(), tt.split, rollout.ImportRequest{State: tt.state}, tt.by); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", name, err, tt.want)
			}
		}
		if got := stored(t, s); got.Version != state.Version {
			t.Errorf("got %v, want nothing written", got.Version)
		}
		if _, err := p.Import(t.Context(), "assistant", rollout.ImportRequest{State: foreign, Force: true}, alice); err != nil {
			t.Errorf("forced: %v", err)
		}
	})
}
