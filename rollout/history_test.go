package rollout_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

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
		other := copyOf(t, s)
		k := p.kills(t, "green").Event.Kills[0]
		elapse(time.Second)

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

// A failover to a replica that lagged behind: what it lost is written again, by whoever saw it.
func TestLostWritesAreWrittenAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(99, 1))
		elapse(time.Second)
		fleet[0].set(t, 10)
		lagging := copyOf(t, s)
		fleet[0].set(t, 50)
		k := fleet[0].kills(t, "green").Event.Kills[0]
		elapse(time.Second)

		replace(fleet, lagging)
		elapse(2 * time.Second)
		got := stored(t, lagging)
		if got.Revision != 5 || got.Weights()["green"] != 50*percent || len(got.Kills) != 1 || got.Kills[0].ID != k.ID {
			t.Errorf("got revision %d, %v with %v, want 5, green at 50%% and kill %s", got.Revision, got.Weights(), got.Kills, k.ID)
		}
		if got, want := kinds(t, lagging), []string{"weights", "reconciled"}; !cmp.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
		for _, p := range fleet {
			if st := p.Split("assistant").State(); encode(t, st) != encode(t, got) {
				t.Errorf("%s: got %s, want %s", p.opts.Instance, encode(t, st), encode(t, got))
			}
		}
	})
}

// Until what was lost is written again, it holds where it is known.
func TestLostWritesHoldMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		lagging := copyOf(t, s)
		p.set(t, 50)
		elapse(time.Second)
		p.link.replace(lagging)
		p.link.set(readable)
		elapse(2 * time.Second)
		p.wants(t, "the store refuses to be written to", 50, true)
		if got := p.status(t); !strings.Contains(strings.Join(got.Notes, "\n"), "has lost a state") || got.StoreError == "" {
			t.Errorf("status: got %q and %q, want both said", got.Notes, got.StoreError)
		}
		p.link.set(none)
		elapse(2 * time.Second)
		p.wants(t, "written again", 50, true)
		if got := stored(t, lagging); got.Changed.Kind != rollout.KindReconcile || got.Weights()["green"] != 50*percent {
			t.Errorf("got %v by %s, want green at 50%%, reconciled", got.Weights(), got.Changed.Kind)
		}
	})
}

// What only a disk knows of is brought together with a store that lost it and went on otherwise: the kill counts, and so
// do weights that were set in knowledge of the others.
func TestDiskKnowsWhatAForkLost(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		p.set(t, 10)
		older := copyOf(t, s)
		k := p.kills(t, "green").Event.Kills[0]
		elapse(time.Second)
		p.close(t)
		other := start(t, older, "proxy-2", assistant(99, 1))
		elapse(2 * time.Second)
		other.set(t, 20)
		again := start(t, older, "proxy-1", assistant(99, 1), remembering(p))
		elapse(3 * time.Second)
		got := stored(t, older)
		if got.Weights()["green"] != 20*percent || len(got.Kills) != 1 || got.Kills[0].ID != k.ID {
			t.Errorf("got %v with %v, want green at 20%% and kill %s", got.Weights(), got.Kills, k.ID)
		}
		again.wants(t, "in the end", 20, true)
	})
}

// A process that dies between finding that the store has lost a State and writing it again still knows it.
func TestCrashWhileReconciling(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(50, 50))
		elapse(time.Second)
		older := copyOf(t, s)
		p.set(t, 0)
		k := p.kills(t, "green").Event.Kills[0]
		elapse(time.Second)
		p.link.replace(older)
		p.link.set(readable)
		elapse(3 * time.Second)
		p.close(t)
		again := start(t, older, "proxy-1", assistant(50, 50), remembering(p))
		elapse(3 * time.Second)
		got := stored(t, older)
		if got.Weights()["green"] != 0 || len(got.Kills) != 1 || got.Kills[0].ID != k.ID || got.Revision != 4 {
			t.Errorf("got revision %d, %v with %v, want 4, green at 0 and kill %s", got.Revision, got.Weights(), got.Kills, k.ID)
		}
		again.wants(t, "in the end", 0, true)
	})
}

// Two halves of a fleet that both wrote the same revision, each on a store of its own.
func TestTwoHalves(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 4, assistant(99, 1))
		elapse(time.Second)
		for n := range 8 {
			fleet[0].set(t, splitter.Weight(2+n))
		}
		elapse(time.Second)
		other := copyOf(t, s)
		replace(fleet[2:], other)
		for _, p := range fleet[2:] {
			p.link.set(muted) // it would hear the other half's
		}
		if one, two := fleet[0].set(t, 30).State, fleet[2].set(t, 20).State; one.Revision != 10 || two.Revision != 10 {
			t.Fatalf("revisions: got %d and %d, want both 10", one.Revision, two.Revision)
		}
		k := fleet[3].kills(t, "").Event.Kills[0]
		elapse(time.Second)
		replace(fleet, s)
		for _, p := range fleet[2:] {
			p.link.set(none)
		}
		elapse(3 * time.Second)
		got := stored(t, s)
		if got.Weights()["green"] != 20*percent || len(got.Kills) != 1 || got.Kills[0].ID != k.ID || got.Revision <= 11 {
			t.Errorf("got revision %d, %v with %v, want the lower share and kill %s after 11", got.Revision, got.Weights(), got.Kills, k.ID)
		}
		for _, p := range fleet {
			p.wants(t, "together again", 20, false)
		}
	})
}

// A snapshot on disk may be a week old: a living store that went on from it, or knows nothing of it, counts.
func TestOldSnapshotMeetsLivingStore(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(99, 1))
		elapse(time.Second)
		p.set(t, 75)
		k := p.kills(t, "green")
		elapse(time.Second)
		p.close(t)
		elapse(7 * 24 * time.Hour)
		other := start(t, s, "proxy-2", assistant(99, 1))
		elapse(time.Second)
		other.revives(t)
		other.set(t, 5)
		elapse(time.Second)
		again := start(t, s, "proxy-1", assistant(99, 1), remembering(p))
		elapse(2 * time.Second)
		again.wants(t, "after a week", 5, true)
		if got := stored(t, s); len(got.Kills) > 0 || got.Changed.Kind != rollout.KindWeights {
			t.Errorf("got %v by %s, want kill %s lifted and nothing written", got.Kills, got.Changed.Kind, k.Event.ID)
		}
	})
}

// Whoever adds a split to a file may not know that the fleet had one of that name long ago.
func TestOldStateIsAnnounced(t *testing.T) {
	for name, tt := range map[string]struct {
		idle time.Duration
		want int
	}{"six days": {6 * 24 * time.Hour, 0}, "eight days": {8 * 24 * time.Hour, 1}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", assistant(99, 1))
				elapse(time.Second)
				p.close(t)
				elapse(tt.idle)
				core, logs := observer.New(zap.WarnLevel)
				start(t, s, "proxy-2", assistant(50, 50), func(o *rollout.Options) { o.Log = zap.New(core) })
				elapse(3 * time.Second)
				if got := logs.FilterMessageSnippet("for long").Len(); got != tt.want {
					t.Errorf("announced: got %d times, want %d: %v", got, tt.want, logs.All())
				}
			})
		})
	}
}

// copyOf returns a store that has what another one has now.
func copyOf(t testing.TB, s store.Store) *embedded.Store {
	t.Helper()
	other := newStore(t)
	state := stored(t, s)
	ev := store.Event{ID: state.ID, Split: "assistant", Revision: state.Revision, Change: state.Changed}
	if err := other.Swap(t.Context(), splitter.Version{}, state, ev); err != nil {
		t.Fatal(err)
	}
	return other
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
