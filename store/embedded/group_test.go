package embedded

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// crowd is a group over an outbox that keeps few events, and what it should do.
type crowd struct {
	outbox []entry
	group  *group
	now    time.Time
	ids    int
	left   map[string]int // how often each event that is neither acknowledged nor trimmed was claimed, by receipt
	last   map[string]time.Time
}

const crowdKept, crowdIdle = 8, 10 * time.Second

// TestGroup claims and acknowledges at random while events come and are trimmed.
func TestGroup(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &crowd{group: newGroup(store.Cursor{}), now: time.Unix(1000, 0), left: map[string]int{}, last: map[string]time.Time{}}
		rt.Repeat(map[string]func(*rapid.T){
			"event":       c.event,
			"wait":        func(t *rapid.T) { c.now = c.now.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "s")) * time.Second) },
			"claim":       c.claim,
			"acknowledge": c.acknowledge,
			"restart":     c.restart,
			"":            c.check,
		})
	})
}

// event logs an event, and trims the outbox.
func (c *crowd) event(*rapid.T) {
	var last store.Cursor
	if n := len(c.outbox); n > 0 {
		last = c.outbox[n-1].at
	}
	c.ids++
	e := entryAt(last.Next(c.now), store.Event{ID: strconv.Itoa(c.ids)})
	c.outbox = append(slices.Clone(c.outbox), e)
	c.left[e.at.String()] = 0
	if len(c.outbox) > crowdKept {
		delete(c.left, c.outbox[0].at.String())
		c.outbox = c.outbox[1:]
	}
}

// claim claims what is free, and no more.
func (c *crowd) claim(t *rapid.T) {
	limit := rapid.IntRange(0, 5).Draw(t, "limit")
	var want []store.Delivery
	for _, e := range c.outbox {
		at := e.at.String()
		tries, isLeft := c.left[at]
		if isLeft && len(want) < limit && (tries == 0 || c.now.Sub(c.last[at]) >= crowdIdle) {
			want = append(want, store.Delivery{Receipt: at, Event: store.Event{ID: e.event.ID}, Tries: tries + 1})
			c.left[at], c.last[at] = tries+1, c.now
		}
	}
	got := c.group.claim(c.outbox, store.ClaimAsk{Limit: limit, Idle: crowdIdle}, c.now)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("claim: got %v, want %v", got, want)
	}
}

// acknowledge acknowledges some receipts, among them such as nobody has.
func (c *crowd) acknowledge(t *rapid.T) {
	receipts := []string{"no receipt", "1-1"}
	for _, e := range c.outbox {
		if rapid.Bool().Draw(t, "acknowledged") {
			at := e.at.String()
			receipts = append(receipts, at)
			if c.left[at] > 0 {
				delete(c.left, at)
			}
		}
	}
	c.group, _ = c.group.acknowledge(c.outbox, receipts)
}

// restart keeps what the group's file holds.
func (c *crowd) restart(t *rapid.T) {
	data, err := encodeGroup(c.group)
	if err == nil {
		c.group, err = decodeGroup(data)
	}
	if err != nil {
		t.Fatalf("group %s: %v", data, err)
	}
	for at := range c.left {
		c.left[at] = 0
	}
}

// check wants no more to be remembered than there is.
func (c *crowd) check(t *rapid.T) {
	c.group.forget(c.outbox)
	if n := len(c.group.acked) + len(c.group.claims); n > crowdKept {
		t.Fatalf("the group remembers %d events, and the outbox has %d", n, len(c.outbox))
	}
}

// FuzzDecodeGroup: what is in a group's file is read as it stands or refused.
func FuzzDecodeGroup(f *testing.F) {
	f.Add(`{"after":"7-1","acknowledged":["8-0","9-3"]}`)
	f.Add(`{"after":"0-0"}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, text string) {
		g, err := decodeGroup([]byte(text))
		if err != nil {
			return
		}
		data, err := encodeGroup(g)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeGroup(data)
		if diff := cmp.Diff(g, again, cmp.AllowUnexported(group{}, claim{})); err != nil || diff != "" {
			t.Errorf("decodeGroup(%s): got %+v, %v, want %+v", data, again, err, g)
		}
	})
}

// A log's file does not grow without end while the store is open.
func TestLogFileIsTrimmed(t *testing.T) {
	folder := t.TempDir()
	s, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	first := &splitter.State{Schema: splitter.Schema, Split: "assistant", Version: splitter.Version{Revision: 1, ID: "first"},
		Epoch: 1, Salt: "salt", Stable: "blue", Ranges: []splitter.Range{{From: 0, To: 100_000, Variant: "blue"}},
		Progress: splitter.Progress{Phase: splitter.PhaseIdle}}
	if err := s.Swap(t.Context(), splitter.Version{}, first, store.Event{ID: "first", Split: "assistant"}); err != nil {
		t.Fatal(err)
	}
	l := s.splits["assistant"].log
	l.lines = 2 * store.EventsKept // as after so many
	for _, id := range []string{"one", "two"} {
		if _, err := s.Record(t.Context(), store.Event{ID: id, Split: "assistant"}); err != nil {
			t.Fatal(err)
		}
	}
	if l.lines != 3 {
		t.Errorf("the file has %d lines, want 3", l.lines)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if events, err := s.Events(t.Context(), "assistant", 10); err != nil || len(events) != 3 {
		t.Errorf("Events: got %v, %v, want three", events, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
