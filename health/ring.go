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

// each calls f for every slice of the past, with its age in ticks: 0 is the one that holds now.
func (r *ring) each(now time.Duration, f func(age int, s *liveSlice)) {
	tick := r.tickAt(now)
	for i := range r.slots {
		s := r.slots[i].Load()
		if s == nil || s.tick > tick || tick-s.tick >= int64(len(r.slots)-spare) {
			continue
		}
		f(int(tick-s.tick), s)
	}
}

// liveSlice is one slice of time while it is written to. A nil *liveSlice takes writes and forgets them.
type liveSlice struct {
	tick int64 // never changes

	judged, failures      atomic.Uint64
	left                  atomic.Uint64
	ttftOver, latencyOver atomic.Uint64
	ttftN, latencyN       atomic.Uint64
	meanN                 atomic.Uint64
	meanSum, meanSquares  atomic.Uint64
	retries               atomic.Uint64
	counts                [numClasses][numCauses]atomic.Uint32
	ttfb, latency         liveHistogram
	users                 atomic.Pointer[liveUsers] // nil until there are some; only in the window's own slices
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
	if o.Class == Excluded {
		if o.Cause == CauseLeft {
			s.left.Add(1)
		}
		return
	}
	s.judged.Add(1)
	if o.Class == Failure {
		s.failures.Add(1)
	}
}

func (s *liveSlice) addTTFB(x observation) {
	if s == nil {
		return
	}
	s.ttfb.record(x.cell)
	s.ttftN.Add(1)
	if x.over {
		s.ttftOver.Add(1)
	}
}

func (s *liveSlice) addLatency(x observation) {
	if s == nil {
		return
	}
	s.latency.record(x.cell)
	s.latencyN.Add(1)
	if x.over {
		s.latencyOver.Add(1)
	}
}

func (s *liveSlice) addMean(x observation) {
	if s == nil {
		return
	}
	ms := milliseconds(x.value)
	s.meanN.Add(1)
	s.meanSum.Add(ms)
	s.meanSquares.Add(ms * ms)
}

// read returns the slice's counters. Each request over a limit is added to Over after N and read before it, so that
// Over never exceeds N; failures likewise.
func (s *liveSlice) read() (out Slice) {
	out.Failures = s.failures.Load()
	out.Judged = s.judged.Load()
	out.TTFT.Over = s.ttftOver.Load()
	out.TTFT.N = s.ttftN.Load()
	out.Latency.Over = s.latencyOver.Load()
	out.Latency.N = s.latencyN.Load()
	out.Mean.Squares = s.meanSquares.Load()
	out.Mean.Sum = s.meanSum.Load()
	out.Mean.N = s.meanN.Load()
	out.Left = s.left.Load()
	return out
}

// addCounts adds what only the whole window tells: causes, retries, distributions.
func (s *liveSlice) addCounts(e *Evidence) {
	for class := range s.counts {
		for cause := range s.counts[class] {
			e.Counts[class][cause] += uint64(s.counts[class][cause].Load())
		}
	}
	e.Retries += s.retries.Load()
	s.ttfb.addTo(&e.TTFB)
	s.latency.addTo(&e.Latency)
}
