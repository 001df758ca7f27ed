package demo

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// testLimit bounds what a test waits for; it is a net for a very slow machine.
const testLimit = time.Minute

// eventually waits until ask says yes.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	if err := poll(ctx, func() (bool, error) { return ask(), nil }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// splitterOf returns a server that gives users whose hash is below a limit of 100 to green, the others to blue.
func splitterOf(t *testing.T, limit *atomic.Int32) string {
	t.Helper()
	blueAgent, greenAgent := newAgent(blue, 0), newAgent(green, 0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := fnv.New32a()
		fmt.Fprint(h, r.Header.Get("X-User-ID"))
		if h.Sum32()%100 < uint32(limit.Load()) {
			greenAgent.ServeHTTP(w, r)
			return
		}
		blueAgent.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestCrowdVisitsAllTargetsAndStaysWhereItIs(t *testing.T) {
	var limit atomic.Int32
	limit.Store(30)
	l := newLedger(60, time.Now(), blue, green)
	c := &crowd{users: 60, rps: 2000, ledger: l, targets: []string{splitterOf(t, &limit), splitterOf(t, &limit)}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.run(ctx)
	}()
	eventually(t, "everybody's third visit", func() bool { return l.tally(0).answers >= 180 })
	first := l.tally(0)
	if first.seen != 60 || first.placed() != 60 || first.on[green] == 0 || first.on[blue] == 0 {
		t.Errorf("got %d users, on %v, want 60 on both", first.seen, first.on)
	}
	if len(first.moves) != 0 || first.failures() != 0 {
		t.Errorf("got moves %v and %d failures, want none", first.moves, first.failures())
	}

	limit.Store(100)
	era := l.next()
	eventually(t, "everybody's next visit", func() bool { return l.tally(era).seen == 60 })
	if second := l.tally(era); second.on[green] != 60 || second.within != 0 {
		t.Errorf("got users on %v and %d moves, want all on green and none", second.on, second.within)
	}
	cancel()
	<-ended
}

// TestCrowdNeverAsksTwiceAtOnce uses a server that answers nobody until it is told to.
func TestCrowdNeverAsksTwiceAtOnce(t *testing.T) {
	answers := make(chan struct{})
	var open atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		open.Add(1)
		<-answers
	}))
	defer server.Close()
	l := newLedger(3, time.Now())
	c := &crowd{users: 3, rps: 1000, ledger: l, targets: []string{server.URL}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.run(ctx)
	}()
	eventually(t, "three requests", func() bool { return l.tally(0).open == 3 })
	close(answers)
	eventually(t, "more requests", func() bool { return l.tally(0).answers > 3 })
	cancel()
	<-ended
	if got := l.tally(0).open; got != 0 {
		t.Errorf("open requests after the end: got %d, want 0", got)
	}
}

func TestCrowdCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   crowd
		want string // part of the error; empty: none
	}{
		{"good", crowd{targets: []string{"http://proxy1:8080/", "https://proxy2"}, users: 1, rps: 0.5}, ""},
		{"no target", crowd{users: 1, rps: 1}, "--target is required"},
		{"no URL", crowd{targets: []string{"proxy1:8080"}, users: 1, rps: 1}, `--target "proxy1:8080"`},
		{"no host", crowd{targets: []string{"http://"}, users: 1, rps: 1}, `--target "http://"`},
		{"nobody", crowd{targets: []string{"http://a"}, rps: 1}, "--users 0"},
		{"too many", crowd{targets: []string{"http://a"}, users: 2_000_000, rps: 1}, "--users 2000000"},
		{"never", crowd{targets: []string{"http://a"}, users: 1}, "--rps 0"},
		{"too fast", crowd{targets: []string{"http://a"}, users: 1, rps: 1e6}, "--rps 1e+06"},
	} {
		err := tt.in.check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestVisitorsShowWhatTheySee runs the command's loop against an agent, without a terminal.
func TestVisitorsShowWhatTheySee(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int32
	violet := newAgent("violet", 0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		violet.ServeHTTP(w, r)
		if asked.Add(1) == 20 {
			cancel()
		}
	}))
	defer server.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := &crowd{targets: []string{server.URL}, users: 5, rps: 500}
	c.show(ctx, out)
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if want := "violet: 100.0% of requests, 0.0% errors"; !strings.Contains(string(text), want) {
		t.Errorf("got %q, want %q in it", text, want)
	}
}
