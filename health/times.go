package health

import (
	"math"
	"time"
)

// ageOf returns the age at which a stream is counted; false if it is not.
func (j *Judge) ageOf(s stream) (Age, bool) {
	if s.compared() && j.terms.Settings == nil {
		return 0, false
	}
	if s.isTime() {
		q := j.st.Quantile[s-streamLatency75]
		return q.Age, q.Known
	}
	if !s.compared() {
		return j.limits[s].age, j.limits[s].set
	}
	return s.fixedAge()
}

// tunedAt returns after which second a stream of times was looked at.
func (j *Judge) tunedAt(s stream) int64 {
	if !s.isTime() {
		return math.MinInt64
	}
	return j.st.Quantile[s-streamLatency75].At
}

// countArm adds one arm's cohort to the open block's streams, and returns how many requests it had.
func (j *Judge) countArm(a Age, arm int, cohort *Cohort) (n float64) {
	for g := range cohort {
		c := &cohort[g]
		if a == AgeMinute {
			n += float64(c.Alive)
		} else {
			n += float64(c.N)
		}
		if c.N == 0 && c.Alive == 0 {
			continue
		}
		if a == AgeFast && arm == Canary {
			j.asked[g].add(part(c.N, c.Failed))
		}
		for _, s := range j.lists[a] {
			j.counts[s][arm][g].add(j.outcomes(s, arm, c))
		}
	}
	return n
}

func (c *counts) add(n, k int32) {
	c.n = min(c.n+n, maxCounted)
	c.k = max(min(c.k+k, maxCounted), -maxCounted)
}

// part returns whole and bad requests, the bad at most all.
func part(whole, bad uint32) (n, k int32) {
	n = int32(min(whole, maxCounted))
	return n, int32(min(bad, uint32(n)))
}

// outcomes returns how many requests of a cell say something about a stream, and how many are bad.
func (j *Judge) outcomes(s stream, arm int, c *Cell) (n, k int32) {
	switch s {
	case streamFast, streamSlow, limitFast, limitSlow:
		return part(c.N, c.Failed)
	case streamBroken, streamMinute:
		return part(c.Alive, c.Broken)
	case streamLeft10, streamLeft120, limitLeft:
		return part(c.N, c.Left)
	case limitLatency, limitTTFT:
		return slower(timesOf(s, c), j.limits[s].from)
	case limitMean:
		return j.limits[s].mean(c.Latency)
	}
	from := int(j.st.Quantile[s-streamLatency75].From)
	if arm == Canary {
		from++ // a bucket later: 19 % slower is harmless
	}
	return slower(timesOf(s, c), from)
}

func timesOf(s stream, c *Cell) []Bin {
	if s.isTTFB() {
		return c.TTFB
	}
	return c.Latency
}

// slower counts the requests of all buckets and those of the buckets from one on.
func slower(bins []Bin, from int) (n, k int32) {
	var all, over uint32
	for _, b := range bins {
		some := min(b.N, maxCounted/Buckets)
		all += some
		if int(b.Bucket) >= from {
			over += some
		}
	}
	return part(all, over)
}

// placeOf returns where an age's distributions are among those that are kept.
func placeOf(a Age) int { return int(a - AgeSlow) }

// noteTimes adds the baseline's times of a second.
func (b *block) noteTimes(a Age, cohort *Cohort) {
	if !a.HasTimes() {
		return
	}
	for g := range cohort {
		for which, bins := range [2][]Bin{cohort[g].Latency, cohort[g].TTFB} {
			for _, bin := range bins {
				n := &b.times[which][min(bin.Bucket, Buckets-1)]
				*n = min(*n+min(bin.N, maxCounted), maxCounted)
			}
		}
	}
}

// learnTimes remembers a block's times of the baseline.
func (j *Judge) learnTimes(a Age, b *block) {
	if !a.HasTimes() || b.n[Baseline] == 0 {
		return
	}
	left := float32(halved(b.length, slowHalf))
	for i := range b.times {
		kept := &j.st.Times[i][placeOf(a)]
		for k, n := range &b.times[i] {
			kept[k] = kept[k]*left + float32(n)
		}
	}
}

// retune looks at the baseline's quantiles anew: at each once in half an hour, between two blocks of its stream, and at one
// that is not known whenever a block has closed. A stream whose age changes begins again, as evidence of two ages is not
// added.
func (j *Judge) retune(second int64) {
	if j.terms.Settings == nil {
		return
	}
	for i := range j.st.Quantile {
		s := streamLatency75 + stream(i)
		old := j.st.Quantile[i]
		if j.joined[s] || old.Known && second-old.At < int64(retuneAfter/time.Second) {
			continue
		}
		q := j.quantileOf(s)
		q.At = second
		j.st.Quantile[i] = q
		if q.Age != old.Age || q.Known != old.Known {
			j.forget(s)
		}
		if q.Known && (!old.Known || q.From != old.From || q.Age != old.Age) {
			j.rebase(s)
		}
	}
}

// rebase restates the baseline's rates for what counts as slow from now on: measured by the old ones, every baseline would
// seem to rise with the quantile that is looked at anew, and be remembered for a burst.
func (j *Judge) rebase(s stream) {
	q := j.st.Quantile[s-streamLatency75]
	which := 0
	if s.isTTFB() {
		which = 1
	}
	var all, slow float64
	for b, n := range &j.st.Times[which][placeOf(q.Age)] {
		all += float64(n)
		if b >= int(q.From) {
			slow += float64(n)
		}
	}
	m := &j.st.Streams[s]
	m.Past.K, m.Slow.K = m.Past.N*slow/all, m.Slow.N*slow/all
	m.Recent, m.Rise, m.Excursion = [NumArms]rate{}, [NumArms]float64{}, 0
}

// neverSlow is a time that no request is called slow for, however fast the others are: what differs below it are
// connections and schedulers, not agents.
const neverSlow = 10 * time.Millisecond

// quantileOf returns the baseline's quantile by the youngest age that knows it, or neverSlow if that is longer.
func (j *Judge) quantileOf(s stream) quantile {
	which := 0
	if s.isTTFB() {
		which = 1
	}
	for _, a := range []Age{AgeSlow, AgeLate, AgeLong} {
		from, ok := quantileFrom(&j.st.Times[which][placeOf(a)], s.tail())
		from = max(from, int(BucketOf(neverSlow)))
		if ok && BucketStart(from+1) <= a.Span() {
			return quantile{From: uint8(from), Age: a, Known: true}
		}
	}
	return quantile{}
}

// quantileFrom returns the first bucket from which on at most the share tail of all times is; false if too few are known.
func quantileFrom(times *[Buckets]float32, tail float64) (from int, ok bool) {
	var all, above float64
	for _, n := range times {
		all += float64(n)
	}
	if all < 2*known {
		return 0, false
	}
	for from = Buckets; from > 0; from-- {
		if above += float64(times[from-1]); above > tail*all {
			break
		}
	}
	return from, from < Buckets-1
}

// forget drops a stream's evidence.
func (j *Judge) forget(s stream) {
	for c := range components {
		if components[c].stream == s {
			for g := range j.st.Evidence {
				j.st.Evidence[g][c] = 0
			}
		}
	}
	j.st.Streams[s].Rise, j.st.Streams[s].Excursion = [NumArms]float64{}, 0
}
