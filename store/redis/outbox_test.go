//go:build unix

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// outboxKey is the outbox of the default fleet.
const outboxKey = "switchback:{default}:outbox"

// alerts claims up to limit events of the group alerts that nobody has claimed for an hour.
func alerts(limit int) store.ClaimAsk {
	return store.ClaimAsk{Group: "alerts", From: store.MemberID{Name: "a", Boot: "1"}, Limit: limit, Idle: time.Hour}
}

// record records events that must be new.
func record(t *testing.T, s store.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if isNew, err := s.Record(t.Context(), store.Event{ID: id, Split: "assistant"}); err != nil || !isNew {
			t.Fatalf("Record(%s): got %t, %v, want it to be new", id, isNew, err)
		}
	}
}

// What is trimmed or deleted while it is pending is passed over, once and for all.
func TestTrimmedWhilePending(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	storetest.WantClaimed(t, s, alerts(10))
	begin(t, s, "assistant")
	record(t, s, "n-1", "n-2", "n-3", "n-4", "n-5", "n-6")
	receipts := storetest.WantClaimed(t, s, alerts(5), "assistant-1", "n-1", "n-2", "n-3", "n-4")
	server.Do("XTRIM", outboxKey, "MINID", receipts[2])
	server.Do("XDEL", outboxKey, receipts[3])
	again := alerts(2)
	again.Idle = 0
	storetest.WantClaimed(t, s, again, "n-2", "n-4")
	if pending := server.Do("XPENDING", outboxKey, "alerts").([]any); pending[0] != int64(2) {
		t.Errorf("pending: got %v, want two", pending)
	}
	storetest.WantClaimed(t, s, alerts(10), "n-5", "n-6")
	server.Do("XTRIM", outboxKey, "MAXLEN", 0)
	again.Limit = 1 // far fewer than are pending
	storetest.WantClaimed(t, s, again)
	if pending := server.Do("XPENDING", outboxKey, "alerts").([]any); pending[0] != int64(0) {
		t.Errorf("pending: got %v, want none", pending)
	}
	record(t, s, "n-7")
	storetest.WantClaimed(t, s, again, "n-7")
}

// An entry that is no event is told of once and keeps nothing back.
func TestOddEntry(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s, log := openLogged(t, at(server))
	storetest.WantClaimed(t, s, alerts(10))
	begin(t, s, "assistant")
	server.Do("XADD", outboxKey, "*", "event", "{")
	server.Do("XADD", outboxKey, "*", "other", "field")
	record(t, s, "n")
	again := alerts(10)
	again.Idle = 0
	for range 2 {
		storetest.WantClaimed(t, s, again, "assistant-1", "n")
	}
	wantLines(t, log, "cannot be read", 1)
}

// Where the outbox holds something else, changes are made all the same, kills among them, and the log says so. What is
// recorded for people alone is not.
func TestOddOutbox(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	server.Do("SET", outboxKey, "text")
	s, log := openLogged(t, at(server))
	state := begin(t, s, "assistant")
	if loaded, err := s.Load(t.Context(), "assistant"); err != nil || loaded.Version != state.Version {
		t.Errorf("Load: got %v, %v, want %v", loaded, err, state.Version)
	}
	wantLines(t, log, "WRONGTYPE", 1)
	for range 2 {
		_, err := s.Record(t.Context(), store.Event{ID: "n", Split: "assistant"})
		if err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Errorf("Record: got %v, want WRONGTYPE", err)
		}
	}
	if _, err := s.Claim(t.Context(), alerts(1)); err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("Claim: got %v, want WRONGTYPE", err)
	}
	server.Do("DEL", outboxKey)
	record(t, s, "n")
	events, err := s.Events(t.Context(), "assistant", 10)
	if err != nil || len(events) != 2 {
		t.Errorf("Events: got %v, %v, want two", events, err)
	}
}

