//go:build unix

package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// The keys are part of what the project promises to the people who operate it.
func TestKeys(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	cfg := at(server)
	cfg.Fleet = "production"
	s := open(t, cfg)
	state := begin(t, s, "assistant")
	for name, err := range storetest.CallAll(t.Context(), s) {
		if err != nil && !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for key, want := range map[string]string{
		"switchback:{production}:state:assistant":     "hash",
		"switchback:{production}:events:assistant":    "stream",
		"switchback:{production}:outbox":              "stream",
		"switchback:{production}:splits":              "set",
		"switchback:{production}:members":             "hash",
		"switchback:{production}:seen":                "hash",
		"switchback:{production}:secret":              "string",
		"switchback:{production/assistant}:judge":     "hash",
		"switchback:{production/assistant}:windows:1": "hash",
		"switchback:{production/assistant}:pin:a":     "string",
	} {
		if got := server.Do("TYPE", key); got != want {
			t.Errorf("%s: got %v, want %v", key, got, want)
		}
	}
	if keys := server.Do("DBSIZE"); keys != int64(12) { // and the evidence of one second
		t.Errorf("got %v keys, want 12: %v", keys, server.Do("KEYS", "*"))
	}
	got := server.Do("HMGET", "switchback:{production}:state:assistant", "revision", "id", "schema")
	if diff := cmp.Diff([]any{"1", state.ID, fmt.Sprint(splitter.Schema)}, got); diff != "" {
		t.Errorf("state: got %v (-want +got):\n%s", got, diff)
	}
	wantExpiring(t, server, "switchback:{production}:noted:assistant:recorded", "string", store.NotedFor)
	wantExpiring(t, server, "switchback:{production/assistant}:evidence:1:*", "hash", store.EvidenceKept+time.Second)
	wantExpiring(t, server, "switchback:{production/assistant}:windows:1", "hash", time.Minute)
	wantExpiring(t, server, "switchback:{production/assistant}:judge", "hash", store.JudgeKept)
}

// wantExpiring wants the one key of a pattern to be of that type and to expire within that time.
func wantExpiring(t *testing.T, server *storetest.Redis, pattern, want string, within time.Duration) {
	t.Helper()
	keys := server.Do("KEYS", pattern).([]any)
	if len(keys) != 1 {
		t.Fatalf("%s: got %v, want one key", pattern, keys)
	}
	ttl := server.Do("TTL", keys[0]).(int64)
	if kind := server.Do("TYPE", keys[0]); kind != want || ttl <= 0 || ttl > int64(within/time.Second) {
		t.Errorf("%v is a %v that lives for %d s, want a %s and %v at most", keys[0], kind, ttl, want, within)
	}
}

func TestCorruptData(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	const state, events = "switchback:{default}:state:assistant", "switchback:{default}:events:assistant"
	load := func() error { _, err := s.Load(t.Context(), "assistant"); return err }
	for name, tt := range map[string]struct {
		key   string
		spoil []any
		call  func() error
	}{
		"torn document":    {state, []any{"HSET", state, "doc", `{"schema":1,"spl`}, load},
		"no document":      {state, []any{"HDEL", state, "doc"}, load},
		"invalid document": {state, []any{"HSET", state, "doc", `{}`}, load},
		"another revision": {state, []any{"HSET", state, "revision", 9}, load},
		"event": {events, []any{"XADD", events, "*", "event", "{"}, func() error {
			_, err := s.Events(t.Context(), "assistant", 10)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server.Do("FLUSHALL")
			begin(t, s, "assistant")
			server.Do(tt.spoil...)
			err := tt.call()
			if !errors.Is(err, store.ErrCorrupt) || !errors.Is(err, store.ErrUnavailable) ||
				errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), tt.key) {
				t.Errorf("got %v, want ErrCorrupt with the key %s", err, tt.key)
			}
		})
	}
}

func TestWrongType(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	server.Do("SET", "switchback:{default}:state:assistant", "text")
	s := open(t, at(server))
	if _, err := s.Load(t.Context(), "assistant"); !errors.Is(err, store.ErrUnavailable) ||
		!strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("Load: got %v, want ErrUnavailable with WRONGTYPE", err)
	}
}

// A change must not be half made because its event cannot be logged.
func TestSwapIsWhole(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	server.Do("SET", "switchback:{default}:events:assistant", "no stream")
	s := open(t, at(server))
	state, ev := storetest.First("assistant", "first")
	if err := s.Swap(t.Context(), splitter.Version{}, state, ev); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Swap: got %v, want ErrUnavailable", err)
	}
	if _, err := s.Load(t.Context(), "assistant"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load: got %v, want ErrNotFound", err)
	}
}

