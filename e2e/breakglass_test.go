//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const inboxKey = "switchback:{e2e}:kill:assistant"

// TestBreakGlass is the drill of docs/operate.md: nothing but a Redis client.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.redis.Do("SET", inboxKey, "leaks prompts")
	for _, p := range []*proxy{f.one, f.two} {
		p.await("it is killed", func() bool { return p.get("u", "/").status == 503 })
	}
	f.one.await("the inbox is empty", func() bool { return f.redis.Do("EXISTS", inboxKey) == int64(0) })
	if a := f.two.mustSplit(0, "events", "assistant"); strings.Count(a.out, "leaks prompts") != 1 || !strings.Contains(a.out, "inbox") {
		t.Errorf("want one kill by the inbox: %s", a)
	}
	f.redis.Do("SET", inboxKey, "revive")
	for _, p := range []*proxy{f.one, f.two} {
		p.await("it is revived", func() bool { return p.get("u", "/").status == 200 })
	}
}

// TestBreakGlassOnReadOnlyRedis has the order arrive in a Redis that takes no more writes.
func TestBreakGlassOnReadOnlyRedis(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.redis.Do("SET", inboxKey, "stop")
	f.redis.Do("CONFIG", "SET", "min-replicas-to-write", "3")
	for _, p := range []*proxy{f.one, f.two} {
		p.await("it is killed", func() bool { return p.get("u", "/").status == 503 })
	}
	f.redis.Do("CONFIG", "SET", "min-replicas-to-write", "0")
	f.one.await("the kill is in the store", func() bool {
		return len(f.one.status("assistant").Kills) == 1 && len(f.one.status("assistant").Notes) == 0
	})
}

// TestKilledBeforeTheFirstRequest starts a proxy whose Redis is dead and whose snapshot knows of a kill.
func TestKilledBeforeTheFirstRequest(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.one.mustSplit(0, "kill", "assistant", "--reason", "leaks prompts")
	f.two.await("its snapshot has the kill", func() bool { return strings.Contains(snapshotOf(f.two), "leaks prompts") })
	f.redis.Kill()
	f.two.kill()
	f.two.start()
	f.two.awaitUp()
	if got := f.two.get("u", "/"); got.status != 503 {
		t.Errorf("the first request: got %+v, want it refused", got)
	}
}

// snapshotOf returns what a proxy remembers of the split.
func snapshotOf(p *proxy) string {
	files, err := filepath.Glob(filepath.Join(p.dir, "data", "caddy", "switchback", "snapshots", "*", "*", "assistant.json"))
	if err != nil || len(files) != 1 {
		return ""
	}
	doc, err := os.ReadFile(files[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return string(doc)
}

// TestKillGoesAlongToRedis moves a killed split from the embedded store to Redis: for the first time, by a reload and by a
// restart, and back again, as in an incident.
func TestKillGoesAlongToRedis(t *testing.T) {
	for _, way := range []string{"reload", "restart", "back again"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, settings{share: "10%"})
			embedded := settings{blue: f.blue, green: f.green, share: "10%", instance: "three"}
			redis := embedded
			redis.redis = f.redis.Addr()
			first := embedded
			if way == "back again" {
				first = redis
			}
			p := startProxy(t, first.caddyfile())
			p.mustReload(embedded.caddyfile())
			p.mustSplit(0, "kill", "assistant", "--reason", "leaks prompts")
			if way == "restart" {
				p.stop()
				p.write(redis.caddyfile())
				p.start()
				p.awaitUp()
			} else {
				p.mustReload(redis.caddyfile())
			}
			if got := p.get("u", "/"); got.status != 503 {
				t.Errorf("after the %s: got %+v, want it refused", way, got)
			}
			f.one.await("the fleet knows of the kill", func() bool { return f.one.get("u", "/").status == 503 })
		})
	}
}