// A call of Record whose answer is lost knows that it was the first.
func TestLostAnswerOfRecord(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	path := newRelay(t, server.Addr())
	s := open(t, redis.Config{Addresses: []string{path.addr()}})
	begin(t, s, "assistant")
	err := losing(t, path, func() error {
		isNew, err := s.Record(t.Context(), store.Event{ID: "n", Split: "assistant"})
		if !isNew {
			t.Errorf("Record: got %t, %v, want it to be new", isNew, err)
		}
		return err
	}, func() {})
	if err != nil {
		t.Errorf("Record: %v", err)
	}
	if isNew, err := s.Record(t.Context(), store.Event{ID: "n", Split: "assistant"}); isNew || err != nil {
		t.Errorf("Record again: got %t, %v, want it to be known", isNew, err)
	}
	if n := server.Do("XLEN", outboxKey); n != int64(2) {
		t.Errorf("the outbox has %v events, want two", n)
	}
}

// A change whose answer is lost is in the outbox once.
func TestLostAnswerOfSwap(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	path := newRelay(t, server.Addr())
	s := open(t, redis.Config{Addresses: []string{path.addr()}})
	storetest.WantClaimed(t, s, alerts(10))
	state := begin(t, s, "assistant")
	next, ev := storetest.Next(state, "lost")
	if err := losing(t, path, func() error { return s.Swap(t.Context(), state.Version, next, ev) }, func() {}); err != nil {
		t.Errorf("Swap: %v", err)
	}
	storetest.WantClaimed(t, s, alerts(10), "assistant-1", "lost")
}

// What a claim took whose answer is lost comes again.
func TestLostAnswerOfClaim(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	path := newRelay(t, server.Addr())
	s := open(t, redis.Config{Addresses: []string{path.addr()}})
	storetest.WantClaimed(t, s, alerts(10))
	begin(t, s, "assistant")
	record(t, s, "n")
	err := losing(t, path, func() error {
		storetest.WantClaimed(t, s, alerts(1), "n")
		return nil
	}, func() {})
	if err != nil {
		t.Error(err)
	}
	again := alerts(10)
	again.Idle = 0
	storetest.WantClaimed(t, s, again, "assistant-1", "n")
}

// At rest, a claim is one round trip, which writes nothing.
func TestClaimIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	begin(t, s, "assistant")
	for range 2 { // the group begins, and the script is loaded
		storetest.WantClaimed(t, s, alerts(10))
	}
	server.Do("CONFIG", "RESETSTAT")
	size := field(t, server, "persistence", "aof_current_size")
	const claims = 20
	for range claims {
		storetest.WantClaimed(t, s, alerts(10))
	}
	got := commands(t, server)
	if got["evalsha"] != claims || got["eval"]+got["xack"]+got["xclaim"]+got["xgroup|create"] != 0 {
		t.Errorf("%d claims: got %v, want as many scripts and no other round trip", claims, got)
	}
	if after := field(t, server, "persistence", "aof_current_size"); after != size {
		t.Errorf("the append-only file grew by %d bytes", after-size)
	}
	record(t, s, "n-1", "n-2")
	server.Do("CONFIG", "RESETSTAT")
	storetest.WantClaimed(t, s, alerts(10), "n-1", "n-2")
	if got := commands(t, server); got["evalsha"] != 1 {
		t.Errorf("a claim of two: got %v, want one script", got)
	}
}

