package caddymodule

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

// userApp returns an app that knows a secret, or none.
func userApp(secrets ...string) *App {
	return &App{Secrets: secrets, appState: appState{controller: rollout.New(rollout.Options{}), users: new(atomic.Pointer[userHash])}}
}

// All proxies of a fleet, of whatever release, count one user as one. The numbers were made by another implementation.
func TestUserHashIsPinned(t *testing.T) {
	a := userApp("0123456789abcdef0123456789abcdef", "an older secret")
	for key, want := range map[string]uint64{"": 0, "alice": 0x32c19e1201f44682, strings.Repeat("k", maxKey): 0x546dfa9bb487fdd2} {
		if got := a.user(key); got != want {
			t.Errorf("%.20q: got %#x, want %#x", key, got, want)
		}
	}
}

func TestUserHashDependsOnTheSecret(t *testing.T) {
	one, other, none := userApp("one secret of a fleet"), userApp("another one"), userApp()
	seen := map[uint64]bool{}
	for _, a := range []*App{one, other, none} {
		alice := a.user("alice")
		if again := a.user("alice"); again != alice || a.user("bob") == alice {
			t.Error("a user is not told from others, or not known again")
		}
		seen[alice] = true
	}
	if len(seen) != 3 {
		t.Errorf("under three keys alice is %d users, want 3", len(seen))
	}
	one.Secrets = []string{"the new secret", "one secret of a fleet"}
	if seen[one.user("alice")] {
		t.Error("a new secret does not change the hash")
	}
	if got := testing.AllocsPerRun(100, func() { one.user("alice"); none.user("alice") }); got != 0 {
		t.Errorf("hashing allocates %g times, want 0", got)
	}
}

// What is counted of users on the way through a proxy, and what of them is evidence.
func TestUsersAreCounted(t *testing.T) {
	p := startProxy(t, `traffic_split s {
		key header X-User
		variant only 100% {
			handle {
				respond /bad 500
				respond fine
			}
		}
		exclude_from_evidence /health
	}`)
	ask := func(path, user string, times int) {
		for range times {
			r := p.request("X-User", user)
			r.URL.Path = path
			p.send(r)
		}
	}
	p.hasSecret() // or who came before would be counted twice
	ask("/", "alice", 3)
	ask("/bad", "bob", 1)
	ask("/health", "carol", 4)
	got := p.summary("s", "only")
	if got.Users != 2 || got.UsersFailed != 1 || got.TrialUsers != 2 || got.TrialUsersFailed != 1 || got.Requests != 4 {
		t.Errorf("got %+v, want two users, one of whom saw a failure, and 4 requests", got)
	}
	ask("/", "alice", 100)
	got = p.summary("s", "only")
	if got.Users != 2 || got.Requests > 1+3*5 { // in three spans at most, on the slowest machine
		t.Errorf("got %+v, want two users and a handful of alice's requests", got)
	}
	if c := p.counts("s"); c.Of(health.Success) != 107 {
		t.Errorf("the totals hold %d successes, want 107", c.Of(health.Success))
	}
}

// summary returns a variant's evidence.
func (p *proxy) summary(split, variant string) health.Summary {
	p.t.Helper()
	status, err := p.controller().Status(p.t.Context(), split)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, v := range status.Variants {
		if v.Name == variant {
			return v.Summary
		}
	}
	p.t.Fatalf("no variant %s", variant)
	return health.Summary{}
}
