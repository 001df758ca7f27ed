package health

import (
	"sync/atomic"
	"time"
)

// ring keeps the newest slices of one width without a lock. Each slot points to a slice that carries its own tick and
// is replaced as a whole, by compare-and-swap, when its turn comes again: a count meant for one tick can never end up
// in another's, and the one allocation per slice is all that recording costs.
type ring struct {
	width time.Duration
	slots []atomic.Pointer[liveSlice]
}

// spare slots keep what readers look at from being replaced by outcomes that are newer than the reader's now.
const spare = 2

func newRing(width time.Duration, slices int) *ring {
	return &ring{width: width, slots: make([]atomic.Pointer[liveSlice], slices+spare)}
}

// slices returns how many slices count.
func (r *ring) slices() int64 { return int64(len(r.slots) - spare) }

// tickAt numbers the slice that holds a moment; moments count from the window's origin and are never negative.
func (r *ring) tickAt(at time.Duration) int64 { return int64(max(at, 0) / r.width) }

// at returns the slice that holds a moment, a fresh one if it is the first to be counted there, and nil if that moment
// is so long ago that its slot serves a newer one.
func (r *ring) at(moment time.Duration) *liveSlice {
	tick := r.tickAt(moment)
	slot := &r.slots[tick%int64(len(r.slots))]
	for {
		s := slot.Load()
		switch {
		case s != nil && s.tick == tick:
			return s
		case s != nil && s.tick > tick:
			return nil
		}
		if fresh := (&liveSlice{tick: tick}); slot.CompareAndSwap(s, fresh) {
			return fresh
		}
	}
}

// before returns the slice that holds the moment ago before at, whose own slice is s.
func (r *ring) before(at, ago time.Duration, s *liveSlice) *liveSlice {
	if ago == 0 {
		return s
	}
	return r.at(at - ago)
}

// holds reports whether a moment is in one of the slices that count now.
func (r *ring) holds(now, moment time.Duration) bool {
	return r.tickAt(now)-r.tickAt(moment) < r.slices()
}

// each calls f for every slice that counts now.
func (r *ring) each(now time.Duration, f func(s *liveSlice)) {
	tick := r.tickAt(now)
	for i := range r.slots {
		if s := r.slots[i].Load(); s != nil && s.tick <= tick && tick-s.tick < r.slices() {
			f(s)
		}
	}
}

// liveSlice is one slice of time while it is written to. A nil *liveSlice takes writes and forgets them.
type liveSlice struct {
	tick int64 // never changes

	counts        [numClasses][numCauses]atomic.Uint32
	retries       atomic.Uint64
	ttfb, latency liveHistogram
	latencySum    atomic.Uint64             // ms
	users         atomic.Pointer[liveUsers] // nil until there are some
}

// crowd returns the slice's users.
func (s *liveSlice) crowd() *liveUsers {
	if s == nil {
		return nil
	}
	if u := s.users.Load(); u != nil {
		return u
	}
	s.users.CompareAndSwap(nil, new(liveUsers))
	return s.users.Load()
}

func (s *liveSlice) count(o Outcome) {
	if s == nil {
		return
	}
	s.counts[o.Class][o.Cause].Add(1)
	if o.Retries > 0 {
		s.retries.Add(uint64(o.Retries))
	}
}

func (s *liveSlice) addTTFB(x observation) {
	if s != nil {
		s.ttfb.record(x.cell)
	}
}

func (s *liveSlice) addLatency(x observation) {
	if s != nil {
		s.latency.record(x.cell)
		s.latencySum.Add(milliseconds(x.value))
	}
}

// addTo adds what was counted so far. It reads the sum of latencies before their distribution, which is written first, so
// that there is never a sum of none.
func (s *liveSlice) addTo(e *Evidence) {
	for class := range s.counts {
		for cause := range s.counts[class] {
			e.Counts[class][cause] += uint64(s.counts[class][cause].Load())
		}
	}
	e.Retries += s.retries.Load()
	e.LatencySum += s.latencySum.Load()
	s.ttfb.addTo(&e.TTFB)
	s.latency.addTo(&e.Latency)
}
