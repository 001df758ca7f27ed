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

// TestKillGoesAlong has a killed proxy go to another store or fleet.
func TestKillGoesAlong(t *testing.T) {
	for name, tt := range map[string]struct {
		visits []string // stores before the kill
		to     string
		fleet  string // of the last one, if it is another
		stops  bool   // it is restarted, not reloaded
	}{
		"embedded to Redis":                      {[]string{"embedded"}, "redis", "", false},
		"embedded to Redis, restarted":           {[]string{"embedded"}, "redis", "", true},
		"embedded to Redis and back and again":   {[]string{"redis", "embedded"}, "redis", "", false},
		"embedded without a fleet's name to one": {[]string{"nameless"}, "redis", "", false},
		"the same, restarted":                    {[]string{"nameless"}, "redis", "", true},
		"Redis to embedded":                      {[]string{"redis"}, "embedded", "", false},
		"to another fleet of the same Redis":     {[]string{"redis"}, "redis", "elsewhere", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, settings{share: "10%"})
			files := map[string]string{}
			s := settings{blue: f.blue, green: f.green, share: "10%", instance: "three"}
			files["embedded"] = s.caddyfile()
			files["nameless"] = strings.Replace(files["embedded"], "fleet e2e", "", 1)
			s.redis = f.redis.Addr()
			files["redis"] = s.caddyfile()
			p := startProxy(t, files[tt.visits[0]])
			for _, next := range tt.visits[1:] {
				p.mustReload(files[next])
			}
			p.mustSplit(0, "kill", "assistant", "--reason", "leaks prompts")
			last := files[tt.to]
			if tt.fleet != "" {
				last = strings.Replace(last, "fleet e2e", "fleet "+tt.fleet, 1)
			}
			if tt.stops {
				p.stop()
				p.write(last)
				p.start()
				p.awaitUp()
			} else {
				p.mustReload(last)
			}
			if got := p.get("u", "/"); got.status != 503 {
				t.Errorf("got %+v, want it refused", got)
			}
			p.await("the new store knows of the kill", func() bool {
				state := p.status("assistant")
				return len(state.Kills) == 1 && state.Revision > 0 && !strings.Contains(strings.Join(state.Notes, " "), "not in the store")
			})
		})
	}
}
