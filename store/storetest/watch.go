package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var watchTests = map[string]func(*testing.T, store.Store){
	"resync first, then what is written and announced": testWatch,
	"every watcher is told": func(t *testing.T, s store.Store) {
		one, other := StartWatch(t, s), StartWatch(t, s)
		one.Resync(t)
		other.Resync(t)
		state := begin(t, s, "assistant")
		equal(t, "one", one.Next(t).State.Version, state.Version)
		equal(t, "other", other.Next(t).State.Version, state.Version)
	},
	"it ends with its context": func(t *testing.T, s store.Store) {
		w := StartWatch(t, s)
		w.Resync(t)
		equal(t, "error", errors.Is(w.Stop(t), context.Canceled), true)
	},
	"a context that is done ends it at once": func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Watch(ctx, func(store.Notice) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("Watch: got %v, want context.Canceled", err)
		}
	},
	"closing the store ends it": func(t *testing.T, s store.Store) {
		w := StartWatch(t, s)
		w.Resync(t)
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		if err := w.Wait(t); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Watch: got %v, want ErrUnavailable", err)
		}
	},
}

func testWatch(t *testing.T, s store.Store) {
	w := StartWatch(t, s)
	w.Resync(t)

	state := begin(t, s, "assistant")
	n := w.Next(t)
	equal(t, "split", n.Split, "assistant")
	equal(t, "state", encode(t, n.State), encode(t, state))

	refused(t, s, splitter.Version{}, state.Clone(), eventOf(state), nil) // a retry: nothing new to tell
	kill := &splitter.Kill{ID: "k1", Level: splitter.KillCut, Reason: "out of the store", At: epochStart}
	if err := s.Announce(t.Context(), store.Notice{Split: "assistant", Kill: kill}); err != nil {
		t.Fatalf("Announce: %v", err)
	}
	n = w.Next(t)
	equal(t, "kill", encode(t, n.Kill), encode(t, kill))
	equal(t, "state beside a kill", n.State == nil, true)
}

// Watching is a Watch that runs in a test.
type Watching struct {
	notices chan store.Notice
	ended   chan error
	stop    context.CancelFunc
}

// StartWatch watches a store until the test ends.
func StartWatch(t testing.TB, s store.Store) *Watching {
	ctx, stop := context.WithCancel(context.Background())
	w := &Watching{notices: make(chan store.Notice, 1000), ended: make(chan error, 1), stop: stop}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.ended <- s.Watch(ctx, func(n store.Notice) { w.notices <- n })
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return w
}

// Next returns the next notice, and fails the test if none comes.
func (w *Watching) Next(t testing.TB) store.Notice {
	t.Helper()
	select {
	case n := <-w.notices:
		return n
	case err := <-w.ended:
		t.Fatalf("Watch ended: %v", err)
	case <-time.After(patience):
		t.Fatalf("no notice within %v", patience)
	}
	return store.Notice{}
}

// Resync fails the test if the next notice is no Resync.
func (w *Watching) Resync(t testing.TB) {
	t.Helper()
	if n := w.Next(t); !n.Resync {
		t.Fatalf("notice: got %+v, want a Resync", n)
	}
}

// Stop ends the watch and returns its error.
func (w *Watching) Stop(t testing.TB) error {
	t.Helper()
	w.stop()
	return w.Wait(t)
}

// Wait returns the error of a watch that ends by itself.
func (w *Watching) Wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		t.Fatalf("Watch did not end within %v", patience)
		return nil
	}
}
