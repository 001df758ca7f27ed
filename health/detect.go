package health

import "math"

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
// newly bet before it.
func (j *Judge) update(c int, t *totals, log factor, mass float64) {
	s := components[c].stream
	spread := j.st.Streams[s].spread()
	known := remembered{work: func(out counts) float64 {
		nats := log(t.n[Canary]-float64(out.n), t.k[Canary]-float64(out.k))
		return math.Exp(min(nats/spread, maxNats))
	}}
	for g := range j.st.Evidence {
		var out counts // the last leaves nobody out
		if g < userGroups {
			out = j.counts[s][Canary][g]
		}
		e := known.without(out) * (float64(j.st.Evidence[g][c]) + mass)
		j.st.Evidence[g][c] = float32(min(e, maxEvidenceRatio))
	}
}

// remembered works out a block's factor without a group, once for groups that did the same, as nearly all do.
type remembered struct {
	work func(out counts) float64
	seen [8]struct {
		counts
		by float64
	}
	used int
}

func (r *remembered) without(out counts) float64 {
	for i := range r.used {
		if r.seen[i].counts == out {
			return r.seen[i].by
		}
	}
	by := r.work(out)
	if r.used < len(r.seen) {
		r.seen[r.used].counts, r.seen[r.used].by = out, by
		r.used++
	}
	return by
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
