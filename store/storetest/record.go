package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// withoutCursor compares events but for where they are in their log.
var withoutCursor = cmpopts.IgnoreFields(store.Event{}, "Cursor")

var recordTests = map[string]func(*testing.T, store.Store){
	"it is logged and announced, once for each id": testRecord,
	"without a state": func(t *testing.T, s store.Store) {
		if isNew, err := s.Record(t.Context(), note("assistant", "early")); isNew || !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Record: got %t, %v, want ErrNotFound", isNew, err)
		}
		begin(t, s, "assistant")
		equal(t, "recorded later", record(t, s, "assistant", "early"), true)
	},
	"ids of other splits are others": func(t *testing.T, s store.Store) {
		begin(t, s, "one")
		begin(t, s, "other")
		equal(t, "one", record(t, s, "one", "n"), true)
		equal(t, "other", record(t, s, "other", "n"), true)
	},
	"the state is as it was": func(t *testing.T, s store.Store) {
		state := begin(t, s, "assistant")
		record(t, s, "assistant", "n")
		equal(t, "state", encode(t, mustLoad(t, s, "assistant")), encode(t, state))
		advance(t, s, state, 1)
		equal(t, "events", ids(mustEvents(t, s, "assistant", 10)), []string{"assistant-2", "n", "assistant-1"})
	},
	"eight record one, one is first": func(t *testing.T, s store.Store) {
		begin(t, s, "assistant")
		var first atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				isNew, err := s.Record(t.Context(), note("assistant", "n"))
				if err != nil {
					t.Errorf("Record: %v", err)
				}
				if isNew {
					first.Add(1)
				}
			})
		}
		all.Wait()
		equal(t, "first", first.Load(), int32(1))
		equal(t, "events", ids(mustEvents(t, s, "assistant", 10)), []string{"n", "assistant-1"})
	},
	"what must not be recorded": testUnrecordable,
	"an event that is too long changes no state": func(t *testing.T, s store.Store) {
		first := begin(t, s, "assistant")
		next, ev := Next(first, "long")
		ev.Reason = strings.Repeat("x", store.MaxEvent)
		err := s.Swap(t.Context(), first.Version, next, ev)
		if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), fmt.Sprint(store.MaxEvent)) {
			t.Errorf("Swap: got %v, want an error with %d", err, store.MaxEvent)
		}
		equal(t, "state", encode(t, mustLoad(t, s, "assistant")), encode(t, first))
	},
	"events after a cursor, page by page": testPages,
	"newest events have their cursors":    testCursors,
	"what is no cursor": func(t *testing.T, s store.Store) {
		begin(t, s, "assistant")
		for _, cursor := range []string{"x", "0", "-", "1-", "+1-0", "01-0", "(1-0", "1-0-0", "18446744073709551616-0"} {
			if _, err := s.EventsAfter(t.Context(), "assistant", cursor, 1); !errors.Is(err, store.ErrCursor) ||
				errors.Is(err, store.ErrUnavailable) {
				t.Errorf("EventsAfter(%q): got %v, want ErrCursor", cursor, err)
			}
		}
	},
}

func testRecord(t *testing.T, s store.Store) {
	begin(t, s, "assistant")
	w := StartWatch(t, s)
	w.Resync(t)
	want := note("assistant", "n-1")
	want.Reason, want.Evidence = "it waits\nfor „approval“", []byte(`{"step":3}`)
	for i, isNew := range []bool{true, false, false} {
		got, err := s.Record(t.Context(), want)
		if err != nil || got != isNew {
			t.Errorf("Record, call %d: got %t, %v, want %t", i+1, got, err, isNew)
		}
	}
	equal(t, "notice", w.Next(t), store.Notice{Split: "assistant", Event: true})
	equal(t, "another", record(t, s, "assistant", "n-2"), true)
	equal(t, "next notice", w.Next(t), store.Notice{Split: "assistant", Event: true})
	got := mustEvents(t, s, "assistant", 10)
	equal(t, "events", ids(got), []string{"n-2", "n-1", "assistant-1"})
	if diff := cmp.Diff(want, got[1], cmpopts.IgnoreUnexported(splitter.Kill{}), withoutCursor); diff != "" {
		t.Errorf("event: got %+v, want %+v (-want +got):\n%s", got[1], want, diff)
	}
}

