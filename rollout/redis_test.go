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

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// patience is how long a test waits for something that comes within seconds.
const patience = 40 * time.Second

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

// Whatever befalls the server: a change is made or refused, a kill holds where it was asked and in the end everywhere, no
// instance goes back, and nothing that any of them knew is lost.
func TestRedisFaults(t *testing.T) {
	for _, fault := range storetest.Faults {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t)
			fleet := []*proxy{join(t, server, "proxy-1"), join(t, server, "proxy-2")}
			fault.Prepare(server)
			confirmed(t, fleet[0], fleet[0].set(t, 10), 2)
			confirmed(t, fleet[0], fleet[1].kills(t, "green"), 2)
			before := fleet[0].at.View().State

			fault.Begin(server)
			if !fault.Writes {
				eventually(t, "the fault is known", func() bool { return fleet[1].status(t).StoreError != "" })
				if _, err := fleet[1].tries(60); !errors.Is(err, rollout.ErrUnavailable) || !strings.Contains(err.Error(), "nothing was changed") {
					t.Errorf("weights: got %v, want ErrUnavailable, nothing was changed", err)
				}
			}
			r := fleet[0].kills(t, "")
			if r.Queued == fault.Writes && !fault.Forgets || len(r.State.Kills) != 2 || fleet[0].serves() {
				t.Errorf("kill: got %+v, want it holding here, queued %v", r, !fault.Writes)
			}
			if fault.Announces {
				eventually(t, "the other heard of the kill", func() bool { return !fleet[1].serves() })
			}
			again := restartsWithout(t, server, fleet[0])

			fault.End(server)
			fleet = []*proxy{again, fleet[1]}
			for _, p := range fleet {
				eventually(t, "the kill is in the store", func() bool {
					s := p.status(t)
					return len(s.State.Kills) == 2 && len(s.Notes) < 2 && s.StoreError == "" && s.State.Weights()["green"] == 10*percent
				})
				if got := p.at.View().State; got.Revision <= before.Revision || !got.Descends(before.Version) {
					t.Errorf("%s: got %v of %v, want it to come from %v", p.opts.Instance, got.Version, got.Lineage, before.Version)
				}
			}
			eventually(t, "the kills are lifted", func() bool {
				_, err := again.Revive(t.Context(), "assistant", rollout.ReviveRequest{}, alice)
				return err == nil
			})
			eventually(t, "everybody is served", func() bool { return fleet[0].serves() && fleet[1].serves() })
			confirmed(t, fleet[0], fleet[1].set(t, 20), 2)
		})
	}
}

// restartsWithout restarts an instance that is killed: it refuses from the start, whether or not it reaches its store.
func restartsWithout(t *testing.T, server *storetest.Redis, p *proxy) *proxy {
	t.Helper()
	p.close(t)
	again := newProxy(t, nil, p.opts.Instance, assistant(99, 1), inRedis(at(server)), remembering(p))
	again.wants(t, "restarted, before any store", 10, false)
	again.mustStart(t)
	again.wants(t, "restarted", 10, false)
	return again
}

// Two masters for a while: each half of the fleet writes revision 10 on its own, then one of the two servers is gone.
func TestRedisTwoHalves(t *testing.T) {
	t.Parallel()
	one := storetest.StartRedis(t)
	fleet := []*proxy{join(t, one, "proxy-1"), join(t, one, "proxy-2")}
	for w := range splitter.Weight(8) {
		fleet[0].set(t, 2+w)
	}
	other := storetest.StartRedis(t)
	const key = "switchback:{default}:state:assistant"
	copyKey(t, one, other, key)
	far := []*proxy{join(t, other, "proxy-3"), join(t, other, "proxy-4")}
	confirmed(t, fleet[0], fleet[0].set(t, 30), 2)
	half := confirmed(t, far[0], far[0].set(t, 20), 2)
	if half.Version.Revision != 10 {
		t.Fatalf("got revision %d, want both halves to write 10", half.Version.Revision)
	}
	k := far[1].kills(t, "").Event.Kills[0]
	confirmed(t, far[0], rollout.Result{State: stored(t, look(t, other))}, 2)

	// What the far half has written is all that the other server has from now on.
	copyKey(t, other, one, key)
	for _, p := range slices.Concat(fleet, far) {
		eventually(t, p.opts.Instance+" has the lower share and the kill", func() bool { return p.green() == 20 && !p.serves() })
	}
	confirmed(t, fleet[0], rollout.Result{State: stored(t, look(t, one))}, 2)
	if got := stored(t, look(t, one)); len(got.Kills) != 1 || got.Kills[0].ID != k.ID || !got.Descends(half.Version) {
		t.Errorf("got %s, want kill %s and %v in its lineage", encode(t, got), k.ID, half.Version)
	}
}

// copyKey copies a key from one server to another.
func copyKey(t testing.TB, from, to *storetest.Redis, key string) {
	t.Helper()
	to.Do("RESTORE", key, 0, from.Do("DUMP", key), "REPLACE")
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
	pace := time.NewTicker(time.Second) // as no second alone fails a canary
	defer pace.Stop()
	eventually(t, "failed back", func() bool {
		for _, p := range fleet {
			p.record(0, 3, health.Success)
			p.record(1, 3, health.Failure)
		}
		<-pace.C
		return fleet[0].green() == 0 && fleet[1].green() == 0
	})
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
