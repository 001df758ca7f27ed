package health

import (
	"hash/fnv"
	"math"
	"reflect"
	"time"
)

// Judge compares a canary with the baseline over the same seconds, and says when to fail back. It is a sequential test:
// it may be asked after every second, and the probability that it ever fails back a harmless canary in a rollout of the
// planned length stays below alpha. The method and its proof are in docs/judge.md.
//
//	for every sealed second:  j.Fold(second, time.Second, &sum)
//	                          v := j.Verdict()
//
// A Judge has no clock and no randomness: the same seconds in the same order give the same verdicts anywhere. It is not
// safe for concurrent use. What it knows when a block has closed can be stored and taken up by another instance; see
// [Judge.MarshalBinary].
type Judge struct {
	terms  Trial
	st     standing
	open   [NumAges]block
	counts [numStreams][NumArms][userGroups]counts // of the open blocks
	asked  [userGroups]counts                      // the canary's requests in AgeFast's open block, whatever streams there are
	joined [numStreams]bool                        // whether a stream counts in its age's open block
	lists  [NumAges][]stream                       // those that do
	limits [numStreams]limitTest
	dirty  bool // a block has closed since the state was last marshalled
}

// Trial says what a judge judges.
type Trial struct {
	// Epoch is the trial's.
	Epoch uint64
	// Stable says what the baseline is: a variant and its version. What is known of another one is dropped.
	Stable string
	// Settings say how the arms are compared; nil: only limits judge.
	Settings *Settings
	// Limits are the canary's absolute limits; nil: none.
	Limits *Limits
	// Raises is how many times the canary's share is planned to be raised, the start not counted. A part of alpha is
	// spent at each; with none, at the start.
	Raises int
	// Instances divides alpha, for instances that each judge by their own evidence alone; 0 is 1.
	Instances int
}

// block is an age's open block.
type block struct {
	opened   bool
	began    int64         // the second in which its first cohort began
	last     int64         // the last second that was folded into it
	length   time.Duration // of all seconds in it
	busy     time.Duration // of those since the first request that it waits for
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

// NewJudge returns a judge that knows nothing, between trials.
func NewJudge() *Judge { return new(Judge) }

// Begin begins a trial. What is known of the baseline stays. A trial of the epoch that is judged already is the same
// trial: only its terms are taken anew, as they are not stored.
func (j *Judge) Begin(t Trial) {
	t.Instances = max(t.Instances, j.terms.Instances)
	same := j.st.Known && j.st.OnTrial && j.st.Epoch == t.Epoch
	if same && reflect.DeepEqual(t, j.terms) {
		return
	}
	j.closeAll() // under the terms that it was opened with
	j.setTerms(t)
	j.meet(t.Stable)
	if same {
		return
	}
	j.st.Epoch, j.st.OnTrial = t.Epoch, true
	j.st.Evidence = [userGroups + 1][numComponents]float32{}
	j.st.Raises, j.st.CanaryAt, j.st.BeganAt, j.st.ProbeAt = 0, 0, 0, 0
	j.st.Started, j.st.Met, j.st.Quiet = [numStreams]bool{}, [NumAges]bool{}, [NumAges]int64{}
	j.st.Asking, j.st.Failed = groupRates{}, defeat{}
	for i := range j.st.Shifts {
		j.st.Shifts[i].Raised = false // what an earlier trial has not spent is not this one's
	}
	for s := range j.st.Streams {
		m := &j.st.Streams[s]
		m.Trial, m.Probe = [NumArms]rate{}, [NumArms]rate{}
		m.Recent[Canary], m.Brief, m.Rise[Canary] = rate{}, rate{}, 0
	}
	j.dirty = true
}

// Rest ends the trial, if there is one: from now on the judge only learns what the baseline is like, under the terms of
// the next trial as far as they are known.
func (j *Judge) Rest(t Trial) {
	t.Instances = max(t.Instances, j.terms.Instances)
	if !j.st.OnTrial && reflect.DeepEqual(t, j.terms) {
		return
	}
	j.closeAll()
	if j.st.OnTrial {
		j.noteFailure()
	}
	j.st.OnTrial = false
	j.setTerms(t)
	j.meet(t.Stable)
	j.dirty = true
}

// meet drops what is known of a baseline that is another one now.
func (j *Judge) meet(stable string) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(stable)) // never fails
	if id := h.Sum64(); id != j.st.Baseline {
		if j.st.Baseline != 0 {
			j.st.Streams, j.st.Groups, j.st.Times = [numStreams]memory{}, [numCompared]groupRates{}, [2][3][Buckets]float32{}
			j.st.Quantile, j.st.Flow, j.st.Failed = [4]quantile{}, [NumAges]rate{}, defeat{}
		}
		j.st.Baseline = id
	}
}

// Share divides alpha among instances that each judge by their own evidence alone, from now on.
func (j *Judge) Share(instances int) { j.terms.Instances = instances }

