//go:build unix

package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// patience is how long a test waits for something that comes within seconds.
const patience = 20 * time.Second

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: still not so after %v", what, patience)
		}
	}
}

// inRedis lets an instance use a Redis of its own way in.
func inRedis(cfg redis.Config) func(*rollout.Options) {
	return func(o *rollout.Options) {
		o.Open = func() (store.Store, error) { return redis.Open(cfg, nil) }
	}
}

func at(r *storetest.Redis) redis.Config { return redis.Config{URL: "redis://" + r.Addr()} }

// join starts an instance on a server.
func join(t testing.TB, r *storetest.Redis, name string, options ...func(*rollout.Options)) *proxy {
	t.Helper()
	p := start(t, nil, name, assistant(99, 1), append([]func(*rollout.Options){inRedis(at(r))}, options...)...)
	eventually(t, name+" has a State", func() bool { return p.green() >= 0 })
	return p
}

// look opens a store for the test itself.
func look(t testing.TB, r *storetest.Redis) *redis.Store {
	t.Helper()
	s, err := redis.Open(at(r), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// confirmed waits until all have applied what a change made.
func confirmed(t testing.TB, p *proxy, r rollout.Result, n int) rollout.Confirmation {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conf, err := p.Confirm(ctx, "assistant", r.State.Version)
	if err != nil || len(conf.Applied) != n || len(conf.Missing) > 0 {
		t.Fatalf("Confirm: got %+v, %v, want all of %d", conf, err, n)
	}
	return conf
}

func TestRedisFleet(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	fleet := make([]*proxy, 5)
	var together sync.WaitGroup
	for i := range fleet {
		fleet[i] = newProxy(t, nil, fmt.Sprintf("proxy-%d", i+1), assistant(99, 1), inRedis(at(server)))
		together.Go(func() { fleet[i].mustStart(t) })
	}
	together.Wait()
	for _, p := range fleet {
		eventually(t, "a State", func() bool { return p.green() == 1 })
	}
	if got, want := kinds(t, look(t, server)), []string{"created"}; !cmp.Equal(got, want) {
		t.Errorf("events: got %v, want %v", got, want)
	}
	var took []time.Duration
	for i := range 50 {
		conf := confirmed(t, fleet[0], fleet[i%5].set(t, splitter.Weight(2+i%50)), 5)
		took = append(took, conf.Took)
	}
	slices.Sort(took)
	t.Logf("a change until five instances are confirmed to have applied it: median %v, p99 %v", took[25], took[49])
	killed := confirmed(t, fleet[1], fleet[2].kills(t, ""), 5)
	for _, p := range fleet {
		if p.serves() {
			t.Errorf("%s serves after all have confirmed the kill (%+v)", p.opts.Instance, killed)
		}
	}
}

// outages are the ways in which Redis fails, each with the way back.
var outages = map[string]struct {
	begin, end func(*storetest.Redis)
	announces  bool
}{
	"dead":   {begin: (*storetest.Redis).Kill, end: (*storetest.Redis).Restart},
	"frozen": {begin: (*storetest.Redis).Pause, end: (*storetest.Redis).Resume},
	"full": {announces: true, begin: func(r *storetest.Redis) {
		r.Do("SET", "ballast", strings.Repeat("x", 2<<20))
		r.Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
		r.Do("CONFIG", "SET", "maxmemory", "1mb")
	}, end: func(r *storetest.Redis) { r.Do("CONFIG", "SET", "maxmemory", "0") }},
	"refusing the password": {begin: func(r *storetest.Redis) {
		r.Do("CONFIG", "SET", "requirepass", "changed")
		for _, kind := range []string{"normal", "pubsub"} {
			r.Do("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
		}
	}, end: func(r *storetest.Redis) { r.Do("CONFIG", "SET", "requirepass", "") }},
}

func TestRedisOutage(t *testing.T) {
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t)
			fleet := []*proxy{join(t, server, "proxy-1"), join(t, server, "proxy-2")}
			confirmed(t, fleet[0], fleet[0].set(t, 10), 2)

			outage.begin(server)
			if _, err := fleet[1].tries(50); !errors.Is(err, rollout.ErrUnavailable) {
				t.Errorf("weights: got %v, want ErrUnavailable", err)
			}
			eventually(t, "the outage is known", func() bool { return fleet[1].status(t).StoreError != "" })
			if _, err := fleet[1].tries(60); !errors.Is(err, rollout.ErrUnavailable) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("weights: got %v, want ErrUnavailable, nothing was changed", err)
			}
			r := fleet[0].kills(t, "green")
			if !r.Queued || len(r.State.Kills) != 1 {
				t.Errorf("kill: got %+v, want it queued and holding here", r)
			}
			if outage.announces {
				eventually(t, "the other heard of the kill", func() bool { return len(fleet[1].at.View().State.Kills) == 1 })
			}
			fleet[0].close(t)
			again := newProxy(t, nil, "proxy-1", assistant(99, 1), inRedis(at(server)), remembering(fleet[0]))
			if got := again.at.View().State; got == nil || len(got.Kills) != 1 || got.Weights()["green"] != 10*percent {
				t.Errorf("restarted, before any store: got %+v, want green at 10%% and killed", got)
			}
			again.mustStart(t)
			again.wants(t, "restarted without the store", 10, true)

			outage.end(server)
			eventually(t, "the kill is written", func() bool { return len(fleet[1].at.View().State.Kills) == 1 })
			eventually(t, "the store is back", func() bool {
				_, err := again.Revive(t.Context(), "assistant", rollout.ReviveRequest{}, alice)
				return err == nil
			})
			eventually(t, "the kill is lifted", func() bool {
				return len(fleet[1].at.View().State.Kills) == 0 && len(again.at.View().State.Kills) == 0
			})
			// The first weights were on their way when the outage began: a frozen server may carry them out yet.
			if got := kinds(t, look(t, server)); slices.Contains(got, "kill") != slices.Contains(got, "revive") ||
				strings.Count(strings.Join(got, " "), "kill") != 1 {
				t.Errorf("events: got %v, want one kill and its revival", got)
			}
			again.set(t, 20)
			eventually(t, "all is well", func() bool { return fleet[1].green() == 20 && again.green() == 20 })
		})
	}
}

