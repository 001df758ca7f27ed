package rollout_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// replace puts another store behind all instances.
func replace(fleet []*proxy, s store.Store) {
	for _, p := range fleet {
		p.link.replace(s)
	}
}

func TestEmptyStoreIsRefilled(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 3, assistant(99, 1))
		elapse(time.Second)
		fleet[0].set(t, 25)
		fleet[1].kills(t, "green")
		elapse(time.Second)
		before := stored(t, s)

		empty := newStore(t)
		replace(fleet, empty)
		elapse(time.Second)
		// It knows nothing and would write the file's 1 %.
		fleet = append(fleet, start(t, empty, "proxy-4", assistant(99, 1)))
		elapse(3 * time.Second)
		after := stored(t, empty)
		if after.Revision != before.Revision+1 || after.Parent != before.ID || after.Changed.Kind != rollout.KindRestored {
			t.Errorf("restored: got %v of %q by %s, want the revision after %v", after.Version, after.Parent, after.Changed.Kind,
				before.Version)
		}
		if !cmp.Equal(after.Weights(), before.Weights()) || encode(t, after.Kills) != encode(t, before.Kills) {
			t.Errorf("restored: got %v, %v, want %v, %v", after.Weights(), after.Kills, before.Weights(), before.Kills)
		}
		for _, p := range fleet {
			if got := p.Split("assistant").State(); encode(t, got) != encode(t, after) {
				t.Errorf("%s: got %s, want %s", p.opts.Instance, encode(t, got), encode(t, after))
			}
		}
		if got, want := kinds(t, empty), []string{"restored"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
	})
}

// A store may be empty for a moment, on its way up; hurry of any kind does not make two heartbeats of one.
func TestEmptyStoreIsGivenTime(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		empty := newStore(t)
		p.link.replace(empty)
		for range 100 {
			p.Poke()
			elapse(10 * time.Millisecond)
		}
		if got := kinds(t, empty); len(got) > 0 {
			t.Errorf("after a second: got %v, want nothing written", got)
		}
		p.link.replace(s)
		elapse(5 * time.Second)
		p.wants(t, "filled by itself", 1, true)
		if got, want := kinds(t, s), []string{"created"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
	})
}

// What is on a disk alone may be long outdated: it fills an empty store only if nobody has better, and its confirmed
// kills do not count against a State.
func TestDiskAloneIsTheLastResort(t *testing.T) {
	for name, tt := range map[string]struct {
		in   bool // whether the store has a State
		want []string
	}{
		"empty store":       {false, []string{"restored"}},
		"store with a past": {true, []string{"created"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", assistant(99, 1))
				elapse(time.Second)
				p.set(t, 25)
				p.kills(t, "")
				p.close(t)

				other := newStore(t)
				if tt.in {
					start(t, other, "proxy-2", assistant(99, 1))
					elapse(time.Second)
				}
				again := start(t, other, "proxy-1", assistant(99, 1), remembering(p))
				elapse(4 * time.Second)
				if !tt.in {
					again.wants(t, "waiting for somebody better", 25, false)
					if got := kinds(t, other); len(got) > 0 {
						t.Errorf("events: got %v, want none yet", got)
					}
				}
				elapse(4 * time.Second)
				if tt.in {
					again.wants(t, "in the end", 1, true)
				} else {
					again.wants(t, "in the end", 25, false)
				}
				if got := kinds(t, other); !cmp.Equal(got, tt.want) {
					t.Errorf("events: got %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// A failover that lost a kill, after which others have gone on to a later revision than ours: the kill is written again
// all the same.
func TestLaterHistoryKeepsKills(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		forked := stored(t, s)
		k := p.kills(t, "green").Event.Kills[0]
		elapse(time.Second)

		other := newStore(t)
		ev := store.Event{ID: forked.ID, Split: "assistant", Revision: forked.Revision, Change: forked.Changed}
		if err := other.Swap(t.Context(), splitter.Version{}, forked, ev); err != nil {
			t.Fatal(err)
		}
		faster := start(t, other, "proxy-2", assistant(99, 1))
		elapse(time.Second)
		for _, w := range []splitter.Weight{10, 20, 30} {
			faster.set(t, w)
		}
		replace([]*proxy{p}, other)
		elapse(2 * time.Second)
		got := stored(t, other)
		if got.Weights()["green"] != 30*percent || len(got.Kills) != 1 || got.Kills[0].ID != k.ID {
			t.Errorf("got %v with %v, want green at 30%% and kill %s", got.Weights(), got.Kills, k.ID)
		}
	})
}

// A failover to a replica that lagged behind: its State counts, but the kill that it lost is written again.
func TestOlderHistoryIsTakenOverAndKillsAreKept(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(99, 1))
		elapse(time.Second)
		fleet[0].set(t, 10)
		lagging := newStore(t)
		old := stored(t, s)
		ev := store.Event{ID: old.ID, Split: "assistant", Revision: old.Revision, Change: old.Changed}
		if err := lagging.Swap(t.Context(), splitter.Version{}, old, ev); err != nil {
			t.Fatal(err)
		}
		fleet[0].set(t, 50)
		k := fleet[0].kills(t, "green").Event.Kills[0]
		elapse(time.Second)

		replace(fleet, lagging)
		elapse(2 * time.Second)
		got := stored(t, lagging)
		if got.Weights()["green"] != 10*percent || len(got.Kills) != 1 || got.Kills[0].ID != k.ID {
			t.Errorf("got %v with %v, want green at 10%% and kill %s", got.Weights(), got.Kills, k.ID)
		}
		if got, want := kinds(t, lagging), []string{"weights", "kill"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
		for _, p := range fleet {
			if st := p.Split("assistant").State(); encode(t, st) != encode(t, got) {
				t.Errorf("%s: got %s, want %s", p.opts.Instance, encode(t, st), encode(t, got))
			}
		}
	})
}

// An announcement that was overtaken on its way takes nothing back.
func TestLateAnnouncementIsPassedOver(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		late := p.set(t, 10).State
		p.set(t, 20)
		if err := s.Announce(t.Context(), store.Notice{Split: "assistant", State: late}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.wants(t, "after the late one", 20, true)
	})
}
