//go:build unix

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

const (
	// patience is how long a test waits for something that should come at once.
	patience = 10 * time.Second
	// longest is how long a call may take that nobody answers: about two seconds, and room for a busy machine. A client
	// library that keeps trying, as they do by default, takes longer.
	longest = 5 * time.Second
)

// wantUnavailable calls every method, all of which must fail before long by themselves, and returns their errors by
// name.
func wantUnavailable(t *testing.T, s store.Store) map[string]error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	begun := time.Now()
	errs := storetest.CallAll(ctx, s)
	t.Logf("all calls failed after %v", time.Since(begun).Round(time.Millisecond))
	if ctx.Err() != nil {
		t.Fatalf("the calls took more than %v", longest)
	}
	for name, err := range errs {
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
	return errs
}

// eventually calls until it succeeds.
func eventually(t *testing.T, call func(context.Context) error) {
	t.Helper()
	if err := persist(t.Context(), call); err != nil {
		t.Fatal(err)
	}
}

// persist calls until it succeeds or patience ends.
func persist(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := call(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still failing after %v: %w", patience, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// begin writes a split's first State.
func begin(t *testing.T, s store.Store, split string) *splitter.State {
	t.Helper()
	state, ev := storetest.First(split, split+"-1")
	eventually(t, func(ctx context.Context) error { return s.Swap(ctx, splitter.Version{}, state, ev) })
	return state
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	server.Kill()
	s := open(t, at(server))
	for name, err := range wantUnavailable(t, s) {
		if !strings.Contains(err.Error(), server.Addr()) {
			t.Errorf("%s: got %q, want the address in it", name, err)
		}
	}
	server.Restart()
	begin(t, s, "assistant")
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	state := begin(t, s, "assistant")
	server.Pause()
	for name, err := range wantUnavailable(t, s) {
		if !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("%s: got %q, want it to say what happened", name, err)
		}
	}
	server.Resume()
	eventually(t, func(ctx context.Context) error {
		_, err := s.Load(ctx, state.Split)
		return err
	})
}

// A call must end with its caller's deadline, however far the client's own timeouts are away.
func TestDeadlineOfTheCaller(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	begin(t, s, "assistant")
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Load(ctx, "assistant")
	var netErr net.Error
	if !errors.Is(err, context.DeadlineExceeded) && !(errors.As(err, &netErr) && netErr.Timeout()) {
		t.Errorf("Load: got %v, want a timeout", err)
	}
}

func TestKilledAndRestarted(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	w := storetest.StartWatch(t, s)
	w.Resync(t)
	state := begin(t, s, "assistant")
	if n := w.Next(t); n.State == nil || n.State.Version != state.Version {
		t.Fatalf("notice: got %+v, want %v", n, state.Version)
	}
	server.Kill()
	wantUnavailable(t, s)
	server.Restart()
	w.Resync(t)
	eventually(t, func(ctx context.Context) error {
		loaded, err := s.Load(ctx, "assistant")
		if err == nil && loaded.Version != state.Version {
			t.Errorf("after the restart: got %v, want %v", loaded.Version, state.Version)
		}
		return err
	})
	next, ev := storetest.Next(state, "after")
	if err := s.Swap(t.Context(), state.Version, next, ev); err != nil {
		t.Fatalf("Swap: %v", err)
	}
	if n := w.Next(t); n.State == nil || n.State.Version != next.Version {
		t.Errorf("notice: got %+v, want %v", n, next.Version)
	}
}

// A subscription over which nothing comes any more, as on a path that swallows packets, is given up for a new one.
func TestWatchNoticesSilence(t *testing.T) {
	t.Parallel()
	testDeafWatch(t, func(s *redis.Store) { redis.SetQuiet(s, 100*time.Millisecond) }, func(*redis.Store) {})
}

// So is one that a pulse shows to have missed a change.
func TestWatchNoticesMissedChange(t *testing.T) {
	t.Parallel()
	testDeafWatch(t, func(*redis.Store) {}, func(s *redis.Store) {
		state := begin(t, s, "missed")
		eventually(t, func(ctx context.Context) error { // the connections that are deaf too are made anew
			p, err := s.Pulse(ctx, store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"},
				Applied: map[string]splitter.Version{"missed": {}}})
			if err == nil && p.Versions["missed"] != state.Version {
				t.Errorf("Pulse: got %v, want %v", p.Versions, state.Version)
			}
			return err
		})
	})
}

