package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var refusalTests = map[string]func(*testing.T, store.Store){
	"a closed store is unavailable": func(t *testing.T, s store.Store) {
		for range 2 { // closing twice is fine
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
		}
		for name, err := range CallAll(t.Context(), s) {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: got %v, want ErrUnavailable", name, err)
			}
		}
		equal(t, "kind is told all the same", s.Describe().Kind != "", true)
	},
	"a cancelled context": func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, err := range CallAll(ctx, s) {
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want ErrUnavailable and context.Canceled", name, err)
			}
		}
	},
	"a deadline that has passed": func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		for name, err := range CallAll(ctx, s) {
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v, want ErrUnavailable and context.DeadlineExceeded", name, err)
			}
		}
	},
	"a state that could not be read back": func(t *testing.T, s store.Store) {
		first := begin(t, s, "assistant")
		for name, spoil := range map[string]func(*splitter.State){
			"name":     func(s *splitter.State) { s.Split = "../assistant" },
			"ranges":   func(s *splitter.State) { s.Ranges = nil },
			"revision": func(s *splitter.State) { s.Revision = first.Revision },
		} {
			next, ev := Next(first, "spoiled")
			spoil(next)
			if err := s.Swap(t.Context(), first.Version, next, ev); err == nil {
				t.Errorf("Swap of a state with a spoiled %s: got no error", name)
			}
		}
		equal(t, "state", encode(t, mustLoad(t, s, "assistant")), encode(t, first))
	},
}

// CallAll calls each method but Watch, Describe and Close once, all at the same time, and returns their errors by name.
func CallAll(ctx context.Context, s store.Store) map[string]error {
	state, ev := First("assistant", "called")
	beat := beatOf("a", "1", map[string]splitter.Version{"assistant": {}})
	calls := map[string]func() error{
		"Load":        func() error { _, err := s.Load(ctx, "assistant"); return err },
		"Swap":        func() error { return s.Swap(ctx, splitter.Version{}, state, ev) },
		"Events":      func() error { _, err := s.Events(ctx, "assistant", 1); return err },
		"Record":      func() error { _, err := s.Record(ctx, note("assistant", "recorded")); return err },
		"Claim":       func() error { _, err := s.Claim(ctx, claimOf("alerts", memberA, 1)); return err },
		"Acknowledge": func() error { return s.Acknowledge(ctx, "alerts", []string{"1-0"}) },
		"EventsAfter": func() error { _, err := s.EventsAfter(ctx, "assistant", "", 1); return err },
		"List":        func() error { _, err := s.List(ctx); return err },
		"Pulse":       func() error { _, err := s.Pulse(ctx, beat); return err },
		"Leave":       func() error { return s.Leave(ctx, memberA) },
		"Announce":    func() error { return s.Announce(ctx, store.Notice{Split: "assistant"}) },
		"PutFrames": func() error {
			frame := frameAt(time.Now().Unix(), "frame")
			frame.Window = []byte("window")
			_, err := s.PutFrames(ctx, memberA, []store.Frame{frame})
			return err
		},
		"Seal": func() error {
			_, err := s.Seal(ctx, []store.SealAsk{{Split: "assistant", Epoch: 1, Seconds: []int64{1}, Patience: time.Hour}})
			return err
		},
		"LoadJudge": func() error { _, err := s.LoadJudge(ctx, "assistant"); return err },
		"SwapJudges": func() error {
			return s.SwapJudges(ctx, []store.JudgeSwap{{Split: "assistant", Next: store.JudgeState{Version: 1, Epoch: 1}}})[0]
		},
		"Windows":  func() error { _, err := s.Windows(ctx, "assistant", 1); return err },
		"KeepPins": func() error { return s.KeepPins(ctx, "assistant", []store.Pin{pinOf("a", onGreen)}) },
		"FindPin":  func() error { _, _, err := s.FindPin(ctx, "assistant", "a"); return err },
		"Secret":   func() error { _, err := s.Secret(ctx, "secret"); return err },
	}
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		errs = make(map[string]error, len(calls))
	)
	for name, call := range calls {
		all.Go(func() {
			err := call()
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	all.Wait()
	return errs
}
