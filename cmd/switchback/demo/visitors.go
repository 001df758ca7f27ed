package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxInFlight bounds how many visitors wait for an answer at once. With more, the crowd asks more slowly.
const maxInFlight = 500

// crowd is a number of distinct users who ask at a steady rate, each in turn before anybody asks again, in an order
// that is shuffled for each round. Nobody asks while waiting for an answer.
type crowd struct {
	targets []string // proxies' base URLs, asked in turn: so everybody meets all of them
	users   int
	rps     float64
	ledger  *ledger
}

// run lets the crowd ask until ctx is done, and returns when nobody waits for an answer any more.
func (c *crowd) run(ctx context.Context) {
	transport := &http.Transport{MaxIdleConnsPerHost: maxInFlight}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	waiting := make([]atomic.Bool, c.users)
	places := make(chan struct{}, maxInFlight)
	var visits sync.WaitGroup
	defer visits.Wait()
	beat := pace{interval: time.Duration(float64(time.Second) / c.rps)}
	for turn := range c.turns() {
		if wait(ctx, beat.next(time.Now())) != nil {
			return
		}
		if !waiting[turn.user].CompareAndSwap(false, true) {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case places <- struct{}{}:
		}
		visits.Go(func() {
			c.visit(ctx, client, turn)
			waiting[turn.user].Store(false)
			<-places
		})
	}
}

// turn is one user's turn to ask one proxy.
type turn struct {
	user   int
	target string
}

// turns yields turns without end.
func (c *crowd) turns() func(yield func(turn) bool) {
	return func(yield func(turn) bool) {
		for n := 0; ; {
			for _, user := range rand.Perm(c.users) {
				if !yield(turn{user, c.targets[n%len(c.targets)]}) {
					return
				}
				n++
			}
		}
	}
}

// visit asks and records the answer.
func (c *crowd) visit(ctx context.Context, client *http.Client, t turn) {
	era := c.ledger.begin()
	a, ok := ask(ctx, client, t.target, userName(t.user))
	if !ok {
		c.ledger.drop(era)
		return
	}
	a.user, a.era = t.user, era
	c.ledger.record(a)
}

// userName is a user's ID.
func userName(i int) string { return fmt.Sprintf("user-%04d", i) }
