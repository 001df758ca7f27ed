package health

import "time"

// block is an age's open block.
type block struct {
	opened   bool
	began    int64         // the second in which its first cohort began
	last     int64         // the last second that was folded into it
	length   time.Duration // of all seconds in it
	busy     time.Duration // of those since the first request that it waits for
	asked    time.Duration // of those up to the last one
	n        [NumArms]float64
	quiet    int64 // seconds without a request of the baseline, at its end
	canaryAt int64
	times    [2][Buckets]uint32
}

// counts are a group's requests in an open block, and the bad ones. Of limitMean, k is the logarithm of its factor in
// units of 1/10,000.
type counts struct{ n, k int32 }

// maxCounted keeps sums of what other instances sent from overflowing.
const maxCounted = 1 << 24

// Fold adds a second, or several as one of the given length that ends with it. Seconds come in order; one that is in a
// closed block already is passed over, so that whoever takes up a stored state folds again from [Judge.Resume] on.
func (j *Judge) Fold(second int64, length time.Duration, sum *Second) {
	if !j.st.Known {
		j.st.Known = true
		for a := range j.st.Folded {
			j.st.Folded[a] = second - 1
		}
	}
	closed := false
	for a := Age(0); a < NumAges; a++ {
		if second > j.st.Folded[a] && (!j.open[a].opened || second > j.open[a].last) {
			closed = j.foldAge(a, second, length, sum) || closed
		}
	}
	if closed {
		j.retune(second)
	}
}

// foldAge adds an age's cohorts to its open block, and reports whether that closed it.
func (j *Judge) foldAge(a Age, second int64, length time.Duration, sum *Second) bool {
	b := &j.open[a]
	start := second
	if a != AgeMinute {
		start -= int64(a.Span() / time.Second)
	}
	if b.opened && j.shifted(b.began, start) {
		j.close(a)
	}
	if !b.opened {
		j.openBlock(a, start, second)
	}
	b.last, b.length = second, b.length+length
	if j.st.OnTrial && j.st.BeganAt == 0 {
		j.st.BeganAt = second
	}
	var n [NumArms]float64
	for arm := range NumArms {
		if arm == Canary && !j.hasBegun(a, start) {
			continue
		}
		n[arm] = j.countArm(a, arm, &sum.Arms[arm][a])
		b.n[arm] += n[arm]
	}
	if b.n[j.awaited()] > 0 {
		b.busy += length
	}
	if n[j.awaited()] > 0 {
		b.asked = b.busy
	}
	b.quiet += int64(length / time.Second)
	if n[Baseline] > 0 || !j.st.Met[a] && b.n[Canary] == 0 {
		b.quiet = 0 // nobody misses a baseline before there is a canary
	}
	if a == AgeFast && n[Canary] > 0 {
		b.canaryAt = second
	}
	b.noteTimes(a, &sum.Arms[Baseline][a])
	if !j.closes(a) {
		return false
	}
	j.close(a)
	return true
}

// hasBegun reports whether the canary's requests of a cohort count, which began in second start: none of before the trial's
// Since, nor of minutes that had begun by then.
func (j *Judge) hasBegun(a Age, start int64) bool {
	if a == AgeMinute {
		start -= int64(a.Span() / time.Second)
	}
	return j.terms.Since == 0 || start > j.terms.Since
}

// awaited returns the arm whose first request a block waits for.
func (j *Judge) awaited() int {
	if j.st.OnTrial {
		return Canary
	}
	return Baseline
}

// openBlock lets the streams of an age join a block whose cohorts begin with start, and which is opened in second.
func (j *Judge) openBlock(a Age, start, second int64) {
	j.open[a] = block{opened: true, began: start, quiet: j.st.Quiet[a]}
	j.lists[a] = j.lists[a][:0]
	if a == AgeFast {
		j.asked = [userGroups]counts{}
	}
	for s := range stream(numStreams) {
		if age, ok := j.ageOf(s); ok && age == a && second > j.tunedAt(s) {
			j.joined[s] = true
			j.lists[a] = append(j.lists[a], s)
			j.counts[s] = [NumArms][userGroups]counts{}
		}
	}
}

// closes reports whether a block has enough. It is decided by numbers of requests and age, never by outcomes.
func (j *Judge) closes(a Age) bool {
	b := &j.open[a]
	n0, n1 := b.n[Baseline], b.n[Canary]
	enough := 10.0
	if n1 > n0 {
		enough = 5
	}
	switch {
	case b.length >= maxBlock:
		return true
	case b.busy < minBlock:
		return false
	case !j.st.OnTrial:
		return n0 >= enough
	case n0 == 0 && j.isQuiet(a):
		return n1 >= 1
	}
	return n1 >= 1 && n0 >= enough
}

// isQuiet reports whether the baseline has had no request for so long that the canary is held against its past: for a minute,
// or for as long as ten of its requests usually take. At AgeMinute, which only long requests reach, it never is.
func (j *Judge) isQuiet(a Age) bool {
	after := quietAfter.Seconds()
	if flow := j.st.Flow[a]; flow.N > 0 {
		after = min(max(after, quietLeast*flow.K/flow.N), quietMost.Seconds())
	}
	quiet := j.st.Quiet[a]
	if b := &j.open[a]; b.opened {
		quiet = b.quiet
	}
	return a != AgeMinute && float64(quiet) >= after
}

// Unjudged returns over how long the canary has had requests that no verdict rests on yet, from the first of them to the last:
// a block waits for requests of stable to compare them with, up to a minute.
func (j *Judge) Unjudged() time.Duration {
	if b := &j.open[AgeFast]; b.opened {
		return b.asked
	}
	return 0
}

func (j *Judge) closeAll() {
	for a := range Age(NumAges) {
		if j.open[a].opened {
			j.close(a)
		}
	}
}

// close weighs an age's open block, and learns from it.
func (j *Judge) close(a Age) {
	b := &j.open[a]
	quiet := b.n[Baseline] == 0 && j.isQuiet(a)
	b.opened = false
	mass := j.due(a, b.began) + timeMass*b.length.Seconds()/j.planned().Seconds()
	for _, s := range j.lists[a] {
		t := j.totals(s)
		if j.st.OnTrial {
			j.weigh(s, &t, mass+j.first(s), quiet)
		}
		j.learn(s, &t, b.length)
		j.noteProbe(s, &t, b)
		j.joined[s] = false
	}
	if a == AgeFast && j.st.OnTrial {
		j.st.Asking.note(&j.asked, halved(b.length, pastHalf))
	}
	j.learnTimes(a, b)
	if b.n[Baseline] > 0 {
		j.st.Flow[a].decay(halved(b.length, pastHalf))
		j.st.Flow[a].add(b.n[Baseline], b.length.Seconds())
	}
	j.st.Folded[a], j.st.Quiet[a], j.st.Met[a] = b.last, b.quiet, j.st.Met[a] || b.n[Canary] > 0
	j.st.CanaryAt = max(j.st.CanaryAt, b.canaryAt)
	j.dirty = true
}

// totals are a stream's sums over a block.
type totals struct{ n, k [NumArms]float64 }

func (j *Judge) totals(s stream) (t totals) {
	for arm := range NumArms {
		for _, c := range &j.counts[s][arm] {
			t.n[arm] += float64(c.n)
			t.k[arm] += float64(c.k)
		}
	}
	return t
}
