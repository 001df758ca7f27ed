package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// load is users who ask at random moments, as a Poisson process has them, whatever became of those who asked before: one
// who waits keeps nobody else from asking. Each asks one of some addresses, by chance.
type load struct {
	client    *http.Client // whose time limit is when a user gives up
	addresses []string     // of what is asked for: http://host:port/path
	users     []string
	rate      float64 // requests a second

	end  context.CancelFunc // nobody asks any more
	open sync.WaitGroup

	mu     sync.Mutex      // protects following fields
	failed map[string]bool // users who saw a failure
	late   []float64       // by how many ms each request was late
}

// start lets users come until the load is finished, or ctx is done, which ends what they wait for too.
func (l *load) start(ctx context.Context) {
	l.failed = map[string]bool{}
	coming, end := context.WithCancel(ctx)
	l.end = end
	l.open.Go(func() { l.come(coming, ctx) })
}

// come lets users ask, each at its time: who is late does not delay those behind.
func (l *load) come(coming, asking context.Context) {
	for at := time.Now(); ; {
		at = at.Add(time.Duration(rand.ExpFloat64() / l.rate * float64(time.Second)))
		if wait(coming, time.Until(at)) != nil {
			return
		}
		user, address := l.users[rand.IntN(len(l.users))], l.addresses[rand.IntN(len(l.addresses))]
		l.open.Go(func() {
			late := inMS(time.Since(at))
			ok, err := l.ask(asking, address, user)
			if asking.Err() == nil {
				l.note(user, late, ok && err == nil)
			}
		})
	}
}

// ask has a user ask, and reports whether the answer came whole and is a good one.
func (l *load) ask(ctx context.Context, address, user string) (ok bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("X-User-ID", user)
	resp, err := l.client.Do(r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK, err
}

// note takes in what became of a request.
func (l *load) note(user string, late float64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late = append(l.late, late)
	if !ok {
		l.failed[user] = true
	}
}

// finish lets nobody come any more, waits for those who wait for an answer, and returns how many users saw a failure.
func (l *load) finish() (failed int) {
	l.end()
	l.open.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.failed)
}

// namesOfUsers names n users.
func namesOfUsers(n int) []string {
	users := make([]string, n)
	for i := range users {
		users[i] = fmt.Sprintf("user-%d", i)
	}
	return users
}
