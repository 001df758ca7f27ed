//go:build unix

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// rolloutsVar is the environment variable that says how many rollouts are disturbed: `make chaos-rollout` has twenty.
const rolloutsVar = "SWITCHBACK_CHAOS_ROLLOUTS"

// TestRolloutOutlivesItsProxies kills and restarts the three proxies of a fleet at random moments while they roll out: the
// canary is promoted all the same, each step is taken once, and a webhook is told of each event.
func TestRolloutOutlivesItsProxies(t *testing.T) {
	runs := 1
	if text, isSet := os.LookupEnv(rolloutsVar); isSet {
		var err error
		if runs, err = strconv.Atoi(text); err != nil || runs < 1 {
			t.Fatalf("%s %q: must be a number from 1", rolloutsVar, text)
		}
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed ", seed+1), func(t *testing.T) {
			t.Parallel()
			disturb(t, uint64(seed)+1)
		})
	}
}

// disturb lets one rollout be disturbed.
func disturb(t *testing.T, seed uint64) {
	redis, hook := storetest.StartRedis(t), startHook(t)
	proxies := startPlanned(t, redis, hook)
	first := proxies[0]
	first.mustSplit(0, "start", "assistant", "--reason", "e2e")
	startLoad(t, proxies...)
	chaos := &chaos{proxies: proxies, rng: rand.New(rand.NewPCG(seed, 1))}
	for deadline := time.Now().Add(3 * patience); first.status("assistant").Stable != "green"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not promoted: %+v", first.status("assistant").Progress)
		}
		chaos.strike()
	}
	for _, p := range proxies {
		p.await("it knows who is stable", func() bool { return p.status("assistant").Stable == "green" })
	}
	if len(chaos.strikes) == 0 {
		t.Error("nobody was killed")
	}
	events := eventsOf(t, first)
	mustStepOnce(t, events)
	hook.awaitAll(t, events)
	hook.mustRepeatOnlyFor(t, chaos)
	t.Logf("%d processes killed, %d events, told of %d times", len(chaos.strikes), len(events), hook.total())
}

// startPlanned starts three proxies whose split has a plan of seconds.
func startPlanned(t *testing.T, redis *storetest.Redis, hook *hook) (proxies []*proxy) {
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), redis: redis.Addr(), share: "0%",
		options: "alert hook " + hook.url + " {\nseverity info\n}",
		split: `rollout {
			steps 5% 10% 25% 50% 100%
			bake 1s
			min_requests 5
			min_users 2
			watch 2s
		}`}
	for _, name := range []string{"one", "two", "three"} {
		s.instance = name
		proxies = append(proxies, startProxy(t, s.caddyfile()))
	}
	return proxies
}

// chaos kills processes and starts them again.
type chaos struct {
	proxies []*proxy
	rng     *rand.Rand
	next    time.Time
	struck  int
	strikes []time.Time // when a process was killed
}

// strike kills one of the processes when it is time, every fourth time all of them, and starts them again.
func (c *chaos) strike() {
	now := time.Now()
	if c.next.IsZero() {
		c.next = now.Add(c.pause())
	}
	if now.Before(c.next) || c.struck >= mostStrikes {
		return
	}
	victims := c.proxies
	if c.rng.IntN(4) > 0 {
		n := c.rng.IntN(len(c.proxies))
		victims = victims[n : n+1]
	}
	for _, p := range victims {
		c.strikes = append(c.strikes, time.Now())
		p.kill()
	}
	for _, p := range victims {
		p.start()
	}
	for _, p := range victims {
		p.awaitReady()
	}
	c.struck++
	c.next = time.Now().Add(c.pause())
}

// mostStrikes is after how many there is peace: a step is taken only once all members have counted for ten seconds.
const mostStrikes = 5

// pause is from no time to fourteen seconds, in which a rollout comes to a step or two, or to none.
func (c *chaos) pause() time.Duration { return time.Duration(c.rng.IntN(14_000)) * time.Millisecond }

// hasStruck reports whether a process was killed around a moment, so that what it had sent may not have been acknowledged.
func (c *chaos) hasStruck(around time.Time) bool {
	for _, at := range c.strikes {
		if at.After(around.Add(-time.Second)) && at.Before(around.Add(3*time.Second)) {
			return true
		}
	}
	return false
}

// eventsOf returns all events of the split, oldest first.
func eventsOf(t *testing.T, p *proxy) (events []store.Event) {
	t.Helper()
	answer, err := p.client.Events(t.Context(), "assistant", 1000)
	if err != nil {
		t.Fatalf("events: %v", err)
	}
	for i := range answer.Events {
		events = append(events, answer.Events[len(answer.Events)-1-i])
	}
	return events
}

// mustStepOnce wants each step of each epoch to be taken once, and the canary to be promoted once.
func mustStepOnce(t *testing.T, events []store.Event) {
	t.Helper()
	taken := map[string]int{}
	for _, ev := range events {
		if ev.Kind == rollout.KindStep || ev.Kind == rollout.KindPromoted {
			taken[fmt.Sprintf("%s to %s in epoch %d", ev.Kind, ev.To["green"], ev.Epoch)]++
		}
	}
	if len(taken) < 5 {
		t.Errorf("want four steps and a promotion, got %v", taken)
	}
	for what, n := range taken {
		if n != 1 {
			t.Errorf("%s: %d times, want once", what, n)
		}
	}
}

// hook is a webhook that is told of events.
type hook struct {
	url string

	mu  sync.Mutex // protects the following field
	got map[string][]time.Time
}

func startHook(t *testing.T) *hook {
	h := &hook{got: map[string][]time.Time{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		id := r.Header.Get("X-Switchback-Event-Id")
		h.got[id] = append(h.got[id], time.Now())
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// lastTold is how long it may take until the last event is told: what a process had claimed that was killed is taken over
// by another after a minute, within half a minute.
const lastTold = 2 * time.Minute

// awaitAll waits until it was told of all events.
func (h *hook) awaitAll(t *testing.T, events []store.Event) {
	t.Helper()
	for deadline := time.Now().Add(lastTold); len(h.untold(events)) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not told within %s: %v", lastTold, h.untold(events))
		}
	}
}

// untold lists the events that it was not told of. A target begins with what follows its first look, which may be after
// the first State.
func (h *hook) untold(events []store.Event) (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ev := range events {
		if ev.Kind != rollout.KindCreated && len(h.got[ev.ID]) == 0 {
			list = append(list, ev.Kind)
		}
	}
	return list
}

// total is how often it was told of something.
func (h *hook) total() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, times := range h.got {
		n += len(times)
	}
	return n
}

// mustRepeatOnlyFor wants nothing to be told again unless a process was killed that may have told it.
func (h *hook) mustRepeatOnlyFor(t *testing.T, c *chaos) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, times := range h.got {
		for _, first := range times[:len(times)-1] {
			if !c.hasStruck(first) {
				t.Errorf("event %s was told of %d times, and nobody was killed then", id, len(times))
			}
		}
	}
}
