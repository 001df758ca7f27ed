package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// order is what a person wrote into the inbox.
const order = "the agent insults people"

var inboxTests = map[string]func(t *testing.T, s store.Store, put func(split, order string)){
	"orders for what was asked": func(t *testing.T, s store.Store, put func(split, order string)) {
		for _, split := range []string{"one", "other", "not-asked"} {
			put(split, "stop "+split)
		}
		p := pulse(t, s, beatOf("a", "1", map[string]splitter.Version{"one": {}, "other": {}, "quiet": {}}))
		equal(t, "orders", p.Orders, map[string]string{"one": "stop one", "other": "stop other"})
	},
	"an empty text is no order": func(t *testing.T, s store.Store, put func(split, order string)) {
		put("assistant", "")
		equal(t, "orders", len(ordersOf(t, s)), 0)
	},
	"opaque bytes": func(t *testing.T, s store.Store, put func(split, order string)) {
		first := begin(t, s, "assistant")
		put("assistant", "\x00 \xff\r\n„x“ %s")
		equal(t, "orders", ordersOf(t, s)["assistant"], "\x00 \xff\r\n„x“ %s")
		mustCarryOut(t, s, first, "\x00 \xff\r\n„x“ %s")
		equal(t, "orders left", len(ordersOf(t, s)), 0)
	},
	"a long one is cut off, and carried out all the same": func(t *testing.T, s store.Store, put func(split, order string)) {
		first := begin(t, s, "assistant")
		put("assistant", strings.Repeat("x", 5*store.MaxOrder))
		cut := ordersOf(t, s)["assistant"]
		equal(t, "order", cut, strings.Repeat("x", store.MaxOrder))
		mustCarryOut(t, s, first, cut)
		equal(t, "orders left", len(ordersOf(t, s)), 0)
	},
	"carried out, it is taken out and logged": func(t *testing.T, s store.Store, put func(split, order string)) {
		first := begin(t, s, "assistant")
		put("assistant", order)
		mustCarryOut(t, s, first, order)
		equal(t, "orders left", len(ordersOf(t, s)), 0)
		equal(t, "order of the event", mustEvents(t, s, "assistant", 1)[0].Order, order)
	},
	"replaced, the new one stays": func(t *testing.T, s store.Store, put func(split, order string)) {
		first := begin(t, s, "assistant")
		put("assistant", "revive")
		next, ev := ordered(first, order, "late")
		refused(t, s, first.Version, next, ev, store.ErrOrderGone)
		equal(t, "orders", ordersOf(t, s), map[string]string{"assistant": "revive"})
		equal(t, "state", mustLoad(t, s, "assistant").Version, first.Version)
		equal(t, "events", ids(mustEvents(t, s, "assistant", 10)), []string{"assistant-1"})
	},
	"a retry is a success, and leaves the next order alone": func(t *testing.T, s store.Store, put func(split, order string)) {
		first := begin(t, s, "assistant")
		put("assistant", order)
		next, ev := ordered(first, order, "retried")
		mustSwap(t, s, first.Version, next, ev)
		mustSwap(t, s, first.Version, next, ev)
		put("assistant", order)
		mustSwap(t, s, first.Version, next, ev)
		equal(t, "orders", ordersOf(t, s), map[string]string{"assistant": order})
	},
	"a conflict leaves it": func(t *testing.T, s store.Store, put func(split, order string)) {
		first := begin(t, s, "assistant")
		current := advance(t, s, first, 1)
		put("assistant", order)
		next, ev := ordered(current, order, "late")
		refused(t, s, first.Version, next, ev, store.ErrConflict)
		equal(t, "orders", ordersOf(t, s), map[string]string{"assistant": order})
		mustSwap(t, s, current.Version, next, ev)
	},
	"other changes leave it": func(t *testing.T, s store.Store, put func(split, order string)) {
		first := begin(t, s, "assistant")
		put("assistant", order)
		advance(t, s, first, 2)
		equal(t, "orders", ordersOf(t, s), map[string]string{"assistant": order})
	},
	"a tombstone takes it out": func(t *testing.T, s store.Store, put func(split, order string)) {
		first := begin(t, s, "assistant")
		put("assistant", order)
		put("other", order)
		bury(t, s, first)
		equal(t, "orders", ordersOf(t, s), map[string]string{"other": order})
	},
	"eight carry it out, once": testOrderRace,
}

// testOrderRace lets eight instances carry out one order at the same time. One succeeds, the others are told that it is
// gone: each order makes one change.
func testOrderRace(t *testing.T, s store.Store, put func(split, order string)) {
	state := begin(t, s, "assistant")
	put("assistant", order)
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			next, ev := ordered(state, order, fmt.Sprint("by-", i))
			switch err := s.Swap(t.Context(), state.Version, next, ev); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, store.ErrOrderGone):
				t.Errorf("Swap: got %v, want ErrOrderGone", err)
			}
		})
	}
	all.Wait()
	equal(t, "winners", won.Load(), int32(1))
	equal(t, "revision", mustLoad(t, s, "assistant").Revision, state.Revision+1)
}

// ordered returns the State that follows state by a person's order, with its event.
func ordered(state *splitter.State, order, id string) (*splitter.State, store.Event) {
	next, ev := Next(state, id)
	ev.Kind, ev.Via, ev.Order = "kill", "inbox", order
	return next, ev
}

// mustCarryOut makes the change that an order asks for.
func mustCarryOut(t *testing.T, s store.Store, state *splitter.State, order string) {
	t.Helper()
	next, ev := ordered(state, order, "ordered")
	mustSwap(t, s, state.Version, next, ev)
}

// ordersOf returns what is in the inboxes of the splits that the inbox tests use.
func ordersOf(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	return pulse(t, s, beatOf("a", "1", map[string]splitter.Version{"assistant": {}, "other": {}})).Orders
}
