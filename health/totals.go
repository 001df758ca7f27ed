package health

import (
	"sync/atomic"
	"time"
)

// Totals counts a variant's outcomes since the process began: what metrics show. Epochs and windows come and go under
// it. Its zero value is ready; all methods may be called concurrently and take no lock.
type Totals struct {
	counts  [numClasses][numCauses]atomic.Uint64
	retries atomic.Uint64
	rescues [numRescueResults]atomic.Uint64
	bytes   atomic.Uint64
	tokens  [2]atomic.Uint64 // in, out
	ttfb    cumulative
	latency cumulative
}

// TotalsSnapshot is what Totals held at one moment.
type TotalsSnapshot struct {
	// Counts holds requests by class and cause.
	Counts Counts
	// Retries counts further tries.
	Retries uint64
	// Rescues counts requests that stable was to answer instead.
	Rescues Rescues
	// Bytes counts what was sent of answers' bodies.
	Bytes uint64
	// TokensIn and TokensOut count what the agents say they consumed.
	TokensIn, TokensOut uint64
	// TTFB and Latency are the distributions of the time to the first payload byte, and to the end. Failures are in
	// neither, upgraded connections not in Latency, clients that left only in TTFB and only if they were answered.
	TTFB, Latency Histogram
	// TTFBSum and LatencySum are the exact sums of those times.
	TTFBSum, LatencySum time.Duration
}

// cumulative is a histogram that only grows, with its exact sum.
type cumulative struct {
	counts [cells]atomic.Uint64
	sum    atomic.Int64
}

func (c *cumulative) record(x observation) {
	c.counts[x.cell].Add(1)
	c.sum.Add(int64(max(x.value, 0)))
}

func (c *cumulative) snapshot() (h Histogram, sum time.Duration) {
	for i := range c.counts {
		h.counts[i] = c.counts[i].Load()
	}
	return h, time.Duration(c.sum.Load())
}

// Record counts an outcome that is no evidence; those that are, are counted by [Flight.Record].
func (t *Totals) Record(o Outcome) {
	t.counts[o.Class][o.Cause].Add(1)
	if o.Retries > 0 {
		t.retries.Add(uint64(o.Retries))
	}
	if o.Bytes > 0 {
		t.bytes.Add(o.Bytes)
	}
	if o.TokensIn > 0 || o.TokensOut > 0 {
		t.tokens[0].Add(o.TokensIn)
		t.tokens[1].Add(o.TokensOut)
	}
	if x := ttfbOf(o, 0); x.ok {
		t.ttfb.record(x)
	}
	if x := latencyOf(o, 0); x.ok {
		t.latency.record(x)
	}
}

// Snapshot returns what was counted so far. Counters that are written meanwhile may be read before or after.
func (t *Totals) Snapshot() TotalsSnapshot {
	s := TotalsSnapshot{Retries: t.retries.Load(), Bytes: t.bytes.Load(), TokensIn: t.tokens[0].Load(), TokensOut: t.tokens[1].Load()}
	for class := range t.counts {
		for cause := range t.counts[class] {
			s.Counts[class][cause] = t.counts[class][cause].Load()
		}
	}
	for result := range t.rescues {
		s.Rescues[result] = t.rescues[result].Load()
	}
	s.TTFB, s.TTFBSum = t.ttfb.snapshot()
	s.Latency, s.LatencySum = t.latency.snapshot()
	return s
}
