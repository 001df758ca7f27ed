package health

import "math"

// harmless says what a canary may be: a rate of at most ratio times the baseline's plus margin.
type harmless struct{ ratio, margin float64 }

// of returns the greatest harmless rate at a baseline's rate.
func (h harmless) of(rate float64) float64 { return h.ratio*rate + h.margin }

// bet is one way to weigh a block of outcomes: it wins if the canary's rate is beyond harmless by about shift in log odds.
//
// With a, a₀ and thresholds q, m = ratio·q + margin it multiplies 1 + a(y - m) over the canary's outcomes y ∈ {0, 1} and
// 1 + a₀(y - q) over the baseline's, with a₀ = -ratio·(n₁/n₀)·a. By ln(1+x) ≤ x the expectation is at most
// exp(n₁a[(θ₁ - m) - ratio(θ₀ - q)]) = exp(n₁a[θ₁ - ratio·θ₀ - margin]), so at most 1 if the average rates θ₁, θ₀ in the
// block are harmless, whatever they are and however they vary within it: what hits both arms alike cancels. q is chosen
// for power alone: it is where the harmless pair of rates lies that is nearest to the alternative in relative entropy
// (a safe test of two proportions with a convex null; Turner, Ly, Grünwald, arXiv 2106.02693).
type bet struct {
	harmless
	q, m float64
	p    float64 // the canary's rate that it bets on
}

// maxRate keeps rates away from one, where log odds end.
const maxRate = 0.97

// newBet places a bet against a baseline whose past rate was past, for blocks of about n0 and n1 requests.
func newBet(h harmless, past, shift, n0, n1 float64) bet {
	past = min(max(past, 1e-9), (maxRate-h.margin)/h.ratio)
	b := bet{harmless: h, p: expit(logit(h.of(past)) + shift)}
	low, high := past, (b.p-h.margin)/h.ratio
	for range 24 {
		q := (low + high) / 2
		m := h.of(q)
		if n0*(past-q)/(q*(1-q))+h.ratio*n1*(b.p-m)/(m*(1-m)) > 0 {
			low = q
		} else {
			high = q
		}
	}
	b.q = (low + high) / 2
	b.m = h.of(b.q)
	return b
}

// log returns the logarithm of the block's factor: n0 outcomes of the baseline, k0 of them bad, and n1 and k1 of the
// canary. It is zero if an arm has none.
func (b bet) log(n0, k0, n1, k1 float64) float64 {
	if n0 <= 0 || n1 <= 0 {
		return 0
	}
	a := (b.p - b.m) / (b.m * (1 - b.m))
	a = min(a, 0.95*n0/(b.ratio*n1*(1-b.q))) // no outcome of the baseline may lose all
	a0 := -b.ratio * (n1 / n0) * a
	return k1*math.Log1p(a*(1-b.m)) + (n1-k1)*math.Log1p(-a*b.m) + k0*math.Log1p(a0*(1-b.q)) + (n0-k0)*math.Log1p(-a0*b.q)
}

// limitBet is a bet on the canary alone: that its rate is beyond limit by about shift in log odds. The expectation of its
// factor is at most 1 while the rate keeps the limit.
type limitBet struct{ hit, miss float64 } // logarithms of what an outcome multiplies by

func newLimitBet(limit, shift float64) limitBet {
	limit = min(max(limit, 1e-9), 1-1e-9)
	p := expit(logit(limit) + shift)
	return limitBet{math.Log(p / limit), math.Log((1 - p) / (1 - limit))}
}

// log returns the logarithm of the factor of n outcomes of which k are bad.
func (b limitBet) log(n, k float64) float64 { return k*b.hit + (n-k)*b.miss }

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

func expit(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
