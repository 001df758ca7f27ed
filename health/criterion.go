package health

import (
	"fmt"
	"math"
	"time"
)

// criterion is one limit that is set, as a question to sums of slices.
type criterion interface {
	// check fills in all but the baseline's part.
	check(sum Slice) Check
	// observed returns the plain rate or mean, and how many requests it rests on.
	observed(sum Slice) (value float64, n uint64)
	// excess returns by how much a slice exceeds what the limit allows; negative if it is better.
	excess(s Slice) float64
	// alike reports whether chance alone could make a variant that is as bad as the canary look like this baseline.
	alike(canary, baseline Slice) bool
	// describe says in words what was observed.
	describe(c Check) string
}

// errorRateLimit is the name of the limit on the share of failures.
const errorRateLimit = "max_error_rate"

// criteriaOf lists the limits that are set.
func criteriaOf(l Limits) []criterion {
	var list []criterion
	if l.MaxErrorRate > 0 {
		list = append(list, share{name: errorRateLimit, allowed: l.MaxErrorRate, least: l.leastN(),
			tally:   func(s Slice) Tally { return Tally{N: s.Judged, Over: s.Failures} },
			benefit: func(s Slice) uint64 { return s.Running },
			verb:    "failed"})
	}
	if l.MaxLeft > 0 {
		list = append(list, share{name: "max_left", allowed: l.MaxLeft, least: l.leastN(),
			tally:   func(s Slice) Tally { return Tally{N: add(s.Judged, s.Left), Over: s.Left} },
			benefit: func(s Slice) uint64 { return s.Running },
			verb:    "were given up before the first byte"})
	}
	if l.MaxMeanLatency > 0 {
		list = append(list, mean{allowed: time.Duration(l.MaxMeanLatency), least: l.leastN()})
	}
	if q := l.MaxLatency; q != nil {
		list = append(list, share{name: "max_latency " + q.label(), max: q.Max, allowed: q.rest(), least: l.leastN(),
			tally: func(s Slice) Tally { return s.Latency }})
	}
	if q := l.MaxTTFT; q != nil {
		list = append(list, share{name: "max_ttft " + q.label(), max: q.Max, allowed: q.rest(), least: l.leastN(),
			tally: func(s Slice) Tally { return s.TTFT }})
	}
	return list
}

// leastN returns MinRequests, at least one.
func (l Limits) leastN() uint64 { return uint64(max(l.MinRequests, 1)) }

// share limits the share of requests that fail, are given up or take too long: a rate, or a quantile (p95 at most 3 s is: at most 5 %
// take longer than 3 s).
type share struct {
	name    string
	max     Duration // zero for a rate
	allowed float64
	least   uint64
	tally   func(Slice) Tally
	benefit func(Slice) uint64 // requests that may still turn out well; nil: none
	verb    string             // what those of a rate did
}

// check gives requests in flight the benefit of the doubt: a rate is broken only if it would be, should all of them
// end well. Quick failures end before slow successes do, so that a new canary's first outcomes are mostly failures;
// without this, 1 % of quick failures among minute-long streams would look like 100 %.
func (c share) check(sum Slice) Check {
	t := c.tally(sum)
	n := t.N
	if c.benefit != nil {
		n += c.benefit(sum)
	}
	observed, _ := c.observed(sum)
	return Check{Limit: c.name, Max: c.max, Threshold: c.allowed, Observed: observed, N: t.N, K: t.Over,
		Broken: t.N >= c.least && float64(t.Over) > c.allowed*float64(n) && upperTail(t.Over, n, c.allowed) <= chance}
}

func (c share) observed(sum Slice) (float64, uint64) {
	t := c.tally(sum)
	return ratio(t.Over, t.N), t.N
}

func (c share) excess(s Slice) float64 {
	t := c.tally(s)
	return float64(t.Over) - c.allowed*float64(t.N)
}

func (c share) alike(canary, baseline Slice) bool {
	asBad, _ := c.observed(canary)
	t := c.tally(baseline)
	return lowerTail(t.Over, t.N, asBad) > chance
}

func (c share) describe(k Check) string {
	if c.max == 0 {
		return fmt.Sprintf("%s of %d requests %s (%s: %s)", percent(k.Observed), k.N, c.verb, c.name, percent(c.allowed))
	}
	return fmt.Sprintf("%s of %d requests took longer than %s (%s: %s may)",
		percent(k.Observed), k.N, c.max, c.name, percent(c.allowed))
}

// mean limits the mean time to the end of the answer.
type mean struct {
	allowed time.Duration
	least   uint64
}

func (c mean) check(sum Slice) Check {
	value, n := c.observed(sum)
	_, deviation := sum.Mean.stats()
	over := value - c.allowed.Seconds()
	return Check{Limit: "max_mean_latency", Max: Duration(c.allowed), Threshold: c.allowed.Seconds(), Observed: value, N: n,
		Broken: n >= max(c.least, 2) && over > 0 && over > standardErrors*deviation/math.Sqrt(float64(n))}
}

func (c mean) observed(sum Slice) (float64, uint64) {
	value, _ := sum.Mean.stats()
	return value, sum.Mean.N
}

func (c mean) excess(s Slice) float64 {
	return float64(s.Mean.Sum)/1000 - c.allowed.Seconds()*float64(s.Mean.N)
}

func (c mean) alike(canary, baseline Slice) bool {
	n := baseline.Mean.N
	if n == 0 {
		return true
	}
	bad, deviation := canary.Mean.stats()
	value, _ := baseline.Mean.stats()
	return bad-value < standardErrors*deviation*math.Sqrt(1/float64(n)+1/float64(max(canary.Mean.N, 1)))
}

func (c mean) describe(k Check) string {
	return fmt.Sprintf("the mean latency of %d requests is %s (max_mean_latency: %s)",
		k.N, rounded(time.Duration(k.Observed*float64(time.Second))), Duration(c.allowed))
}

// stats returns the mean and the standard deviation of single values, in seconds.
func (m Moments) stats() (mean, deviation float64) {
	if m.N == 0 {
		return 0, 0
	}
	n := float64(m.N)
	mean = float64(m.Sum) / n
	if m.N > 1 {
		deviation = math.Sqrt(max(float64(m.Squares)-n*mean*mean, 0) / (n - 1))
	}
	return mean / 1000, deviation / 1000
}

// ratio returns k/n, zero if n is.
func ratio(k, n uint64) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}
