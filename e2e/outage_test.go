//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// An outage is something that befalls Redis, and what is documented of it.
type outage struct {
	name string
	// begin and end make it happen.
	begin, end func(*fleet)
	// announced is whether a kill made meanwhile reaches the other proxy at once.
	announced bool
}

var outages = []outage{
	{name: "down", begin: func(f *fleet) { f.redis.Kill() }, end: func(f *fleet) { f.redis.Restart() }},
	{name: "hung", begin: func(f *fleet) { f.redis.Pause() }, end: func(f *fleet) { f.redis.Resume() }},
	{
		name: "another password",
		begin: func(f *fleet) {
			f.redis.Do("CONFIG", "SET", "requirepass", "other")
			f.redis.Do("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
			f.redis.Do("CLIENT", "KILL", "TYPE", "PUBSUB")
		},
		end: func(f *fleet) { f.redis.Do("CONFIG", "SET", "requirepass", "") },
	},
	{
		name:      "out of memory",
		begin:     func(f *fleet) { f.redis.Do("CONFIG", "SET", "maxmemory", "1") },
		end:       func(f *fleet) { f.redis.Do("CONFIG", "SET", "maxmemory", "0") },
		announced: true,
	},
	{
		name:      "read-only",
		begin:     func(f *fleet) { f.redis.Do("REPLICAOF", "127.0.0.1", "1") },
		end:       func(f *fleet) { f.redis.Do("REPLICAOF", "NO", "ONE") },
		announced: true,
	},
}

// TestOutages goes through each of them under steady traffic: nobody must notice, and control calls must say what
// happened.
func TestOutages(t *testing.T) {
	for _, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, settings{})
			f.one.mustSplit(0, "weight", "assistant", "green=30%")
			placed := f.two.placements(50)
			traffic := startLoad(t, f.one, f.two)
			o.begin(f)
			f.one.await("the outage is noticed", func() bool { return f.one.status("assistant").Store.Error != "" })
			f.mustRefuseChanges(t)
			for user, want := range placed {
				if got := f.two.mustGet(user, "/"); got != want {
					t.Errorf("%s was moved from %s to %s", user, want, got)
				}
			}
			traffic.mustServe()
			f.mustHoldKill(t, o)
			o.end(f)
			f.mustRecover(t)
		})
	}
}

// mustRefuseChanges wants a weight to be refused, soon, with nothing changed.
func (f *fleet) mustRefuseChanges(t *testing.T) {
	t.Helper()
	began := time.Now()
	a := f.one.mustSplit(4, "weight", "assistant", "green=70%")
	if took := time.Since(began); took > patience/2 {
		t.Errorf("refusing took %s", took)
	}
	if !strings.Contains(a.err, "nothing was changed") {
		t.Errorf("want it to say that nothing was changed: %s", a)
	}
	for _, p := range []*proxy{f.one, f.two} {
		if got := p.share("assistant", "green").String(); got != "30%" {
			t.Errorf("share is %s after a refused change, want 30%%", got)
		}
	}
}

// mustHoldKill kills and wants that to hold where it was asked, and elsewhere if it can be announced.
func (f *fleet) mustHoldKill(t *testing.T, o outage) {
	t.Helper()
	a := f.one.mustSplit(3, "kill", "assistant", "--reason", "meanwhile")
	if got := f.one.get("u", "/"); got.status != 503 {
		t.Errorf("right after the kill: %+v\n%s", got, a)
	}
	if o.announced {
		f.two.await("the kill is announced", func() bool { return f.two.get("u", "/").status == 503 })
	} else if got := f.two.get("u", "/"); got.status != 200 {
		t.Errorf("the other proxy: %+v", got)
	}
}

// mustRecover wants the kill everywhere once the store is back, no weight that was refused, and changes to work.
func (f *fleet) mustRecover(t *testing.T) {
	t.Helper()
	f.two.await("the kill arrives", func() bool { return f.two.get("u", "/").status == 503 })
	f.two.await("revive works", func() bool { return f.two.split("revive", "assistant").code == 0 })
	for _, p := range []*proxy{f.one, f.two} {
		if p.mustGet("u", "/") == "" {
			t.Error("no answer")
		}
		if got := p.share("assistant", "green").String(); got != "30%" {
			t.Errorf("share is %s after it all, want 30%%", got)
		}
	}
	f.one.mustSplit(0, "weight", "assistant", "green=40%")
}

