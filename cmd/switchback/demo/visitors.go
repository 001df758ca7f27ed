package demo

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxInFlight bounds how many visitors wait for an answer at once. With more, the crowd asks more slowly.
const maxInFlight = 500

// crowd is a number of distinct users who ask at a steady rate, each in turn before anybody asks again, in a random
// order. Nobody asks while waiting for an answer.
type crowd struct {
	targets []string // proxies' base URLs; everybody asks all of them by turns
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
func (c *crowd) turns() iter.Seq[turn] {
	return func(yield func(turn) bool) {
		order := rand.Perm(c.users)
		for round := 0; ; round++ {
			for i, user := range order {
				if !yield(turn{user, c.targets[(round+i)%len(c.targets)]}) {
					return
				}
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
