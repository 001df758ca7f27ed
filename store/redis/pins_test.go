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

// A request that looks for a pin waits no longer than it said, whatever ails the server, and holds up no heartbeat.
func TestFindPinKeepsItsDeadline(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	pin := store.Pin{ID: "a", Pin: splitter.Pin{Variant: "green", Epoch: 3}, Keep: time.Minute}
	if err := s.KeepPins(t.Context(), "assistant", []store.Pin{pin}); err != nil {
		t.Fatal(err)
	}
	find := func() (time.Duration, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, _, err := s.FindPin(ctx, "assistant", "a")
		return time.Since(begin), err
	}
	for name, fault := range map[string]struct{ begin, end func() }{
		"frozen": {server.Pause, server.Resume},
		"killed": {server.Kill, server.Restart},
	} {
		fault.begin()
		for range 20 {
			took, err := find()
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: got %v, want ErrUnavailable", name, err)
			}
			if took > 50*time.Millisecond { // a loaded machine
				t.Errorf("%s: took %v, want about 5 ms at most", name, took)
			}
		}
		fault.end()
	}
	if _, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"}}); err != nil {
		t.Error(err)
	}
}

// Whoever looks into Redis sees which conversations there are, and not whose.
func TestPinsCanBeRead(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	pin := store.Pin{ID: "c3f1", Pin: splitter.Pin{Variant: "green", Epoch: 3}, Keep: time.Minute}
	if err := s.KeepPins(t.Context(), "assistant", []store.Pin{pin}); err != nil {
		t.Fatal(err)
	}
	const key = "switchback:{default/assistant}:pin:c3f1"
	if got := server.Do("GET", key); got != "3 green" {
		t.Errorf("%s: got %v, want 3 green", key, got)
	}
	if ttl, ok := server.Do("PTTL", key).(int64); !ok || ttl <= 0 || ttl > 60_000 {
		t.Errorf("%s expires in %v ms, want a minute at most", key, ttl)
	}
	server.Do("SET", key, "spoiled")
	if _, _, err := s.FindPin(t.Context(), "assistant", "c3f1"); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a spoiled pin: got %v, want ErrCorrupt", err)
	}
}
