//go:build unix

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// talker is an agent whose streams at /short end well when they are told to. It is an agent like all others besides.
type talker struct {
	*agent
	finish func()
}

func startTalker(t *testing.T, name string) talker {
	a := startAgent(t, name)
	told, finish := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(told, cancel)()
			stream(w, r.WithContext(ctx))
		case "/stream":
			stream(w, r)
		default:
			a.answer(w, r)
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	a.addr = strings.TrimPrefix(server.URL, "http://")
	return talker{a, finish}
}

// listeners are clients in the middle of streams.
type listeners struct {
	wg    sync.WaitGroup
	whole atomic.Int64 // streams that ended well
	cut   atomic.Int64 // streams that broke off

	mu    sync.Mutex
	first time.Time // when the first one broke off; protected by mu
}

// ended counts all that have ended.
func (l *listeners) ended() int { return int(l.whole.Load() + l.cut.Load()) }

func (l *listeners) firstCut() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// listen opens a stream for each user, and returns when all of them have begun.
func (l *listeners) listen(p *proxy, path string, users []string) {
	p.t.Helper()
	for _, user := range users {
		r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://example.test"+path, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		r.Header.Set("X-User-ID", user)
		resp, err := p.http.Do(r)
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { resp.Body.Close() })
		lines := bufio.NewReader(resp.Body)
		if _, err := lines.ReadString('\n'); err != nil {
			p.t.Fatalf("%s of %s: %v", path, user, err)
		}
		l.wg.Go(func() {
			_, err := io.Copy(io.Discard, lines)
			l.note(err)
		})
	}
}

func (l *listeners) note(err error) {
	if err == nil {
		l.whole.Add(1)
		return
	}
	l.mu.Lock()
	if l.first.IsZero() {
		l.first = time.Now()
	}
	l.mu.Unlock()
	l.cut.Add(1)
}

// usersOf returns n users of a variant.
func (p *proxy) usersOf(variant string, n int) []string {
	p.t.Helper()
	var users []string
	for i := 0; len(users) < n; i++ {
		if user := fmt.Sprintf("listener-%d", i); p.mustGet(user, "/") == variant {
			users = append(users, user)
		}
	}
	return users
}

// count returns how many requests of green have ended, by what they count as and why.
func (p *proxy) count(class, cause string) int {
	p.t.Helper()
	line := grep(p.metrics(), fmt.Sprintf(`requests_total{cause="%s",class="%s",split="assistant",variant="green"}`, cause, class))
	_, number, _ := strings.Cut(line, "} ")
	n, err := strconv.Atoi(number)
	if err != nil && line != "" {
		p.t.Fatalf("metric %q: %v", line, err)
	}
	return n
}

// mustRefuse wants new requests to be refused.
func (p *proxy) mustRefuse(when string) {
	p.t.Helper()
	if got := p.get("somebody", "/"); got.status != http.StatusServiceUnavailable {
		p.t.Errorf("%s, a new request gets %+v, want it refused", when, got)
	}
}

// TestDrain has half of the streams end by themselves, which are successes; the others are cut at the deadline.
func TestDrain(t *testing.T) {
	t.Parallel()
	green := startTalker(t, "green")
	s := killSettings(t)
	s.green, s.globals = green.agent, "metrics"
	p := startProxy(t, s.caddyfile())
	users := p.usersOf("green", 20)
	var l listeners
	l.listen(p, "/short", users[:10])
	l.listen(p, "/stream", users[10:])
	p.await("all are in flight", func() bool { return inFlight(p, "green") == 20 })
	another := p.userOf("blue")
	successes := p.count("success", "none")

	said := make(chan answer, 1)
	go func() {
		said <- p.split("kill", "assistant", "--level", "drain", "--deadline", "2s", "--reason", "too slow")
	}()
	await(t, "new requests are refused", func() bool { return p.get(another, "/").status == http.StatusServiceUnavailable })
	green.finish() // while it drains, whenever the command ends
	if a := <-said; a.code != 0 || !strings.Contains(a.out, "the whole split (drain 2s, ") {
		t.Errorf("want it to say what was asked for: %s", a)
	}
	p.mustRefuse("right after the kill")
	l.wg.Wait()
	if l.whole.Load() != 10 || l.cut.Load() != 10 {
		t.Errorf("%d streams ended well and %d broke off, want 10 and 10", l.whole.Load(), l.cut.Load())
	}
	if k := p.status("assistant").Kills[0]; l.firstCut().Before(k.Deadline) || !k.Deadline.Equal(k.At.Add(2*time.Second)) {
		t.Errorf("the first stream broke off at %s, the kill is %+v", l.firstCut(), k)
	}
	p.await("ten more count as successes, and ten as killed", func() bool {
		return p.count("success", "none") == successes+10 && p.count("excluded", "killed") == 10
	})
	p.mustRefuse("after the deadline")
	p.mustSplit(0, "revive", "assistant")
	if got := p.mustGet(users[0], "/"); got != "green" {
		t.Errorf("revived, %s gets %s", users[0], got)
	}
}

func TestReviveBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	p := startProxy(t, killSettings(t).caddyfile())
	user := p.userOf("green")
	open := openSession(t, p, user)
	p.mustSplit(0, "kill", "assistant", "green", "--level", "drain", "--deadline", "1h", "--rate", "200/s")
	for _, want := range []string{"killed    green (drain 1h, then 200/s, ", "draining  green until ", ", 3 in flight on this proxy"} {
		if a := p.mustSplit(0, "status", "assistant"); !strings.Contains(a.out, want) {
			t.Errorf("status: want %q in it: %s", want, a)
		}
	}
	if a := p.mustSplit(0, "events", "assistant"); !strings.Contains(a.out, "green (drain 1h, then 200/s, ") {
		t.Errorf("events: want the drain in them: %s", a)
	}
	if got := p.mustGet(user, "/"); got != "blue" {
		t.Errorf("a new request gets %s", got)
	}
	p.mustSplit(0, "revive", "assistant")
	open.mustGoOn()
	p.mustSplit(1, "kill", "assistant", "--level", "cut", "--deadline", "5s")
	p.mustSplit(1, "kill", "assistant", "--level", "drain", "--deadline", "0s")
	p.mustSplit(1, "kill", "assistant", "--rate", "5/s")
	open.mustGoOn()
}

// TestDrainOfAFleet has the store die before the deadline: each proxy keeps it by itself, and one that comes back does not
// begin it anew.
func TestDrainOfAFleet(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	users := f.one.usersOf("green", 5)
	var one, two listeners
	one.listen(f.one, "/stream", users)
	two.listen(f.two, "/stream", users)
	f.one.mustSplit(0, "kill", "assistant", "--level", "drain", "--deadline", "3s")
	deadline := f.one.status("assistant").Kills[0].Deadline
	f.redis.Kill()
	one.wg.Wait()
	two.wg.Wait()
	if one.cut.Load() != 5 || two.cut.Load() != 5 || two.firstCut().Before(deadline) {
		t.Errorf("%d and %d streams broke off, the first at the other proxy at %s, want 5 and 5 not before %s",
			one.cut.Load(), two.cut.Load(), two.firstCut(), deadline)
	}
	f.two.kill()
	f.two.start()
	f.two.awaitUp()
	f.two.mustRefuse("after a restart without the store")
	if kills := f.two.status("assistant").Kills; len(kills) != 1 || !kills[0].Deadline.Equal(deadline) {
		t.Errorf("after a restart: got %+v, want the drain until %s", kills, deadline)
	}
}

// TestCutAtARate counts how many streams of a fleet have ended at any time since the kill: never more than the rate, and
// what may come at once, allow.
func TestCutAtARate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		proxies, streams int
		rate             int
		burst            int
	}{
		"one proxy": {1, 40, 20, 4},
		// In the first second a proxy may not know the other yet, and take all of the rate.
		"a fleet": {2, 80, 20, 8 + 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, settings{})
			users := f.one.usersOf("green", tt.streams/tt.proxies)
			var l listeners
			for _, p := range []*proxy{f.one, f.two}[:tt.proxies] {
				l.listen(p, "/stream", users)
			}
			if tt.proxies == 1 {
				f.two.stop()
			}
			begun := time.Now()
			f.one.mustSplit(0, "kill", "assistant", "green", "--level", "cut", "--rate", splitter.Rate(tt.rate).String())
			if got := f.one.mustGet(users[0], "/"); got != "blue" {
				t.Errorf("a new request gets %s, want stable at once", got)
			}
			await(t, "all streams have ended", func() bool {
				n := l.ended()
				if most := float64(tt.rate)*time.Since(begun).Seconds() + float64(tt.burst); float64(n) > most {
					t.Fatalf("%s after the kill %d streams have ended, want %.1f at most", time.Since(begun), n, most)
				}
				return n == tt.streams
			})
			l.wg.Wait()
			if l.whole.Load() > 0 {
				t.Errorf("%d streams ended as if they were whole", l.whole.Load())
			}
		})
	}
}