func testUnrecordable(t *testing.T, s store.Store) {
	begin(t, s, "assistant")
	for name, spoil := range map[string]func(*store.Event){
		"no id":         func(ev *store.Event) { ev.ID = "" },
		"a long id":     func(ev *store.Event) { ev.ID = strings.Repeat("x", 129) },
		"an odd id":     func(ev *store.Event) { ev.ID = "a:b" },
		"no split":      func(ev *store.Event) { ev.Split = "../assistant" },
		"too long":      func(ev *store.Event) { ev.Reason = strings.Repeat("x", store.MaxEvent) },
		"odd evidence":  func(ev *store.Event) { ev.Evidence = []byte("{") },
		"long evidence": func(ev *store.Event) { ev.Evidence = []byte(`"` + strings.Repeat("x", store.MaxEvent) + `"`) },
	} {
		ev := note("assistant", "spoiled")
		spoil(&ev)
		if _, err := s.Record(t.Context(), ev); err == nil || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Record of an event with %s: got %v, want it to be refused", name, err)
		}
	}
	equal(t, "events", ids(mustEvents(t, s, "assistant", 10)), []string{"assistant-1"})
}

func testPages(t *testing.T, s store.Store) {
	state := begin(t, s, "assistant")
	record(t, s, "assistant", "n-1")
	begin(t, s, "other")
	advance(t, s, state, 3)
	want := []string{"assistant-1", "n-1", "assistant-2", "assistant-3", "assistant-4"}
	for _, limit := range []int{1, 2, 5, 100} {
		var got []string
		for cursor := ""; len(got) < 20; {
			page := mustEventsAfter(t, s, "assistant", cursor, limit)
			if len(page) == 0 {
				break
			}
			if len(page) > limit {
				t.Errorf("EventsAfter: got %d events, want at most %d", len(page), limit)
			}
			got = append(got, ids(page)...)
			cursor = page[len(page)-1].Cursor
		}
		equal(t, fmt.Sprint("by ", limit), got, want)
	}
	equal(t, "none asked for", len(mustEventsAfter(t, s, "assistant", "", 0)), 0)
	equal(t, "none of another split", len(mustEventsAfter(t, s, "nobody", "", 10)), 0)
	equal(t, "from before all", ids(mustEventsAfter(t, s, "assistant", "0-0", 10)), want)
	equal(t, "after all", len(mustEventsAfter(t, s, "assistant", "18446744073709551615-0", 10)), 0)
}

func testCursors(t *testing.T, s store.Store) {
	advance(t, s, begin(t, s, "assistant"), 2)
	newest, inOrder := mustEvents(t, s, "assistant", 10), mustEventsAfter(t, s, "assistant", "", 10)
	for i, ev := range newest {
		equal(t, "event", ev, inOrder[len(inOrder)-1-i])
	}
	forged, last := note("assistant", "forged"), newest[0].Cursor
	forged.Cursor = "1-1"
	if _, err := s.Record(t.Context(), forged); err != nil {
		t.Fatalf("Record: %v", err)
	}
	after := mustEventsAfter(t, s, "assistant", last, 10)
	equal(t, "after the newest", ids(after), []string{"forged"})
	if after[0].Cursor == forged.Cursor {
		t.Errorf("cursor: got %q, which the caller wrote", after[0].Cursor)
	}
}

// note returns an event that changes no State.
func note(split, id string) store.Event {
	return store.Event{ID: id, Split: split, Revision: 1, Epoch: 1,
		Change: splitter.Change{Kind: "waiting", Actor: "switchback", At: epochStart}}
}

// record records an event and reports whether it is new.
func record(t *testing.T, s store.Store, split, id string) bool {
	t.Helper()
	isNew, err := s.Record(t.Context(), note(split, id))
	if err != nil {
		t.Fatalf("Record(%s): %v", id, err)
	}
	return isNew
}

// mustEventsAfter returns a split's events after a cursor.
func mustEventsAfter(t *testing.T, s store.Store, split, cursor string, limit int) []store.Event {
	t.Helper()
	events, err := s.EventsAfter(t.Context(), split, cursor, limit)
	if err != nil {
		t.Fatalf("EventsAfter(%q, %q, %d): %v", split, cursor, limit, err)
	}
	return events
}
