//go:build unix

package redis_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// What the server is set up to lose is said in the description and, once, in the log.
func TestDurability(t *testing.T) {
	const pattern = "~switchback:*"
	for name, tt := range map[string]struct {
		args []string
		user []any  // ACL rules; none: the default user
		want string // in the warning; empty: none
	}{
		"keeps all":          {},
		"keeps nothing":      {args: []string{"--appendonly", "no"}, want: "nothing on disk"},
		"snapshots":          {args: []string{"--appendonly", "no", "--save", "900 1"}},
		"evicts":             {args: []string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, want: "allkeys-lru"},
		"INFO is denied":     {args: []string{"--appendonly", "no"}, user: []any{"-info"}},
		"CONFIG is denied":   {args: []string{"--appendonly", "no"}, user: []any{"-config"}, want: "could not be read"},
		"CONFIG GET allowed": {args: []string{"--appendonly", "no"}, user: []any{"-config", "+config|get"}, want: "nothing on disk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t, tt.args...)
			cfg := at(server)
			if tt.user != nil {
				server.Do(append([]any{"ACL", "SETUSER", "some", "on", ">password", pattern, "&switchback:*", "+@all"}, tt.user...)...)
				cfg.Username, cfg.Password = "some", "password"
			}
			var text lockedBuffer
			s, err := redis.Open(cfg, slog.New(slog.NewTextHandler(&text, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Describe().Warning; got != "" {
				t.Errorf("before any contact: got %q, want none", got)
			}
			for range 3 {
				if _, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"}}); err != nil {
					t.Fatal(err)
				}
			}
			redis.AwaitInspection(s)
			got := s.Describe().Warning
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("warning: got %q, want %q in it", got, tt.want)
			}
			if lines := strings.Count(text.String(), "level=WARN"); lines > 1 || lines == 0 && tt.want != "" {
				t.Errorf("log: got %d warnings, want one if there is any: %s", lines, text.String())
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that stops answering while it is asked about itself keeps no call waiting, and Close not for long.
func TestInspectionHangs(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	path := newRelay(t, server.Addr())
	s := open(t, redis.Config{Addresses: []string{path.addr()}})
	begin(t, s, "assistant")
	path.mute.Store(true)
	redis.Inspect(s)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("Close did not end within %v", patience)
	}
}
