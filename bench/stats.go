package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// median returns the middle of the values, which must not be empty; the mean of the two in the middle if they are even.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile returns a quantile of the values, which must not be empty, by the nearest rank: the least of them that at
// least the share q does not exceed.
func quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// resamples is how many bootstrap samples are drawn: enough that the bound's own error is small beside its third digit.
const resamples = 10_000

// upperBound returns the one-sided 95 % upper confidence bound of the values' median, by the percentile bootstrap
// (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13). The same values give the same bound.
func upperBound(values []float64) float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	medians := make([]float64, resamples)
	sample := make([]float64, len(values))
	for i := range medians {
		for j := range sample {
			sample[j] = values[rng.IntN(len(values))]
		}
		medians[i] = median(sample)
	}
	return quantile(medians, 0.95)
}
