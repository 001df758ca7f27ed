package health

import (
	"math"
	"time"
)

// limitTest is a limit as a question to each request.
type limitTest struct {
	set   bool
	age   Age
	limit float64         // the share of requests that may be bad
	from  int             // of limits on times: the bucket from which on a request is bad
	pays  *[Buckets]int32 // of the limit on the mean: what a time in each bucket multiplies by, as a logarithm
}

// meanUnit is in how many parts of one the logarithms of limitMean are counted.
const meanUnit = 10_000

// meanReach is up to how many times the greatest mean a time counts.
const meanReach = 8

// meanBet is what is bet on each time: with 1/8 as the greatest mean of times in units of eight times that, a canary
// whose mean is twice the greatest wins about 0.2 nats a request.
const meanBet = 2

// setTerms takes over what to judge.
func (j *Judge) setTerms(t Trial) {
	j.terms = t
	j.limits = [numStreams]limitTest{}
	if t.Limits == nil {
		return
	}
	l := *t.Limits
	if l.MaxErrorRate > 0 {
		j.limits[limitFast] = limitTest{set: true, age: AgeFast, limit: l.MaxErrorRate}
		j.limits[limitSlow] = limitTest{set: true, age: AgeSlow, limit: l.MaxErrorRate}
	}
	if l.MaxLeft > 0 {
		j.limits[limitLeft] = limitTest{set: true, age: AgeLate, limit: l.MaxLeft}
	}
	j.limits[limitLatency] = quantileTest(l.MaxLatency)
	j.limits[limitTTFT] = quantileTest(l.MaxTTFT)
	j.limits[limitMean] = meanTest(time.Duration(l.MaxMeanLatency))
}

// quantileTest asks of each request whether it took certainly longer than a limit: those in the limit's own bucket, which
// are longer by less than 19 % if at all, are not.
func quantileTest(q *QuantileLimit) limitTest {
	if q == nil {
		return limitTest{}
	}
	from := int(BucketOf(q.max()))
	if BucketStart(from) < q.max() {
		from++
	}
	age, ok := ageFor(BucketStart(from))
	return limitTest{set: ok, age: age, limit: q.rest(), from: from}
}

// meanTest bets on each time, by a factor of 1 + 2(x - 1/8) where x is the time as a part of eight times the greatest
// mean, at most 1. Its expectation is at most 1 while the mean keeps the limit (betting on bounded variables: Waudby-Smith,
// Ramdas, arXiv 2010.09686). A time counts as its bucket's shortest, and logarithms are rounded down, both in the canary's
// favour.
func meanTest(most time.Duration) limitTest {
	if most == 0 {
		return limitTest{}
	}
	t := limitTest{set: true, age: AgeLong, pays: new([Buckets]int32)}
	if age, ok := ageFor(2 * most); ok {
		t.age = age
	}
	for b := range t.pays {
		x := min(BucketStart(b).Seconds()/(meanReach*most.Seconds()), 1)
		t.pays[b] = int32(math.Floor(meanUnit * math.Log1p(meanBet*(x-1.0/meanReach))))
	}
	return t
}

// mean returns the number of times, and the logarithm of their factor.
func (t *limitTest) mean(times []Bin) (n, k int32) {
	var all, log int64
	for _, b := range times {
		all += int64(b.N)
		log += int64(b.N) * int64(t.pays[min(b.Bucket, Buckets-1)])
	}
	return int32(min(all, maxCounted)), int32(max(min(log, maxCounted), -maxCounted))
}

// weightOf returns a bet's part of the budget. Without a comparison limits have all of it.
func (j *Judge) weightOf(c int) float64 {
	s := components[c].stream
	switch {
	case s.compared():
		return components[c].weight
	case !j.limits[s].set:
		return 0
	case j.terms.Settings != nil:
		return components[c].weight
	}
	return components[c].weight / limitsWeight
}

// vetoed reports whether a limit holds, as the baseline is close to breaking it too, in the block or in the last minutes.
func (j *Judge) vetoed(s stream, t *totals) bool {
	if s == limitMean {
		return t.k[Baseline] > 0 || j.st.Streams[s].Past.K > 0
	}
	most := j.limits[s].limit * vetoShare
	if j.terms.Settings == nil {
		most = j.limits[s].limit * vetoAlone
	}
	block := rate{t.n[Baseline], t.k[Baseline]}
	return block.share() > most || j.st.Streams[s].Past.share() > most
}

// How near to a limit the baseline must be to veto: half of it, or where nothing compares the arms, so that the limit
// is all there is, nearly all of it.
const (
	vetoShare = 0.5
	vetoAlone = 0.8
)
