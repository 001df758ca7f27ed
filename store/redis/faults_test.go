//go:build unix

package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// During each fault the store says the truth about what it can and cannot do, in time; afterwards it works again without
// any help.
func TestFaults(t *testing.T) {
	for _, fault := range storetest.Faults {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t)
			s := open(t, at(server))
			state := begin(t, s, "assistant")
			fault.Prepare(server)
			next, ev := storetest.Next(state, "lost-if-forgotten")
			if err := s.Swap(t.Context(), state.Version, next, ev); err != nil {
				t.Fatal(err)
			}
			w := storetest.StartWatch(t, s)
			w.Resync(t)
			server.Order("default", "assistant", "stop it")

			fault.Begin(server)
			if fault.Reads {
				wantReading(t, s, fault)
			} else {
				wantUnavailable(t, s)
			}
			wantWrites(t, s, fault, next)
			if fault.Announces {
				wantHeard(t, s, w, "during")
			}

			fault.End(server)
			wantHeard(t, s, w, "after")
			wantNewChange(t, s)
		})
	}
}

// wantReading wants versions and orders from a store that can be read.
func wantReading(t *testing.T, s store.Store, fault storetest.Fault) {
	t.Helper()
	var p store.Pulse
	eventually(t, func(ctx context.Context) (err error) { // connections that broke are made anew
		p, err = s.Pulse(ctx, store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"}, ListMembers: true,
			Applied: map[string]splitter.Version{"assistant": {}}})
		return err
	})
	if (p.Refused == "") != fault.Writes {
		t.Errorf("refused: got %q, want one unless the fault lets writes pass (%t)", p.Refused, fault.Writes)
	}
	if fault.Forgets {
		return
	}
	if p.Versions["assistant"].ID != "lost-if-forgotten" || p.Orders["assistant"] != "stop it" {
		t.Errorf("Pulse: got %+v, want the last version and the order", p)
	}
	if splits, err := s.List(t.Context()); err != nil || len(splits) != 1 {
		t.Errorf("List: got %v, %v, want one split", splits, err)
	}
}

// wantWrites wants a change to succeed if the fault allows it, and otherwise to be refused in the right words.
func wantWrites(t *testing.T, s store.Store, fault storetest.Fault, state *splitter.State) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	next, ev := storetest.Next(state, "during")
	err := s.Swap(ctx, state.Version, next, ev)
	switch {
	case fault.Forgets:
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("Swap over a lost State: got %v, want ErrConflict", err)
		}
	case fault.Writes:
		if err != nil {
			t.Errorf("Swap: got %v, want none", err)
		}
	case !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil:
		t.Errorf("Swap: got %v, want ErrUnavailable before its deadline", err)
	case fault.Reads && !errors.Is(err, store.ErrNotWritten):
		t.Errorf("Swap: got %v, want ErrNotWritten", err)
	}
}

// wantHeard announces until the watcher hears it: announcements made while it reconnects are lost.
func wantHeard(t *testing.T, s store.Store, w *storetest.Watching, id string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = s.Announce(ctx, store.Notice{Split: "assistant", Kill: &splitter.Kill{ID: id}}) // it may be away yet
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	defer func() { stop(); <-ended }()
	for n := w.Next(t); n.Kill == nil || n.Kill.ID != id; n = w.Next(t) {
	}
}

// wantNewChange wants the store to take a change again, whatever State it has.
func wantNewChange(t *testing.T, s store.Store) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		state, err := s.Load(ctx, "assistant")
		next, ev := storetest.First("assistant", "recovered")
		var prev splitter.Version
		switch {
		case err == nil:
			prev = state.Version
			next, ev = storetest.Next(state, "recovered")
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		return s.Swap(ctx, prev, next, ev)
	})
}