// TestUncertainChange asks for a change at the very moment that Redis hangs: it may be carried out when Redis goes on,
// so nobody must be told that nothing was changed.
func TestUncertainChange(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.redis.Pause()
	a := f.one.split("weight", "assistant", "green=70%")
	f.redis.Resume()
	if a.code == 0 {
		t.Fatalf("want it not to succeed: %s", a)
	}
	if strings.Contains(a.err, "did not confirm") && strings.Contains(a.err, "nothing was changed") {
		t.Errorf("it says both that it may have been changed and that it was not: %s", a)
	}
}

// TestRedisComesBackEmpty has it lose everything, a kill included.
func TestRedisComesBackEmpty(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.one.mustSplit(0, "weight", "assistant", "green=30%")
	f.one.mustSplit(0, "kill", "assistant", "green", "--reason", "loops")
	placed := f.two.placements(50)
	traffic := startLoad(t, f.one, f.two)
	f.redis.Do("FLUSHALL")
	f.one.await("the State is written back", func() bool {
		return f.redis.Do("EXISTS", "switchback:{e2e}:state:assistant") == int64(1)
	})
	f.one.await("changes work again", func() bool { return f.one.split("weight", "assistant", "green=31%").code == 0 })
	for user, want := range placed {
		if got := f.two.mustGet(user, "/"); got != want {
			t.Errorf("%s was moved from %s to %s", user, want, got)
		}
	}
	traffic.mustServe()
	if s := f.two.status("assistant"); len(s.Kills) != 1 {
		t.Errorf("kills after the loss: %+v, want the one", s.Kills)
	}
}

// TestOnStaleStable gives a small canary's share to stable while the store is away for too long.
func TestOnStaleStable(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{options: "on_stale stable\nmax_stale 1s"})
	f.one.mustSplit(0, "weight", "assistant", "green=30%")
	traffic := startLoad(t, f.one, f.two)
	f.redis.Kill()
	f.one.awaitShare("assistant", "green", "0%")
	f.redis.Restart()
	f.one.awaitShare("assistant", "green", "30%")
	traffic.mustServe()
}

// TestFailbackWhileTheStoreIsAway has each proxy judge by its own evidence, and write what it found later.
func TestFailbackWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.redis.Kill()
	failBack(t, f.one, f.green)
	if got := f.one.get("u", "/"); got.status != 200 {
		t.Errorf("after the failback: %+v", got)
	}
	if got := f.two.share("assistant", "green").String(); got != "50%" {
		t.Errorf("the other proxy, which has seen nothing, has %s", got)
	}
	f.redis.Restart()
	f.two.awaitShare("assistant", "green", "0%")
	if a := f.two.mustSplit(0, "events", "assistant"); !strings.Contains(a.out, "failback") {
		t.Errorf("want the event: %s", a)
	}
	if got := f.two.status("assistant").Progress.Phase.String(); got != "failed_back" {
		t.Errorf("phase %s, want failed_back", got)
	}
}

// TestRedisComesBackOlder restores a State from before a weight and a kill: nothing that the proxies know is lost.
func TestRedisComesBackOlder(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	const key, backup = "switchback:{e2e}:state:assistant", "switchback:{e2e}:backup"
	f.redis.Do("COPY", key, backup)
	f.one.mustSplit(0, "weight", "assistant", "green=10%")
	f.one.mustSplit(0, "kill", "assistant", "--reason", "leaks prompts")
	f.redis.Do("RENAME", backup, key)
	f.one.await("the kill is in the store again", func() bool {
		return strings.Contains(fmt.Sprint(f.redis.Do("HGET", key, "doc")), "leaks prompts")
	})
	f.one.await("both agree", func() bool {
		one, two := f.one.status("assistant"), f.two.status("assistant")
		return one.Version == two.Version && len(one.Kills) == 1 && len(two.Kills) == 1
	})
	for _, p := range []*proxy{f.one, f.two} {
		if got := p.get("u", "/"); got.status != 503 {
			t.Errorf("the kill is lost: %+v", got)
		}
	}
	if got := f.one.share("assistant", "green").String(); got != "10%" {
		t.Errorf("share is %s, want the one that the store had lost", got)
	}
	if a := f.two.mustSplit(0, "events", "assistant"); !strings.Contains(a.out, "reconciled") {
		t.Errorf("want it told: %s", a)
	}
}
