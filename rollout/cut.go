package rollout

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
)

// clockBeat is how long a deadline is waited for before the clock is looked at again, which the store may have corrected.
const clockBeat = time.Second

// ErrKilled is the cause with which a cut request's context ends. It is a context.Canceled, so that a reverse proxy
// neither retries nor blames its upstream.
var ErrKilled error = killedError{}

type killedError struct{}

// Error returns the sentence for logs.
func (killedError) Error() string { return "ended by the kill switch" }

// Is reports whether target is context.Canceled.
func (killedError) Is(target error) bool { return target == context.Canceled }

// cut ends the requests in progress that a kill ends at once. What waits for a deadline, or its turn, is left to cutLoop,
// which knows the clock. Ending one twice does nothing. Caller must hold s.mu.
func (s *Split) cut() {
	kills := s.kills()
	if len(kills) > 0 || len(s.spreads) > 0 {
		s.wake()
	}
	atOnce := slices.DeleteFunc(slices.Clone(kills), func(k splitter.Kill) bool {
		return k.Level != splitter.KillCut || k.Rate != 0
	})
	if len(atOnce) == 0 {
		return
	}
	for f := range s.Flights.All() {
		if splitter.CutOf(atOnce, f.Variant, time.Time{}) != nil {
			f.End(ErrKilled)
		}
	}
}

// kills returns the kills that are on here. They must not be modified. Caller must hold s.mu.
func (s *Split) kills() []splitter.Kill {
	if s.effective != nil {
		return s.effective.Kills
	}
	return s.queue
}

// recut asks for cutDue.
func (c *Controller) recut() {
	select {
	case c.cutting <- struct{}{}:
	default:
	}
}

// cutLoop ends the requests in progress that kills do not end at once. It begins when the store has answered, or has not
// in time: only then are the deadlines' clock and the members known.
func (c *Controller) cutLoop(ctx context.Context, answered <-chan struct{}) {
	select {
	case <-ctx.Done():
		return
	case <-answered:
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-c.cutting:
		}
		if wait := c.cutDue(); wait > 0 {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// cutDue ends what is due by now in every split, and returns when to call it again; zero: not before kills change.
func (c *Controller) cutDue() time.Duration {
	var next time.Duration
	busy := false
	for _, s := range c.all() {
		wait, waiting := s.cutDue(c.now(), c.crew(s.name))
		next, busy = sooner(next, wait), busy || waiting
	}
	c.busy.Store(busy)
	return next
}

// sooner returns the shorter of two waits, of which zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// cutDue ends the requests in progress whose time has come by now, the store's clock, as far as this proxy, one of crew,
// may end them yet. It returns when to call it again, zero for not before kills change, and whether requests wait for
// their turn. It holds s.mu while it goes over the requests once, so that none that a revival has let in is ended.
func (s *Split) cutDue(now time.Time, crew int) (wait time.Duration, waiting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kills := s.kills()
	due := slices.DeleteFunc(slices.Clone(kills), func(k splitter.Kill) bool { return !k.Cuts(now) })
	s.keepSpreads(due, crew)
	s.endDue(due, now)
	wait = untilDeadline(kills, now)
	for _, sp := range s.spreads {
		if sp.waiting {
			wait, waiting = sooner(wait, sp.pause()), true
		} else {
			s.tellEnded(sp)
		}
	}
	return wait, waiting
}

// untilDeadline returns how long to wait for the next deadline of a drain, or to look at the clock again; zero if none is
// to come.
func untilDeadline(kills []splitter.Kill, now time.Time) time.Duration {
	var wait time.Duration
	for i := range kills {
		if from, ends := kills[i].CutsFrom(); ends && now.Before(from) {
			wait = sooner(wait, from.Sub(now))
		}
	}
	return min(wait, clockBeat)
}

// keepSpreads makes the spreads those of the kills that end requests now. Caller must hold s.mu.
func (s *Split) keepSpreads(due []splitter.Kill, crew int) {
	before := s.spreads
	s.spreads = make(map[string]*spread, len(due))
	for _, k := range due {
		sp := before[k.ID]
		if sp == nil {
			sp = newSpread(k, crew)
		}
		sp.turn(crew)
		s.spreads[k.ID] = sp
		delete(before, k.ID)
	}
	for _, lifted := range before {
		s.tellEnded(lifted)
	}
}

// tellEnded logs what a kill has ended since it was last told of.
func (s *Split) tellEnded(sp *spread) {
	if sp.ended > 0 {
		s.log.Warn("a kill ended requests in progress", zap.String("kill", sp.kill.ID), zap.String("variant", sp.kill.Variant),
			zap.Stringer("level", sp.kill.Level), zap.Int("ended", sp.ended))
		sp.ended = 0
	}
}

// endDue ends the requests in progress that the kills cover, as far as they may end more. Each turn goes on where the last
// one stopped: beginning anew, it would pass by all that stay, again and again. Caller must hold s.mu.
func (s *Split) endDue(due []splitter.Kill, now time.Time) {
	if len(due) == 0 {
		return
	}
	left := len(due) // kills that may end more
	for place, f := range s.Flights.AllFrom(s.place) {
		k := splitter.CutOf(due, f.Variant, now)
		if k == nil || f.Ended() {
			continue
		}
		sp := s.spreads[k.ID]
		switch {
		case sp.waiting:
		case sp.limiter.Allow():
			f.End(ErrKilled)
			sp.ended++
		default:
			sp.waiting = true
			left--
		}
		if left == 0 {
			s.place = place
			return
		}
	}
}
