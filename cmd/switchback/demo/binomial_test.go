package demo

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestPlausible(t *testing.T) {
	for _, tt := range []struct {
		n           int
		p           float64
		least, most int
	}{
		{0, 0.5, 0, 0},
		{1000, 0, 0, 0},
		{1000, 1, 1000, 1000},
		{1, 0.5, 0, 1},
		{1000, 0.01, 1, 24}, // nobody of 1000 at 1 % is no chance any more
		{500, 0.01, 0, 16},
		{1000, 0.1, 65, 139},
		{1000, 0.25, 198, 304},
	} {
		least, most := plausible(tt.n, tt.p)
		if least != tt.least || most != tt.most {
			t.Errorf("plausible(%d, %v) = %d, %d, want %d, %d", tt.n, tt.p, least, most, tt.least, tt.most)
		}
	}
}

// TestPlausibleIsTheTightestBound compares with sums of the distribution made by the recurrence between its terms.
func TestPlausibleIsTheTightestBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		p := rapid.Float64Range(0.05, 0.95).Draw(t, "p")
		least, most := plausible(n, p)
		below, above := 0.0, 0.0 // P(X < least), P(X > most)
		term := math.Pow(1-p, float64(n))
		at := map[int]float64{}
		for k := range n + 1 {
			at[k] = term
			if k < least {
				below += term
			}
			if k > most {
				above += term
			}
			term *= float64(n-k) / float64(k+1) * p / (1 - p)
		}
		const slack = 1e-9
		if below > chance+slack || above > chance+slack {
			t.Errorf("n %d, p %v: %g below %d and %g above %d, want at most %g", n, p, below, least, above, most, chance)
		}
		if below+at[least] < chance-slack || above+at[most] < chance-slack {
			t.Errorf("n %d, p %v: the bounds %d and %d could be tighter", n, p, least, most)
		}
	})
}
