package caddymodule

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// stallLooks is how often within its limit a silent answer is looked at. An answer is ended after a silence of at least
// the limit, and of at most one look more.
const stallLooks = 4

// minStall keeps looking from being a load of its own.
const minStall = 100 * time.Millisecond

// errStalled is the cause with which a stalled answer's context ends. It is a context.Canceled, so that a reverse proxy
// takes it for an end from this side and does not blame its upstream once more.
var errStalled error = stalledError{}

type stalledError struct{}

// Error returns the sentence for logs.
func (stalledError) Error() string { return "nothing came for too long" }

// Is reports whether target is context.Canceled.
func (stalledError) Is(target error) bool { return target == context.Canceled }

// stallWatch ends an answer in which nothing moves. Whoever writes pays no more than a count: the clock is the timer's,
// which looks now and then whether the count is another. A nil *stallWatch watches nothing.
type stallWatch struct {
	moves  atomic.Uint32 // odd while something is being written: who waits then waits for the client
	ended  atomic.Bool
	limit  time.Duration
	cancel func(error)
	timer  *time.Timer
	seen   uint32 // moves at the last look; for look alone
	silent int    // looks without a move; for look alone
}

// newStallWatch begins to watch; nil without a limit.
func newStallWatch(limit caddy.Duration, cancel func(error)) *stallWatch {
	if limit <= 0 {
		return nil
	}
	s := &stallWatch{limit: time.Duration(limit), cancel: cancel}
	s.timer = time.AfterFunc(math.MaxInt64, s.look) // set before it can fire
	s.timer.Reset(s.limit / stallLooks)
	return s
}

// move says that a write begins, moved that it has ended.
func (s *stallWatch) move() {
	if s != nil {
		s.moves.Add(1)
	}
}

func (s *stallWatch) moved() { s.move() }

// look ends the answer if nothing has moved for long enough.
func (s *stallWatch) look() {
	moves := s.moves.Load()
	if moves != s.seen || moves%2 == 1 {
		s.seen, s.silent = moves, 0
	} else if s.silent++; s.silent >= stallLooks {
		s.cancel(errStalled)
		return
	}
	s.timer.Reset(s.limit / stallLooks)
	if s.ended.Load() { // end may have stopped the timer before it was set again
		s.timer.Stop()
	}
}

// end stops watching.
func (s *stallWatch) end() {
	if s != nil {
		s.ended.Store(true)
		s.timer.Stop()
	}
}
