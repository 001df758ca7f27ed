package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// crewRate is how many requests a second all proxies of a crew get together.
	crewRate = 200
	// usersEach is how many users ask each proxy by turns; they are the same at all of them.
	usersEach = 10
	// answerLimit is how long an answer may take; a longer one has failed.
	answerLimit = 2 * time.Second
	// maxComplaints is how many failed requests are told of for each fault.
	maxComplaints = 5
)

// crewVariants are the variants that crewSettings configures, in order.
var crewVariants = []string{"blue", "green"}

// expectation is which answers are right for now.
type expectation struct {
	serves  bool            // that somebody serves may be right
	refuses bool            // that the kill's answer comes may be right
	table   *splitter.Table // says which variant serves whom; nil while that changes
}

// byState is what a State has all proxies answer that serve by it.
func byState(s *splitter.State) expectation {
	killed := s.KillOf("") != nil
	return expectation{serves: !killed, refuses: killed, table: splitter.Compile(s, crewVariants)}
}

// complaint says what is wrong with an answer to a user; nothing if it is right.
func (e expectation) complaint(user string, a answer) string {
	variant := a.header.Get("X-Variant")
	switch {
	case e.refuses && refuses(a):
		return ""
	case !e.serves || a.status != http.StatusOK || !slices.Contains(crewVariants, variant):
		return fmt.Sprintf("status %d from variant %q", a.status, variant)
	case e.table == nil:
		return ""
	}
	want := e.table.Decide(splitter.Request{Key: user}).Variant
	if want < 0 || crewVariants[want] != variant {
		return fmt.Sprintf("variant %q serves %s, which is not by the weights", variant, user)
	}
	return ""
}

// traffic is what visitors of all proxies of a crew see.
type traffic struct {
	expected atomic.Pointer[expectation]
	sent     atomic.Int64
	failed   atomic.Int64
	gates    []gate // by proxy

	mu         sync.Mutex // protects complaints
	complaints []string
}

// gate is what visitors of one proxy go through.
type gate struct {
	sync.Mutex      // held while one of them asks; protects following fields
	anew       bool // whether they must connect anew
}

// startTraffic sends visitors to the proxies until the lab is closed. Until something is expected, any answer is right
// by which somebody serves.
func (l *lab) startTraffic(ctx context.Context, proxies []*proxy) (*traffic, error) {
	t := &traffic{gates: make([]gate, len(proxies))}
	t.expect(expectation{serves: true})
	l.besideEach(ctx, proxies, func(ctx context.Context, n int, p *proxy) { t.send(ctx, n, p.address) })
	return t, nil
}

// expect says which answers are right from now on.
func (t *traffic) expect(e expectation) { t.expected.Store(&e) }

// send asks one proxy at a steady rate, for each user by turns.
func (t *traffic) send(ctx context.Context, n int, address string) {
	ticker := time.NewTicker(time.Second * crewSize / crewRate)
	defer ticker.Stop()
	var visitors callers
	defer func() { visitors.leave() }()
	for turn := 0; ; turn = (turn + 1) % usersEach {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			t.gates[n].Lock()
			if t.gates[n].anew {
				visitors.leave()
				t.gates[n].anew = false
			}
			visitors[turn] = t.ask(ctx, n, address, fmt.Sprintf("user-%d", turn), visitors[turn])
			t.gates[n].Unlock()
		}
	}
}

// callers is the visitors of one proxy, by user; nil where nobody is connected.
type callers [usersEach]*visitor

// leave has all of them hang up.
func (a *callers) leave() {
	for user, v := range a {
		if v != nil {
			v.conn.Close()
			a[user] = nil
		}
	}
}

// ask has a user ask once, and returns the visitor for their next time: nil if the connection is good for nothing.
func (t *traffic) ask(ctx context.Context, n int, address, user string, v *visitor) *visitor {
	before := t.expected.Load()
	var a answer
	var err error
	if v == nil {
		v, err = visit(ctx, address, "/", user)
	}
	if err == nil {
		if err = v.conn.SetDeadline(time.Now().Add(answerLimit)); err == nil {
			a, err = v.ask()
		}
	}
	if ctx.Err() != nil {
		return v
	}
	t.sent.Add(1)
	if err != nil {
		t.complain(n, err.Error())
		if v != nil {
			v.conn.Close()
		}
		return nil
	}
	// What is expected may have changed while the answer was on its way.
	if wrong := before.complaint(user, a); wrong != "" && t.expected.Load().complaint(user, a) != "" {
		t.complain(n, wrong)
	}
	return v
}

// complain counts a failed request.
func (t *traffic) complain(n int, what string) {
	t.failed.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.complaints) < maxComplaints {
		t.complaints = append(t.complaints, memberName(n)+": "+what)
	}
}

// take returns what was counted and complained of since it was last asked.
func (t *traffic) take() (sent, failed int64, complaints []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	complaints, t.complaints = t.complaints, nil
	return t.sent.Swap(0), t.failed.Swap(0), complaints
}

// hold keeps visitors away from a proxy that is about to be stopped; let lets them come again, over new connections.
func (t *traffic) hold(n int) {
	t.gates[n].Lock()
	t.gates[n].anew = true
}

func (t *traffic) let(n int) { t.gates[n].Unlock() }