// Acquit drops what speaks against the canary, as its cause was found to be shared. What of alpha was spent on it stays
// spent.
func (j *Judge) Acquit() {
	j.st.Evidence = [userGroups + 1][numComponents]float32{}
	j.dirty = true
}

// How alpha is spent: at the start, on the raises of the canary's share, and over the planned time.
const (
	startMass = 0.4
	raiseMass = 0.3
	timeMass  = 0.3
)

// Shift says that weights changed in a second: blocks do not reach across it. If the canary's share was raised, new users
// come, and a part of alpha is spent on them. What was said before is passed over.
func (j *Judge) Shift(second int64, raised bool) {
	if oldest := j.st.Shifts[len(j.st.Shifts)-1]; oldest.Set && second < oldest.Second {
		return
	}
	for _, s := range j.st.Shifts {
		if s.Set && s.Second == second {
			return
		}
	}
	raised = raised && j.st.OnTrial && int(j.st.Raises) < j.terms.Raises
	if raised {
		j.st.Raises++
	}
	copy(j.st.Shifts[1:], j.st.Shifts[:len(j.st.Shifts)-1])
	j.st.Shifts[0] = shift{Set: true, Second: second, Raised: raised}
	j.dirty = true
}

// shifted reports whether weights changed after from, at to or before it.
func (j *Judge) shifted(from, to int64) bool {
	for _, s := range j.st.Shifts {
		if s.Set && s.Second > from && s.Second <= to {
			return true
		}
	}
	return false
}

// due returns what of alpha the first block after each raise has to spend. It is noted as spent.
func (j *Judge) due(a Age, start int64) (mass float64) {
	if !j.st.OnTrial {
		return 0
	}
	for i := range j.st.Shifts {
		s := &j.st.Shifts[i]
		if s.Raised && !s.Paid[a] && s.Second <= start {
			s.Paid[a] = true
			mass += raiseMass / float64(max(j.terms.Raises, 1))
		}
	}
	return mass
}

