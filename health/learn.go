package health

import "time"

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
