//go:build unix

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// reply is an answer as a visitor got it.
type reply struct {
	status int
	body   string
	header http.Header
	took   time.Duration
	err    error
}

// get asks a proxy for a path as a user; "" is nobody.
func (p *proxy) get(user, path string) reply {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://example.test"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if user != "" {
		r.Header.Set("X-User-ID", user)
	}
	return send(p.http, r)
}

// send sends a request and reads the answer to its end.
func send(client *http.Client, r *http.Request) reply {
	began := time.Now()
	resp, err := client.Do(r)
	if err != nil {
		return reply{took: time.Since(began), err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(body), resp.Header, time.Since(began), err}
}

// mustGet wants status 200 and returns the body: the name of the agent that answered.
func (p *proxy) mustGet(user, path string) string {
	p.t.Helper()
	r := p.get(user, path)
	if r.err != nil || r.status != http.StatusOK {
		p.t.Fatalf("GET %s as %q: %d %q, %v", path, user, r.status, r.body, r.err)
	}
	return r.body
}

// userOf finds a user whom a variant serves.
func (p *proxy) userOf(variant string) string {
	p.t.Helper()
	for i := range 10_000 {
		user := fmt.Sprintf("user-%d", i)
		if p.mustGet(user, "/") == variant {
			return user
		}
	}
	p.t.Fatalf("nobody gets %s", variant)
	return ""
}

// crowd is some users of one variant, who ask by turns: of one user alone only the first requests are evidence, and a
// variant that has but one is neither failed back nor passed.
type crowd struct {
	users []string
	turn  int
}

// crowdOf finds 20 users whom a variant serves.
func (p *proxy) crowdOf(variant string) *crowd {
	p.t.Helper()
	c := new(crowd)
	for i := 0; len(c.users) < 20; i++ {
		if user := fmt.Sprintf("user-%d", i); p.mustGet(user, "/") == variant {
			c.users = append(c.users, user)
		}
	}
	return c
}

// next returns whose turn it is.
func (c *crowd) next() string {
	c.turn++
	return c.users[c.turn%len(c.users)]
}

// placements returns who of n users gets which variant.
func (p *proxy) placements(n int) map[string]string {
	p.t.Helper()
	found := make(map[string]string, n)
	for i := range n {
		user := fmt.Sprintf("user-%d", i)
		found[user] = p.mustGet(user, "/")
	}
	return found
}

// load is steady traffic on some proxies, of users who come one after the other.
type load struct {
	t      testing.TB
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	replies []reply // protected by mu
}

// loadPause is the time between two requests of one visitor; four visitors come to each proxy.
const loadPause = 10 * time.Millisecond

// startLoad sends requests until stop.
func startLoad(t testing.TB, proxies ...*proxy) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, cancel: cancel}
	for _, p := range proxies {
		for visitor := range 4 {
			l.done.Go(func() { l.visit(ctx, p, visitor) })
		}
	}
	t.Cleanup(func() { cancel(); l.done.Wait() })
	return l
}

func (l *load) visit(ctx context.Context, p *proxy, visitor int) {
	ticker := time.NewTicker(loadPause)
	defer ticker.Stop()
	for i := 0; ; i++ {
		r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "http://example.test/", nil)
		if err != nil {
			l.t.Error(err)
			return
		}
		r.Header.Set("X-User-ID", fmt.Sprintf("visitor-%d-%d", visitor, i%200))
		got := send(p.http, r)
		l.mu.Lock()
		l.replies = append(l.replies, got)
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// stop ends the traffic and returns all replies.
func (l *load) stop() []reply {
	l.cancel()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replies
}

// mustServe ends the traffic and wants every request answered, and none to have waited for a store: those that give
// up on one do so after half a second or more.
func (l *load) mustServe() {
	l.t.Helper()
	replies := l.stop()
	var took []time.Duration
	for _, r := range replies {
		if r.err != nil || r.status != http.StatusOK {
			l.t.Errorf("a request failed: %d %q, %v", r.status, r.body, r.err)
		}
		took = append(took, r.took)
	}
	slices.Sort(took)
	if p95 := took[len(took)*95/100]; p95 > 400*time.Millisecond {
		l.t.Errorf("1 of 20 of %d requests took longer than %s: something waits", len(took), p95)
	}
	l.t.Logf("%d requests, median %s, longest %s", len(took), took[len(took)/2], took[len(took)-1])
}