// first returns what of alpha a stream has to spend in its first block of the trial, which may come later than others', as
// the baseline's quantiles must be known. It is noted as spent.
func (j *Judge) first(s stream) (mass float64) {
	if j.st.Started[s] {
		return 0
	}
	j.st.Started[s] = true
	if j.terms.Raises == 0 {
		return startMass + raiseMass
	}
	return startMass
}

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
		n[arm] = j.countArm(a, arm, &sum.Arms[arm][a])
		b.n[arm] += n[arm]
	}
	if b.n[j.awaited()] > 0 {
		b.busy += length
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

// planned is how long the rollout is planned to take.
func (j *Judge) planned() time.Duration {
	if j.terms.Settings == nil {
		return time.Duration(DefaultSettings().Duration)
	}
	return time.Duration(j.terms.Settings.Duration)
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

// weigh updates the evidence of a stream's bets by its open block.
func (j *Judge) weigh(s stream, t *totals, mass float64, quiet bool) {
	vetoed := !s.compared() && j.vetoed(s, t)
	factor := j.factors(s, t, quiet)
	for c := range components {
		if components[c].stream != s {
			continue
		}
		weight := j.weightOf(c)
		switch {
		case weight == 0:
		case vetoed:
			for g := range j.st.Evidence {
				j.st.Evidence[g][c] /= 2
			}
		default:
			j.update(c, t, factor(components[c].shift), mass*weight)
		}
	}
}

// factor is the logarithm of what a block multiplies a bet's evidence by, if the canary's outcomes are these.
type factor func(n1, k1 float64) float64

// update multiplies a bet's evidence by the block's factor, once for each group of users that is left out, and adds what is
// newly bet before it. Groups that did the same are worked out once.
func (j *Judge) update(c int, t *totals, log factor, mass float64) {
	s := components[c].stream
	spread := j.st.Streams[s].spread()
	without := func(out counts) float64 {
		nats := log(t.n[Canary]-float64(out.n), t.k[Canary]-float64(out.k))
		return math.Exp(min(nats/spread, maxNats))
	}
	all := without(counts{})
	var seen [8]struct {
		counts
		by float64
	}
	used := 0
	for g := range j.st.Evidence {
		by := all
		if g < userGroups && j.counts[s][Canary][g] != (counts{}) {
			cell := j.counts[s][Canary][g]
			i := 0
			for i < used && seen[i].counts != cell {
				i++
			}
			switch {
			case i < used:
				by = seen[i].by
			default:
				by = without(cell)
				if used < len(seen) {
					seen[used].counts, seen[used].by = cell, by
					used++
				}
			}
		}
		e := by * (float64(j.st.Evidence[g][c]) + mass)
		j.st.Evidence[g][c] = float32(min(e, maxEvidenceRatio))
	}
}

// maxEvidenceRatio is as much as is remembered of evidence: beyond the threshold of the least alpha and 10,000 instances,
// even where stable has burst as much as is remembered.
const maxEvidenceRatio = 1e37

// factors returns a stream's factors for a block, by the shift of a bet.
func (j *Judge) factors(s stream, t *totals, quiet bool) func(shift float64) factor {
	n0, k0, n1 := t.n[Baseline], t.k[Baseline], t.n[Canary]
	m := &j.st.Streams[s]
	switch {
	case s == limitMean:
		return func(float64) factor { return func(_, k1 float64) float64 { return k1 / meanUnit } }
	case !s.compared():
		return func(shift float64) factor { return newLimitBet(j.limits[s].limit, shift).log }
	case quiet && m.Slow.N >= known && n1 > 0:
		p := m.Slow.cautious()
		limit := j.harmless(s, 0, 0).of(p + hetZ*math.Sqrt(p*(1-p)/m.Slow.N))
		return func(shift float64) factor { return newLimitBet(limit, shift).log }
	case n0 == 0 || n1 == 0:
		return func(float64) factor { return func(_, _ float64) float64 { return 0 } }
	}
	h, past := j.harmless(s, n0, n1), m.start()
	return func(shift float64) factor {
		b := newBet(h, past, shift, n0, n1)
		return func(n1, k1 float64) float64 { return b.log(n0, k0, n1, k1) }
	}
}

// harmless returns what a stream's canary may be, next to n0 requests of the baseline for n1 of its own.
func (j *Judge) harmless(s stream, n0, n1 float64) harmless {
	set := j.terms.Settings
	h := harmless{set.Ratio, set.Margin}
	if s.isTime() {
		h = harmless{1, set.LatencyMargin}
	}
	if n1 > 0 {
		h.margin = min(h.margin+hetZ*j.st.Groups[s].luck(n0, n1), max(h.margin, 0.3))
	}
	return h
}

// learn remembers a block of the baseline, and what both arms' rates are.
func (j *Judge) learn(s stream, t *totals, length time.Duration) {
	m := &j.st.Streams[s]
	for arm := range NumArms {
		m.Recent[arm].decay(halved(length, recentHalf))
		m.Recent[arm].add(t.n[arm], t.k[arm])
		if j.st.OnTrial {
			m.Trial[arm].add(t.n[arm], t.k[arm])
		}
	}
	if s.compared() && j.terms.Settings != nil {
		j.noteRise(s, t)
	}
	m.Burst *= halved(length, burstHalf)
	if m.Burst < minBurst {
		m.Burst = 0
	}
	if m.Excursion >= minBurst {
		m.Burst = max(m.Burst, m.Excursion)
	}
	n, k := t.n[Baseline], t.k[Baseline]
	if n == 0 {
		return // what is known of its past stays as it was when it fell silent
	}
	m.Past.decay(halved(length, pastHalf))
	m.Past.add(n, k)
	slow := halved(length, slowHalf)
	m.Slow.decay(slow)
	m.Slow.add(n, k)
	if !s.compared() {
		return
	}
	m.Scatter *= slow
	m.Expected *= slow
	cells := &j.counts[s][Baseline]
	m.noteScatter(cells, n, k)
	j.st.Groups[s].note(cells, slow)
}

// noteRise follows how far each arm is above the baseline's past: a cumulative sum that starts again at zero. What the
// baseline does alone is a burst to be remembered, thinned to what a canary of its size would show of it; what both do
// is a shared cause.
func (j *Judge) noteRise(s stream, t *totals) {
	m := &j.st.Streams[s]
	if m.Slow.N < known {
		return
	}
	h := j.harmless(s, 0, 0)
	above := func(past, n, k float64) float64 {
		x := newLimitBet(h.of(past), 1.8).log(n, k)
		return max(x, newLimitBet(h.of(past), 3.5).log(n, k))
	}
	climb := func(from, by float64) float64 {
		return min(max(from+min(max(by, -maxNats), maxNats), 0), maxBurst)
	}
	for arm := range NumArms {
		m.Rise[arm] = climb(m.Rise[arm], above(m.Slow.cautious(), t.n[arm], t.k[arm]))
	}
	thin := guess / (1 - guess)
	if j.st.OnTrial && t.n[Baseline] > 0 {
		thin = min(t.n[Canary]/t.n[Baseline], 1)
	}
	// A burst is sudden: what drifts for hours is known to the last minutes. And it is more than one user's, as one user
	// alone fails no canary back.
	loudest := loudestOf(&j.counts[s][Baseline])
	m.Excursion = climb(m.Excursion, thin*above(max(m.Slow.cautious(), m.Past.cautious()),
		t.n[Baseline]-float64(loudest.n), t.k[Baseline]-float64(loudest.k)))
	if j.st.OnTrial && m.Rise[Canary] >= risen {
		m.Excursion = 0
	}
}

// loudestOf returns the counts of the group with the most bad ones.
func loudestOf(cells *[userGroups]counts) (loudest counts) {
	for _, c := range cells {
		if c.k > loudest.k {
			loudest = c
		}
	}
	return loudest
}

// risen is from which nats on an arm counts as risen.
const risen = 2
