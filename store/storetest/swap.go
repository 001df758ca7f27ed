package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var swapTests = map[string]func(*testing.T, store.Store){
	"no state is not found": func(t *testing.T, s store.Store) {
		state, err := s.Load(t.Context(), "assistant")
		if state != nil || !errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Load: got %v, %v, want nil and only ErrNotFound", state, err)
		}
	},
	"what was written is read": func(t *testing.T, s store.Store) {
		first := begin(t, s, "assistant")
		equal(t, "first", encode(t, mustLoad(t, s, "assistant")), encode(t, first))
		second := advance(t, s, first, 1)
		equal(t, "second", encode(t, mustLoad(t, s, "assistant")), encode(t, second))
	},
	"splits are apart": func(t *testing.T, s store.Store) {
		one, other := begin(t, s, "one"), begin(t, s, "other")
		advance(t, s, one, 1)
		equal(t, "other", encode(t, mustLoad(t, s, "other")), encode(t, other))
	},
	"another version is a conflict": testConflicts,
	"a first state over one is a conflict": func(t *testing.T, s store.Store) {
		begin(t, s, "assistant")
		again, ev := First("assistant", "again")
		refused(t, s, splitter.Version{}, again, ev, store.ErrConflict)
	},
	"a retry is a success that logs once": func(t *testing.T, s store.Store) {
		first := begin(t, s, "assistant")
		next, ev := Next(first, "retried")
		for range 3 {
			mustSwap(t, s, first.Version, next, ev)
		}
		equal(t, "events", ids(mustEvents(t, s, "assistant", 10)), []string{"retried", "assistant-1"})
	},
	"revisions may jump": func(t *testing.T, s store.Store) {
		first := begin(t, s, "assistant")
		next, ev := Next(first, "far")
		next.Revision, ev.Revision = 1<<53-1, 1<<53-1
		mustSwap(t, s, first.Version, next, ev)
		equal(t, "version", mustLoad(t, s, "assistant").Version, splitter.Version{Revision: 1<<53 - 1, ID: "far"})
		after, ev := Next(next, "after") // at 2^53, which is the last
		mustSwap(t, s, next.Version, after, ev)
		beyond, ev := Next(after, "beyond")
		tooGreat(t, s, after.Version, beyond, ev, "9007199254740993")
	},
	"epochs have an end": func(t *testing.T, s store.Store) {
		first := begin(t, s, "assistant")
		next, ev := Next(first, "last")
		next.Epoch = 1 << 53
		mustSwap(t, s, first.Version, next, ev)
		beyond, ev := Next(next, "beyond")
		beyond.Epoch++
		tooGreat(t, s, next.Version, beyond, ev, "9007199254740993")
	},
	"an order that is in no inbox is gone": func(t *testing.T, s store.Store) {
		first := begin(t, s, "assistant")
		next, ev := Next(first, "ordered")
		ev.Order = "the agent insults people"
		refused(t, s, first.Version, next, ev, store.ErrOrderGone)
		equal(t, "state", encode(t, mustLoad(t, s, "assistant")), encode(t, first))
		equal(t, "events", ids(mustEvents(t, s, "assistant", 10)), []string{"assistant-1"})
	},
	"eight writers, one winner each": testWriters,
}

func testConflicts(t *testing.T, s store.Store) {
	first := begin(t, s, "assistant")
	current := advance(t, s, first, 1)
	for name, prev := range map[string]splitter.Version{
		"none":           {},
		"lower":          first.Version,
		"another id":     {Revision: current.Revision, ID: "forked"},
		"another higher": {Revision: current.Revision + 1, ID: current.ID},
	} {
		t.Run(name, func(t *testing.T) {
			next, ev := Next(current, "late")
			next.Revision += 5
			refused(t, s, prev, next, ev, store.ErrConflict)
		})
	}
	equal(t, "state", encode(t, mustLoad(t, s, "assistant")), encode(t, current))
	equal(t, "events", len(mustEvents(t, s, "assistant", 10)), 2)
}

// refused swaps and wants an error.
func refused(t *testing.T, s store.Store, prev splitter.Version, next *splitter.State, ev store.Event, want error) {
	t.Helper()
	if err := s.Swap(t.Context(), prev, next, ev); !errors.Is(err, want) {
		t.Errorf("Swap(%v → %v): got %v, want %v", prev, next.Version, err, want)
	}
}

// tooGreat swaps to a State with too great a number and wants it to be refused for that, which is nobody's outage.
func tooGreat(t *testing.T, s store.Store, prev splitter.Version, next *splitter.State, ev store.Event, number string) {
	t.Helper()
	err := s.Swap(t.Context(), prev, next, ev)
	if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), number) {
		t.Errorf("Swap(%v → %v): got %v, want an error with %s", prev, next.Version, err, number)
	}
}

// testWriters lets eight writers make 20 changes each at once. Nothing may be lost: not a change, not an event.
func testWriters(t *testing.T, s store.Store) {
	const writers, changes = 8, 20
	begin(t, s, "assistant")
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for c := range changes {
				if err := swapUntilWon(t, s, fmt.Sprintf("w%d-%d", w, c)); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	all.Wait()
	const total = 1 + writers*changes
	equal(t, "revision", mustLoad(t, s, "assistant").Revision, uint64(total))
	events := mustEvents(t, s, "assistant", 2*total)
	seen := map[string]bool{}
	for i, ev := range events {
		equal(t, "revision of an event", ev.Revision, uint64(total-i))
		seen[ev.ID] = true
	}
	equal(t, "different events", len(seen), total)
}

// swapUntilWon makes one change, however often others are faster.
func swapUntilWon(t *testing.T, s store.Store, id string) error {
	for {
		prev, err := s.Load(t.Context(), "assistant")
		if err != nil {
			return err
		}
		next, ev := Next(prev, id)
		if err := s.Swap(t.Context(), prev.Version, next, ev); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}
