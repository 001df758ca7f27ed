package demo

import "math"

// chance is how often the number of users on a variant may be below the bounds that plausible returns although the
// split is right, and how often above: once in 20 000 each.
const chance = 5e-5

// plausible returns the least and the greatest number of n users that a split which gives each of them to a variant
// with probability p puts there, but for chance (exact binomial tails).
func plausible(n int, p float64) (least, most int) {
	return lowerBound(n, p), n - lowerBound(n, 1-p)
}

// lowerBound returns the smallest k with P(X ≤ k) > chance.
func lowerBound(n int, p float64) int {
	sum := 0.0
	for k := range n {
		if sum += probability(n, k, p); sum > chance {
			return k
		}
	}
	return n
}

// probability is P(X = k) of a binomial distribution.
func probability(n, k int, p float64) float64 {
	switch p {
	case 0:
		return float64(b2i(k == 0))
	case 1:
		return float64(b2i(k == n))
	}
	logChoose := lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1)
	return math.Exp(logChoose + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

func lgamma(n int) float64 {
	value, _ := math.Lgamma(float64(n))
	return value
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
