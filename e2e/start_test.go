//go:build unix

package e2e

import (
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/store/storetest"
)

// TestRestartWithoutRedis starts from the snapshot: the State's share and not the file's.
func TestRestartWithoutRedis(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.one.mustSplit(0, "weight", "assistant", "green=0%")
	f.redis.Kill()
	f.two.kill()
	f.two.start()
	f.two.awaitUp()
	for user, got := range f.two.placements(20) {
		if got != "blue" {
			t.Fatalf("%s gets %s from the first request on, want blue", user, got)
		}
	}
	f.two.awaitReady()
	f.two.await("the store's error is said", func() bool { return f.two.status("assistant").Store.Error != "" })
}

// TestStartBlind starts with neither Redis nor snapshot.
func TestStartBlind(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), options: "boot_wait 1s"}
	s.redis = "127.0.0.1:1" // nobody listens there
	p := newProxy(t, s.caddyfile())
	p.start()
	p.awaitUp()
	for user, got := range p.placements(20) {
		if got != "blue" {
			t.Fatalf("%s gets %s, want stable for everyone", user, got)
		}
	}
	a := p.mustSplit(4, "weight", "assistant", "green=10%")
	if !strings.Contains(a.err, "nothing was changed") {
		t.Errorf("want it to say that nothing was changed: %s", a)
	}
	a = p.mustSplit(3, "kill", "assistant")
	if got := p.get("u", "/"); got.status != 503 {
		t.Errorf("after %s: %+v", a, got)
	}
	p.kill()
	p.start()
	p.awaitUp()
	if got := p.get("u", "/"); got.status != 503 {
		t.Errorf("after a restart: %+v", got)
	}
}

// TestStartOnRedisThatDoesNotAnswer wants requests served and kills held from the first moment, whatever ails it.
func TestStartOnRedisThatDoesNotAnswer(t *testing.T) {
	for _, tt := range []struct {
		name      string
		ail, heal func(*storetest.Redis)
	}{
		{"hung", (*storetest.Redis).Pause, (*storetest.Redis).Resume},
		{
			"another password",
			func(r *storetest.Redis) { r.Do("CONFIG", "SET", "requirepass", "right") },
			func(r *storetest.Redis) { r.Do("CONFIG", "SET", "requirepass", "not-the-right-one") },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
			redis := storetest.StartRedis(t)
			s.redis, s.redisExtra = redis.Addr(), "password not-the-right-one"
			tt.ail(redis)
			p := newProxy(t, s.caddyfile())
			p.start()
			p.awaitUp()
			if got := p.mustGet("u", "/"); got != "blue" {
				t.Errorf("first answer from %s, want stable", got)
			}
			p.mustSplit(3, "kill", "assistant")
			if got := p.get("u", "/"); got.status != 503 {
				t.Errorf("after the kill: %+v", got)
			}
			tt.heal(redis)
			p.await("the kill is in the store", func() bool { return p.status("assistant").Revision > 0 })
			p.awaitReady()
			if got := p.get("u", "/"); got.status != 503 {
				t.Errorf("with Redis there: %+v", got)
			}
			if strings.Contains(p.log(), "not-the-right-one") {
				t.Error("the password is in the log")
			}
		})
	}
}
