//go:build unix

package redis_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// openLogged opens a store whose log can be read.
func openLogged(t *testing.T, cfg redis.Config) (*redis.Store, *lockedBuffer) {
	t.Helper()
	var text lockedBuffer
	s, err := redis.Open(cfg, slog.New(slog.NewTextHandler(&text, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, &text
}

// wantLines wants that many lines of a log that contain a text.
func wantLines(t *testing.T, log *lockedBuffer, text string, want int) {
	t.Helper()
	if got := strings.Count(log.String(), text); got != want {
		t.Errorf("log: got %d lines with %s, want %d: %s", got, text, want, log)
	}
}

// What one member says of itself in words that others do not understand, as a later release may, cuts nobody off.
func TestOddMembers(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s, log := openLogged(t, at(server))
	state := begin(t, s, "assistant")
	server.Order("default", "assistant", "stop it")
	now := fmt.Sprint(time.Now().UnixMicro())
	for name, doc := range map[string]string{
		"later/1":   `{"applied":{"assistant":{"revision":1}}}`,
		"broken/1":  `{`,
		"listed/1":  `["a"]`,
		"tagged/1":  `{"release":"v9","applied":{"assistant":"1 assistant-1"},"mood":{"is":"fine"}}`,
		"nonsense/": "\xff",
	} {
		server.Do("HSET", "switchback:{default}:members", name, doc)
		server.Do("HSET", "switchback:{default}:seen", name, now)
	}
	beat := store.Beat{MemberID: store.MemberID{Name: "me", Boot: "1"}, ListMembers: true,
		Applied: map[string]splitter.Version{"assistant": {}}}
	for _, listed := range []bool{true, false, true} {
		beat.ListMembers = listed
		p, err := s.Pulse(t.Context(), beat)
		if err != nil || p.Versions["assistant"] != state.Version || p.Orders["assistant"] != "stop it" {
			t.Fatalf("Pulse: got %+v, %v, want the version and the order", p, err)
		}
		if listed {
			wantMembers(t, p.Members)
		}
	}
	for _, name := range []string{"later/1", "broken/1", "listed/1", "nonsense/"} {
		wantLines(t, log, "member="+name+" ", 1)
	}
	wantLines(t, log, "member=tagged/1 ", 0)
	server.Do("HSET", "switchback:{default}:members", "later/1", "{}")
	pulse(t, s, beat)
	server.Do("HSET", "switchback:{default}:members", "later/1", "{")
	pulse(t, s, beat)
	wantLines(t, log, "member=later/1 ", 2)
}

// wantMembers wants me, who was read, and the others, of whom only those are known that could be read.
func wantMembers(t *testing.T, members []store.Member) {
	t.Helper()
	got := map[string]map[string]splitter.Version{}
	for _, m := range members {
		got[m.MemberID.String()] = m.Applied
		if m.Seen.IsZero() {
			t.Errorf("%s: got no time, want when it was seen", m.MemberID)
		}
	}
	want := map[string]map[string]splitter.Version{
		"me/1": {"assistant": {}}, "later/1": nil, "broken/1": nil, "listed/1": nil, "nonsense/": nil,
		"tagged/1": {"assistant": {Revision: 1, ID: "assistant-1"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members: got %v, want %v (-want +got):\n%s", got, want, diff)
	}
}

// pulse beats, and fails the test if that fails.
func pulse(t *testing.T, s store.Store, beat store.Beat) store.Pulse {
	t.Helper()
	p, err := s.Pulse(t.Context(), beat)
	if err != nil {
		t.Fatalf("Pulse: %v", err)
	}
	return p
}

// A split whose State cannot be read is named, is not taken for one without a State, and leaves the others alone.
func TestOddStates(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	const key = "switchback:{default}:state:other"
	for name, tt := range map[string]struct {
		spoil []any
		want  string
	}{
		"revision is no number":     {[]any{"HSET", key, "revision", "abc"}, `revision \"abc\"`},
		"revision is long":          {[]any{"HSET", key, "revision", strings.Repeat("9", 1000)}, `revision \"999`},
		"revision is written oddly": {[]any{"HSET", key, "revision", "01"}, `revision \"01\"`},
		"no revision":               {[]any{"HDEL", key, "revision"}, `revision \"\"`},
		"no id":                     {[]any{"HDEL", key, "id"}, "id is missing"},
		"neither":                   {[]any{"HDEL", key, "revision", "id"}, "are missing"},
		"no hash":                   {[]any{"SET", key, "x"}, "WRONGTYPE"},
	} {
		t.Run(name, func(t *testing.T) {
			server.Do("FLUSHALL")
			s, log := openLogged(t, at(server))
			state := begin(t, s, "assistant")
			begin(t, s, "other")
			server.Order("default", "assistant", "stop it")
			server.Do(tt.spoil...)
			for range 3 {
				p := pulse(t, s, store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"},
					Applied: map[string]splitter.Version{"assistant": {}, "other": {}, "none": {}}})
				if diff := cmp.Diff(map[string]splitter.Version{"assistant": state.Version}, p.Versions); diff != "" {
					t.Errorf("versions: got %v, want only that of assistant", p.Versions)
				}
				why := p.Corrupt["other"]
				if len(p.Corrupt) != 1 || !strings.Contains(why, strings.ReplaceAll(tt.want, `\`, "")) ||
					!strings.Contains(why, key) || len(why) > 300 {
					t.Errorf("corrupt: got %q, want other, with %s and its key", p.Corrupt, tt.want)
				}
				if p.Orders["assistant"] != "stop it" {
					t.Errorf("orders: got %v, want the one for assistant", p.Orders)
				}
			}
			wantLines(t, log, "split=other ", 1)
			wantLines(t, log, tt.want, 1)
		})
	}
}

// Over a State that cannot be read nothing is written.
func TestSwapOverOddState(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	for name, spoil := range map[string][]any{
		"revision is no number": {"HSET", stateKey, "revision", "abc"},
		"schema is no number":   {"HSET", stateKey, "schema", "abc"},
		"no version":            {"HDEL", stateKey, "revision", "id"},
		"no hash":               {"SET", stateKey, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			server.Do("FLUSHALL")
			s := open(t, at(server))
			state := begin(t, s, "assistant")
			server.Do(spoil...)
			before := server.Do("DUMP", stateKey)
			next, ev := storetest.Next(state, "next")
			wantNotWritten(t, s.Swap(t.Context(), state.Version, next, ev))
			first, ev := storetest.First("assistant", "first")
			wantNotWritten(t, s.Swap(t.Context(), splitter.Version{}, first, ev))
			if after := server.Do("DUMP", stateKey); after != before {
				t.Errorf("the state was changed: got %q, want %q", after, before)
			}
		})
	}
}

// Something else under the keys of the members' list keeps nobody from its versions and orders.
func TestOddMembersKeys(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	for _, key := range []string{"switchback:{default}:members", "switchback:{default}:seen"} {
		t.Run(key, func(t *testing.T) {
			server.Do("FLUSHALL")
			s := open(t, at(server))
			state := begin(t, s, "assistant")
			server.Do("SET", key, "x")
			p := pulse(t, s, store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"}, ListMembers: true,
				Applied: map[string]splitter.Version{"assistant": {}}})
			if p.Versions["assistant"] != state.Version || !strings.Contains(p.Refused, "WRONGTYPE") {
				t.Errorf("Pulse: got %+v, want the version, and the beat refused for WRONGTYPE", p)
			}
		})
	}
}

// A secret that is an empty string is none; whatever else is under its key is not replaced.
func TestOddSecret(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	const key = "switchback:{default}:secret"
	beat := store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"}}
	server.Do("SET", key, "")
	if p := pulse(t, s, beat); p.HasSecret {
		t.Error("Pulse: has a secret, want none")
	}
	if secret, err := s.Secret(t.Context(), "proposed"); err != nil || secret != "proposed" {
		t.Errorf("Secret: got %q, %v, want the proposed one", secret, err)
	}
	server.Do("DEL", key)
	server.Do("RPUSH", key, "x")
	if p := pulse(t, s, beat); !p.HasSecret {
		t.Error("Pulse: has no secret, want it to say that something is there")
	}
	if _, err := s.Secret(t.Context(), "proposed"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Secret: got %v, want ErrUnavailable", err)
	}
}