// BenchmarkClaim measures a claim of nothing, in time here and in time of the server's one thread.
func BenchmarkClaim(b *testing.B) {
	server := storetest.StartRedis(b)
	s := open(b, at(server))
	server.Do("EVAL", "for i = 1, 10000 do redis.call('XADD', KEYS[1], '*', 'event', '{}') end", 1, outboxKey)
	server.Do("CONFIG", "RESETSTAT")
	for b.Loop() {
		if _, err := s.Claim(b.Context(), alerts(10)); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(serverMicros(b, server)/float64(b.N), "server-µs/op")
}

// Runs of proxies that have ended, and have nothing left, leave no name behind.
func TestConsumersGo(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	storetest.WantClaimed(t, s, alerts(1))
	begin(t, s, "assistant")
	record(t, s, "n")
	ask := alerts(1)
	for _, boot := range []string{"ended", "died", "idle"} {
		ask.From.Boot = boot
		if _, err := s.Claim(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
	}
	receipt := server.Do("XPENDING", outboxKey, "alerts", "-", "+", 1, "a/ended").([]any)[0].([]any)[0]
	server.Do("XACK", outboxKey, "alerts", receipt)
	got := slices.DeleteFunc(consumers(server), func(name string) bool { return name == "a/1" }) // from Redis 7.2 on it has a name
	if !slices.Equal(got, []string{"a/died", "a/ended", "a/idle"}) {
		t.Errorf("consumers: got %v, want all: none has been silent for a day", got)
	}
	redis.SetForgetAfter(s, time.Millisecond)
	runs := 0
	eventually(t, func(context.Context) error { // until they have been silent for so long
		runs++
		ask.From.Boot = fmt.Sprint("new-", runs)
		storetest.WantClaimed(t, s, ask)
		if got := consumers(server); !slices.Equal(got, []string{"a/died", "a/" + ask.From.Boot}) {
			return fmt.Errorf("consumers: got %v, want the new one, and the one that has something", got)
		}
		return nil
	})
}

// consumers returns who has claimed for the group alerts, sorted.
func consumers(server *storetest.Redis) []string {
	var names []string
	for _, c := range server.Do("XINFO", "CONSUMERS", outboxKey, "alerts").([]any) {
		names = append(names, c.([]any)[1].(string))
	}
	slices.Sort(names)
	return names
}

// A server that has lost all that it had has lost the groups too. They begin again with what came since they were claimed
// last, so that what is written to the empty server before the next claim is delivered.
func TestGroupIsLost(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	storetest.WantClaimed(t, s, alerts(10))
	state := begin(t, s, "assistant")
	receipts := storetest.WantClaimed(t, s, alerts(10), "assistant-1")
	if err := s.Acknowledge(t.Context(), "alerts", receipts); err != nil {
		t.Fatal(err)
	}
	server.RestartEmpty()
	next, ev := storetest.Next(state, "reconciled")
	eventually(t, func(ctx context.Context) error { return s.Swap(ctx, splitter.Version{}, next, ev) })
	record(t, s, "n")
	storetest.WantClaimed(t, s, alerts(10), "reconciled", "n")
	other := open(t, at(server))
	storetest.WantClaimed(t, other, store.ClaimAsk{Group: "new", Limit: 10}) // as it has never been
}

// A server that takes no writes any more still hands out what it has: alarms are needed then.
func TestClaimFromFullServer(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	storetest.WantClaimed(t, s, alerts(10))
	begin(t, s, "assistant")
	record(t, s, "n")
	storetest.WantClaimed(t, s, alerts(1), "assistant-1")
	server.Fill()
	ask := alerts(10)
	ask.From.Boot, ask.Idle = "new", 0
	receipts := storetest.WantClaimed(t, s, ask, "assistant-1", "n")
	if err := s.Acknowledge(t.Context(), "alerts", receipts); err != nil {
		t.Errorf("Acknowledge: %v", err)
	}
	storetest.WantClaimed(t, s, ask)
}

// During each fault of the server a claim says the truth; afterwards everything that was not acknowledged is delivered that
// the server has not forgotten.
func TestOutboxOverFaults(t *testing.T) {
	for _, fault := range storetest.Faults {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t)
			s := open(t, at(server))
			storetest.WantClaimed(t, s, alerts(10))
			begin(t, s, "assistant")
			fault.Prepare(server)
			record(t, s, "n-1")
			storetest.WantClaimed(t, s, alerts(1), "assistant-1")
			fault.Begin(server)
			ctx, cancel := context.WithTimeout(t.Context(), longest)
			defer cancel()
			if _, err := s.Claim(ctx, alerts(10)); err != nil && !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
				t.Errorf("Claim: got %v, want none or ErrUnavailable before its deadline", err)
			}
			fault.End(server)
			recorded := []string{"assistant-1", "n-1"}
			if fault.Forgets {
				recorded = nil
			}
			eventually(t, func(ctx context.Context) error {
				_, err := s.Record(ctx, store.Event{ID: "n-2", Split: "assistant"})
				return ignoreLost(err, fault.Forgets)
			})
			got := map[string]bool{}
			eventually(t, func(ctx context.Context) error {
				ask := alerts(10)
				ask.Idle = 0
				claimed, err := s.Claim(ctx, ask)
				for _, d := range claimed {
					got[d.Event.ID] = true
				}
				for _, id := range recorded {
					if err == nil && !got[id] {
						err = fmt.Errorf("%s was not delivered", id)
					}
				}
				return err
			})
		})
	}
}

// ignoreLost passes over the error of a store that has lost its States.
func ignoreLost(err error, forgets bool) error {
	if forgets && errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
