package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		in   []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	}
	for _, tt := range tests {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	tests := []struct {
		in   []int
		q    float64
		want int
	}{
		{[]int{7}, 0.99, 7},
		{hundred, 0, 1},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
		{[]int{3, 1, 2}, 0.5, 2},
	}
	for _, tt := range tests {
		if got := quantile(tt.in, tt.q); got != tt.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.in, tt.q, got, tt.want)
		}
	}
}

// TestUpperBound draws samples of which the true median is known: a 95 % bound is below it in about 5 % of them.
func TestUpperBound(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const draws = 200
	below := 0
	for range draws {
		sample := make([]float64, 31)
		for i := range sample {
			sample[i] = math.Exp(rng.NormFloat64()) // the median is 1, the mean is not
		}
		if upperBound(sample) < 1 {
			below++
		}
	}
	if below == 0 || below > draws/8 {
		t.Errorf("the bound is below the true median in %d of %d samples, want about %d", below, draws, draws/20)
	}
}