// testDeafWatch wants a subscription that went deaf to be replaced, after prepare before it stood and act once it is deaf.
func testDeafWatch(t *testing.T, prepare, act func(*redis.Store)) {
	server := storetest.StartRedis(t)
	path := newRelay(t, server.Addr())
	s := open(t, redis.Config{Addresses: []string{path.addr()}})
	prepare(s)
	w := storetest.StartWatch(t, s)
	w.Resync(t)
	path.swallow()
	act(s)
	w.Resync(t)
	state := begin(t, s, "assistant")
	if n := w.Next(t); n.State == nil || n.State.Version != state.Version {
		t.Errorf("notice: got %+v, want %v", n, state.Version)
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	state := begin(t, s, "assistant")
	if _, err := s.Secret(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	w := storetest.StartWatch(t, s)
	w.Resync(t)
	server.Fill()

	next, ev := storetest.Next(state, "refused")
	err := s.Swap(t.Context(), state.Version, next, ev)
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("Swap: got %v, want ErrUnavailable with OOM", err)
	}
	kill := &splitter.Kill{ID: "k", Level: splitter.KillCut}
	if err := s.Announce(t.Context(), store.Notice{Split: "assistant", Kill: kill}); err != nil {
		t.Errorf("Announce: %v", err)
	}
	if n := w.Next(t); n.Kill == nil || n.Kill.ID != "k" {
		t.Errorf("notice: got %+v, want the kill", n)
	}
	if secret, err := s.Secret(t.Context(), "other"); err != nil || secret != "kept" {
		t.Errorf("Secret: got %q, %v, want kept", secret, err)
	}
	if loaded, err := s.Load(t.Context(), "assistant"); err != nil || loaded.Version != state.Version {
		t.Errorf("Load: got %v, %v, want %v", loaded, err, state.Version)
	}

	server.Empty()
	if err := s.Swap(t.Context(), state.Version, next, ev); err != nil {
		t.Errorf("Swap with memory again: %v", err)
	}
	if events, err := s.Events(t.Context(), "assistant", 10); err != nil || len(events) != 2 {
		t.Errorf("Events: got %v, %v, want two", events, err)
	}
}

func TestReadOnlyReplica(t *testing.T) {
	t.Parallel()
	server, primary := storetest.StartRedis(t), storetest.StartRedis(t)
	host, port, err := net.SplitHostPort(primary.Addr())
	if err != nil {
		t.Fatal(err)
	}
	server.Do("REPLICAOF", host, port)
	state, ev := storetest.First("assistant", "first")
	err = open(t, at(server)).Swap(t.Context(), splitter.Version{}, state, ev)
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "READONLY") {
		t.Errorf("Swap: got %v, want ErrUnavailable with READONLY", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server, caFile := storetest.StartTLSRedis(t)
	cfg := redis.Config{URL: "rediss://" + server.Addr(), CAFile: caFile}
	s := open(t, cfg)
	storetest.StartWatch(t, s).Resync(t)
	begin(t, s, "assistant")

	cfg = redis.Config{Addresses: []string{server.Addr()}, TLS: true, CAFile: caFile}
	if _, err := open(t, cfg).Load(t.Context(), "assistant"); err != nil {
		t.Errorf("Load by address: %v", err)
	}
	cfg.CAFile = ""
	if _, err := open(t, cfg).Load(t.Context(), "assistant"); !errors.Is(err, store.ErrUnavailable) ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("Load without the authority: got %v, want ErrUnavailable and what is wrong with the certificate", err)
	}
	wantUnavailable(t, open(t, redis.Config{URL: "redis://" + server.Addr()}))
}
