package health

import "math"

// chance is what an alarm may be owed to chance: a limit is broken only if a variant that just keeps it would look as
// bad as this or worse with at most this probability, at one look. It is small because each second is a look.
const chance = 1e-4

// standardErrors is the same for the mean, which has no exact bound.
const standardErrors = 3

// upperTail returns P(X ≥ k) for X binomial with n trials of probability p: the exact sum of its terms, not an
// approximation. The first term comes from log-gamma, each next one from the ratio of neighbours,
//
//	P(X=i+1)/P(X=i) = (n-i)/(i+1) · p/(1-p)
//
// and the sum runs away from the mean, where all terms are positive and fall, until a term no longer changes it. What
// log-gamma loses grows with n: the relative error is about 1e-13 at a hundred trials and 1e-8 at ten million.
func upperTail(k, n uint64, p float64) float64 {
	switch {
	case k == 0:
		return 1
	case k > n || p <= 0:
		return 0
	case p >= 1:
		return 1
	case float64(k) < float64(n)*p:
		return 1 - lowerTail(k-1, n, p)
	}
	odds := p / (1 - p)
	term := mass(k, n, p)
	sum := term
	for i := k; i < n; i++ {
		term *= float64(n-i) / float64(i+1) * odds
		if sum+term == sum {
			break
		}
		sum += term
	}
	return min(sum, 1)
}

// lowerTail returns P(X ≤ k), summed like upperTail.
func lowerTail(k, n uint64, p float64) float64 {
	switch {
	case k >= n || p <= 0:
		return 1
	case p >= 1:
		return 0
	case float64(k) > float64(n)*p:
		return 1 - upperTail(k+1, n, p)
	}
	odds := (1 - p) / p
	term := mass(k, n, p)
	sum := term
	for i := k; i > 0; i-- {
		term *= float64(i) / float64(n-i+1) * odds
		if sum+term == sum {
			break
		}
		sum += term
	}
	return min(sum, 1)
}

// mass returns P(X = k) for 0 < p < 1.
func mass(k, n uint64, p float64) float64 {
	return math.Exp(logFactorial(n) - logFactorial(k) - logFactorial(n-k) +
		float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

func logFactorial(n uint64) float64 {
	v, _ := math.Lgamma(float64(n) + 1)
	return v
}
