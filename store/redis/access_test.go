//go:build unix

package redis_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

func TestAccess(t *testing.T) {
	t.Parallel()
	const password = "hunter-2-quite-secret"
	server := storetest.StartRedis(t)
	server.Do("ACL", "SETUSER", "switchback", "on", ">"+password, "~switchback:*", "&switchback:*", "+@all")
	server.Do("ACL", "SETUSER", "least", "on", ">"+password, "~switchback:*", "&switchback:*", "-@all", "+@read", "+@write",
		"+@pubsub", "+@scripting", "+@connection", "+time")
	server.Do("ACL", "SETUSER", "elsewhere", "on", ">"+password, "~other:*", "&other:*", "+@all")
	server.Do("CONFIG", "SET", "requirepass", password)

	for user, want := range map[string]string{"": "NOAUTH", "switchback": "WRONGPASS", "nobody": "WRONGPASS"} {
		cfg := at(server)
		if user != "" {
			cfg.Username, cfg.Password = user, password+"-not"
		}
		refused(t, cfg, want, password)
	}
	for _, user := range []string{"switchback", "least"} {
		cfg := at(server)
		cfg.Fleet, cfg.Username, cfg.Password = user, user, password
		s := open(t, cfg)
		storetest.StartWatch(t, s).Resync(t)
		for name, err := range storetest.CallAll(t.Context(), s) {
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s as %q: %v", name, user, err)
			}
		}
		wantAllowed(t, server, s, user)
	}
	cfg := at(server)
	cfg.URL = "redis://elsewhere:" + password + "@" + server.Addr()
	refused(t, cfg, "NOPERM", password)
}

// wantAllowed wants the scripts to be allowed all that they do: carrying out an order, giving a split up, noting and
// dropping members.
func wantAllowed(t *testing.T, server *storetest.Redis, s *redis.Store, fleet string) {
	t.Helper()
	state := begin(t, s, "ordered")
	server.Order(fleet, "ordered", "stop it")
	server.Do("HSET", "switchback:{"+fleet+"}:members", "long-gone/1", "{}")
	p, err := s.Pulse(t.Context(), store.Beat{MemberID: store.MemberID{Name: "a", Boot: "1"}, ListMembers: true,
		Applied: map[string]splitter.Version{"ordered": {}}})
	if err != nil || p.Refused != "" || p.Orders["ordered"] != "stop it" {
		t.Errorf("Pulse as %q: got %+v, %v, want the order and nothing refused", fleet, p, err)
	}
	next, ev := storetest.Next(state, "kill")
	ev.Order = "stop it"
	tombstone, forgotten := storetest.Next(next, "forgotten")
	tombstone.Forgotten = time.Now()
	if err := errors.Join(s.Swap(t.Context(), state.Version, next, ev),
		s.Swap(t.Context(), next.Version, tombstone, forgotten)); err != nil {
		t.Errorf("Swap as %q: %v", fleet, err)
	}
}

// refused wants every call to fail for one reason, and never to tell the password.
func refused(t *testing.T, cfg redis.Config, reason, password string) {
	t.Helper()
	s := open(t, cfg)
	for name, err := range wantUnavailable(t, s) {
		if strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
		if name == "Load" && !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: got %v, want %s", name, err, reason)
		}
	}
	if strings.Contains(s.Describe().Address, password) {
		t.Errorf("Describe: the address tells the password: %s", s.Describe().Address)
	}
}