func TestRedisRestartedEmpty(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	fleet := []*proxy{join(t, server, "proxy-1"), join(t, server, "proxy-2")}
	confirmed(t, fleet[0], fleet[0].set(t, 10), 2)
	confirmed(t, fleet[0], fleet[1].kills(t, "green"), 2)
	before := stored(t, look(t, server))

	server.Do("FLUSHALL")
	server.Restart()
	eventually(t, "it is refilled", func() bool {
		_, err := look(t, server).Load(t.Context(), "assistant")
		return err == nil
	})
	after := stored(t, look(t, server))
	if after.Parent != before.ID || after.Changed.Kind != rollout.KindRestored || encode(t, after.Kills) != encode(t, before.Kills) ||
		!cmp.Equal(after.Weights(), before.Weights()) {
		t.Errorf("got %s, want %s restored", encode(t, after), encode(t, before))
	}
	confirmed(t, fleet[0], rollout.Result{State: after}, 2)
}

func TestRedisGoesBack(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	fleet := []*proxy{join(t, server, "proxy-1"), join(t, server, "proxy-2")}
	confirmed(t, fleet[0], fleet[0].set(t, 10), 2)
	const key = "switchback:{default}:state:assistant"
	old := server.Do("DUMP", key)
	confirmed(t, fleet[0], fleet[0].set(t, 50), 2)
	k := fleet[0].kills(t, "green").Event.Kills[0]
	eventually(t, "both are killed", func() bool { return len(fleet[1].at.View().State.Kills) == 1 })

	server.Do("RESTORE", key, 0, old, "REPLACE")
	eventually(t, "what was lost is written again", func() bool {
		got := stored(t, look(t, server))
		return got.Weights()["green"] == 50*percent && len(got.Kills) == 1 && got.Kills[0].ID == k.ID
	})
	confirmed(t, fleet[0], rollout.Result{State: stored(t, look(t, server))}, 2)
	for _, p := range fleet {
		if p.green() != 50 {
			t.Errorf("%s: got green at %d %%, want 50", p.opts.Instance, p.green())
		}
	}
}

func TestRedisSubscriptionIsCut(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	server.Do("ACL", "SETUSER", "deaf", "on", ">secret", "~switchback:*", "resetchannels", "+@all")
	deaf := at(server)
	deaf.Username, deaf.Password = "deaf", "secret"
	fleet := []*proxy{join(t, server, "proxy-1"), join(t, server, "proxy-2"), join(t, server, "proxy-3", inRedis(deaf))}
	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	confirmed(t, fleet[0], fleet[0].set(t, 10), 3)
	begun := time.Now()
	fleet[0].set(t, 11)
	eventually(t, "it is polled", func() bool { return fleet[2].green() == 11 })
	t.Logf("a change until an instance without announcements applied it: %v", time.Since(begun).Round(time.Millisecond))
}

func TestRedisFailbackByMergedEvidence(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	fleet := []*proxy{join(t, server, "proxy-1"), join(t, server, "proxy-2")}
	for _, p := range fleet {
		p.fails(12)
	}
	for _, p := range fleet {
		eventually(t, "failed back", func() bool { return p.green() == 0 })
	}
	if got, want := kinds(t, look(t, server)), []string{"created", "failback"}; !cmp.Equal(got, want) {
		t.Errorf("events: got %v, want %v", got, want)
	}
}

// Not parallel: it counts the goroutines of the process.
func TestCloseLeavesNothingBehind(t *testing.T) {
	server := storetest.StartRedis(t)
	before := runtime.NumGoroutine()
	for _, frozen := range []bool{false, true} {
		p := join(t, server, "proxy-1")
		p.kills(t, "green")
		if frozen {
			server.Pause()
		}
		p.close(t)
	}
	server.Resume()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

func BenchmarkApplied(b *testing.B) {
	server := storetest.StartRedis(b)
	p, other := join(b, server, "proxy-1"), join(b, server, "proxy-2")
	applied := make(chan uint64, 1)
	watching, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // what a request of the other would see
		for last := uint64(0); watching.Err() == nil; runtime.Gosched() {
			if r := other.at.View().State.Revision; r != last {
				last = r
				applied <- r
			}
		}
	}()
	<-applied
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		begun := time.Now()
		want := p.set(b, splitter.Weight(2+i%50)).State.Revision
		for r := <-applied; r < want; r = <-applied {
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}
