//go:build unix

package e2e

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// failBack lets green fail until it is failed back.
func failBack(t *testing.T, p *proxy, green *agent) {
	t.Helper()
	ill, well := p.crowdOf("green"), p.crowdOf("blue")
	green.fail.Store(true)
	p.await("green is failed back", func() bool {
		for range 10 {
			p.get(ill.next(), "/")
			p.mustGet(well.next(), "/")
		}
		return p.share("assistant", "green") == 0
	})
}

func TestFailbackAndCooldown(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), version: "v1"}
	p := startProxy(t, s.caddyfile())
	user := p.userOf("green")
	failBack(t, p, s.green)
	if got := p.mustGet(user, "/"); got != "blue" {
		t.Errorf("green's user gets %s", got)
	}
	a := p.mustSplit(0, "status", "assistant")
	for _, want := range []string{"failed_back", "cooldown", "max_error_rate"} {
		if !strings.Contains(strings.ReplaceAll(a.out, "failed back", "failed_back"), want) {
			t.Errorf("want %q in %s", want, a)
		}
	}
	a = p.mustSplit(2, "weight", "assistant", "green=1%")
	if !strings.Contains(a.err, "--force") {
		t.Errorf("want the way out: %s", a)
	}
	s.green.fail.Store(false)
	p.stop()
	p.start()
	p.awaitReady()
	p.mustSplit(2, "weight", "assistant", "green=1%")
	p.mustSplit(0, "weight", "assistant", "green=100%", "--force")
	if user = p.userOf("green"); p.mustGet(user, "/") != "green" { // nearly everybody, as blue may keep a trickle
		t.Errorf("by force: %s does not stay on green", user)
	}
	if got := p.status("assistant"); got.Progress.Phase.String() != "trial" {
		t.Errorf("phase %s, want trial", got.Progress.Phase)
	}
}

// TestCanaryThatHangs has green never answer: who waits for it counts while they wait, by a limit on the first byte.
func TestCanaryThatHangs(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), failback: "max_ttft p95 1s\nmin_requests 20"}
	p := startProxy(t, s.caddyfile())
	ill, well := p.crowdOf("green"), p.crowdOf("blue")
	ctx, leave := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer leave()
	pace := time.NewTicker(100 * time.Millisecond) // as no second alone fails a canary
	defer pace.Stop()
	asked := 0
	p.await("green is failed back", func() bool {
		if <-pace.C; asked < 200 {
			asked++
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://example.test/wait", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-User-ID", ill.next())
			waiting.Go(func() { send(p.http, r) })
		}
		p.mustGet(well.next(), "/")
		return p.share("assistant", "green") == 0
	})
}

// TestStableNeverMoves has stable fail alone: nobody is put on the canary for it.
func TestStableNeverMoves(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	ill, well := p.crowdOf("blue"), p.crowdOf("green")
	s.blue.fail.Store(true)
	p.await("stable's failures are counted", func() bool {
		p.get(ill.next(), "/")
		p.mustGet(well.next(), "/")
		return evidence(p, "blue") > 60 && evidence(p, "green") > 40
	})
	p.await("there is a verdict", func() bool { return p.status("assistant").Verdict != nil })
	if got := p.share("assistant", "green").String(); got != "50%" {
		t.Errorf("share is %s, want nobody moved", got)
	}
}

// TestSharedCause has both fail: held and said, not failed back.
func TestSharedCause(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	one, other := p.crowdOf("blue"), p.crowdOf("green")
	s.blue.fail.Store(true)
	s.green.fail.Store(true)
	p.await("a shared cause is said", func() bool {
		for range 10 {
			p.get(one.next(), "/")
			p.get(other.next(), "/")
		}
		return strings.Contains(strings.ToLower(p.split("status", "assistant").out), "shared cause")
	})
	if got := p.share("assistant", "green").String(); got != "50%" {
		t.Errorf("share is %s, want nobody moved", got)
	}
}

// TestBrokenStreamsFailBack has answers that break off after a 200.
func TestBrokenStreamsFailBack(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	ill, well := p.crowdOf("green"), p.crowdOf("blue")
	p.await("green is failed back", func() bool {
		for range 10 {
			if got := p.get(ill.next(), "/break"); p.share("assistant", "green") > 0 && got.err == nil {
				t.Fatalf("want a visible break: %+v", got)
			}
			p.mustGet(well.next(), "/")
		}
		return p.share("assistant", "green") == 0
	})
}

// TestOneUserIsHeld has all of green's requests come from one user, and fail: it is said, and nobody is moved.
func TestOneUserIsHeld(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), failback: "window 10s\nmin_requests 5\nmax_error_rate 5%"}
	p := startProxy(t, s.caddyfile())
	ill, well := p.userOf("green"), p.crowdOf("blue")
	s.green.fail.Store(true)
	p.await("the one user is told of", func() bool {
		for range 10 {
			p.get(ill, "/")
			p.mustGet(well.next(), "/")
		}
		v := p.status("assistant").Verdict
		return v != nil && v.FewUsers != nil && v.FewUsers.Held
	})
	if got := p.share("assistant", "green").String(); got != "50%" {
		t.Errorf("share is %s, want nobody moved", got)
	}
	a := p.mustSplit(0, "status", "assistant")
	for _, want := range []string{"version and user cannot be told apart", "saw a failure", "`few_users failback` or a kill"} {
		if !strings.Contains(a.out, want) {
			t.Errorf("want %q in %s", want, a)
		}
	}
	if log := p.log(); !strings.Contains(log, "as that rests on one user") || strings.Contains(log, ill+`"`) {
		t.Errorf("want the one user told of, and not by name, in %s", log)
	}
}

// TestHangingAgentFailsBack has requests that are never answered: they count while they wait.
func TestHangingAgentFailsBack(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), failback: "max_ttft p90 1s\nmin_requests 10"}
	p := startProxy(t, s.caddyfile())
	ill, well := p.crowdOf("green"), p.crowdOf("blue")
	pace := time.NewTicker(100 * time.Millisecond) // as no second alone fails a canary
	defer pace.Stop()
	waiting, asked := make(chan reply, 200), 0
	p.await("green is failed back", func() bool {
		if <-pace.C; asked < cap(waiting) {
			asked++
			user := ill.next()
			go func() { waiting <- p.get(user, "/wait") }()
		}
		p.mustGet(well.next(), "/")
		return p.share("assistant", "green") == 0
	})
	p.mustSplit(0, "kill", "assistant", "--level", "cut") // blue too: whoever came as green was failed back waits there
	for range asked {
		if got := <-waiting; got.status != 503 {
			t.Fatalf("a waiting request: %+v", got)
		}
	}
}