// What is too old by the server's clock is dropped there. The tests write it with an old time, rather than wait.
func TestOldIsDropped(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	old := func(age time.Duration) string { return fmt.Sprint(time.Now().Add(-age).UnixMicro()) }
	me := store.MemberID{Name: "me", Boot: "1"}

	const members, seen = "switchback:{default}:members", "switchback:{default}:seen"
	server.Do("HSET", members, "gone/1", "{}", "silent/1", "{}", "odd/1", "what is this")
	server.Do("HSET", seen, "gone/1", old(store.MemberKept+time.Minute), "silent/1", old(store.MemberKept-time.Minute),
		"odd/1", "what is this")
	if _, err := s.Pulse(t.Context(), store.Beat{MemberID: me}); err != nil {
		t.Fatal(err)
	}
	if n := server.Do("HLEN", members); n != int64(4) {
		t.Errorf("%v members are kept by a pulse that does not list them, want 4", n)
	}
	pulse, err := s.Pulse(t.Context(), store.Beat{MemberID: me, ListMembers: true})
	if err != nil || len(pulse.Members) != 2 || pulse.Members[1].Name != "silent" {
		t.Errorf("Pulse: got %+v, %v, want me and silent", pulse.Members, err)
	}
	for _, key := range []string{members, seen} {
		if n := server.Do("HLEN", key); n != int64(2) {
			t.Errorf("%v members are kept in %s, want 2", n, key)
		}
	}
}

// Who leaves takes earlier runs of the same proxy along that ended without a goodbye, and nobody else.
func TestLeaveWithNamesakes(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	names := []string{"proxy/a", "proxy/b"}
	for _, name := range names {
		for _, boot := range []string{"crashed", "twin", "leaving"} {
			if _, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: name, Boot: boot}}); err != nil {
				t.Fatal(err)
			}
		}
		server.Do("HSET", "switchback:{default}:seen", name+"/crashed",
			fmt.Sprint(time.Now().Add(-store.SilentAfter).UnixMicro()))
	}
	if err := s.Leave(t.Context(), store.MemberID{Name: "proxy/a", Boot: "leaving"}); err != nil {
		t.Fatalf("Leave: %v", err)
	}
	want := []any{"proxy/a/twin", "proxy/b/crashed", "proxy/b/leaving", "proxy/b/twin"}
	for _, key := range []string{"switchback:{default}:members", "switchback:{default}:seen"} {
		got := server.Do("HKEYS", key).([]any)
		slices.SortFunc(got, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: got %v, want %v", key, got, want)
		}
	}
}

// A change that cannot be announced is written all the same.
func TestSwapWithoutPublish(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	server.Do("ACL", "SETUSER", "mute", "on", ">password", "~switchback:*", "resetchannels", "+@all")
	cfg := at(server)
	cfg.Username, cfg.Password = "mute", "password"
	s := open(t, cfg)
	state, ev := storetest.First("assistant", "first")
	if err := s.Swap(t.Context(), splitter.Version{}, state, ev); err != nil {
		t.Errorf("Swap: %v", err)
	}
	if loaded, err := s.Load(t.Context(), "assistant"); err != nil || loaded.Version != state.Version {
		t.Errorf("Load: got %v, %v, want %v", loaded, err, state.Version)
	}
}

// Logs and the outbox keep so many events, roughly, and logs none for longer than so long.
func TestLogIsTrimmed(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	state := begin(t, s, "assistant")
	const log, outbox = "switchback:{default}:events:assistant", "switchback:{default}:outbox"
	age := time.Now().Add(-store.EventsKeptFor).UnixMilli()
	server.Do("DEL", log)
	for i := range 200 { // of which the first half is too old
		server.Do("XADD", log, strconv.FormatInt(age+int64(i-100)*time.Minute.Milliseconds(), 10), "event", "{}")
	}
	next, ev := storetest.Next(state, "change")
	if err := s.Swap(t.Context(), state.Version, next, ev); err != nil {
		t.Fatal(err)
	}
	if kept := server.Do("XLEN", log).(int64); kept < 95 || kept > 101 {
		t.Errorf("%d events are kept, want about 100", kept)
	}
	for key, most := range map[string]int64{log: store.EventsKept, outbox: store.OutboxKept} {
		server.Do("EVAL", "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'event', '{}') end", 1, key, most+500)
	}
	if _, err := s.Record(t.Context(), store.Event{ID: "n", Split: "assistant"}); err != nil {
		t.Fatal(err)
	}
	for key, most := range map[string]int64{log: store.EventsKept, outbox: store.OutboxKept} {
		if kept := server.Do("XLEN", key).(int64); kept < most || kept > most+200 {
			t.Errorf("%s: %d events are kept, want about %d", key, kept, most)
		}
	}
}

func TestAnnouncementThatCannotBeRead(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	w := storetest.StartWatch(t, open(t, at(server)))
	w.Resync(t)
	for _, payload := range []string{"", "{", `{"split":"../x"}`, `{"split":"assistant","state":{"schema":1}}`} {
		server.Do("PUBLISH", "switchback:{default}:changes", payload)
		w.Resync(t)
	}
}

// Two proxies on one Redis are one fleet.
func TestTwoProxies(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	one, other := open(t, at(server)), open(t, at(server))
	w := storetest.StartWatch(t, other)
	w.Resync(t)
	state := begin(t, one, "assistant")
	if n := w.Next(t); n.State == nil || n.State.Version != state.Version {
		t.Errorf("notice: got %+v, want %v", n, state.Version)
	}
	if _, err := one.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "one", Boot: "1"}}); err != nil {
		t.Fatal(err)
	}
	pulse, err := other.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "other", Boot: "1"}, ListMembers: true,
		Applied: map[string]splitter.Version{"assistant": {}}})
	if err != nil || len(pulse.Members) != 2 || pulse.Versions["assistant"] != state.Version {
		t.Errorf("Pulse: got %+v, %v, want two members and %v", pulse, err, state.Version)
	}
}
