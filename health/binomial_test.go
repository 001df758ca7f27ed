package health

import (
	"fmt"
	"math"
	"math/big"
	"testing"
)

// exactTail sums P(X ≥ k) (or P(X ≤ k)) with big rationals.
func exactTail(k, n uint64, p *big.Rat, upper bool) float64 {
	q := new(big.Rat).Sub(big.NewRat(1, 1), p)
	sum := new(big.Rat)
	from, to := k, n
	if !upper {
		from, to = 0, k
	}
	for i := from; i <= to && i <= n; i++ {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
		term.Mul(term, power(p, i)).Mul(term, power(q, n-i))
		sum.Add(sum, term)
	}
	f, _ := sum.Float64()
	return f
}

func power(x *big.Rat, e uint64) *big.Rat {
	exp := new(big.Int).SetUint64(e)
	return new(big.Rat).SetFrac(new(big.Int).Exp(x.Num(), exp, nil), new(big.Int).Exp(x.Denom(), exp, nil))
}

func TestTailsAgainstExactSums(t *testing.T) {
	for _, p := range []*big.Rat{big.NewRat(1, 1000), big.NewRat(1, 100), big.NewRat(1, 20), big.NewRat(1, 2), big.NewRat(19, 20)} {
		for _, n := range []uint64{1, 2, 20, 97} {
			for k := range n + 1 {
				approx, _ := p.Float64()
				if got, want := upperTail(k, n, approx), exactTail(k, n, p, true); !near(got, want) {
					t.Errorf("P(X >= %d | n=%d, p=%s) = %g, want %g", k, n, p, got, want)
				}
				if got, want := lowerTail(k, n, approx), exactTail(k, n, p, false); !near(got, want) {
					t.Errorf("P(X <= %d | n=%d, p=%s) = %g, want %g", k, n, p, got, want)
				}
			}
		}
	}
}

// near allows a relative error of 1e-9, and the rounding of 1-x where the tail is nearly everything.
func near(got, want float64) bool { return math.Abs(got-want) <= 1e-9*want+1e-15 }

func TestTailsAtTheEdges(t *testing.T) {
	tests := []struct {
		k, n         uint64
		p            float64
		upper, lower float64
	}{
		{0, 0, 0.05, 1, 1},
		{1, 0, 0.05, 0, 1},
		{0, 10, 0, 1, 1},
		{1, 10, 0, 0, 1},
		{10, 10, 1, 1, 1},
		{3, 10, 1, 1, 0},
		{11, 10, 0.5, 0, 1},
	}
	for _, tt := range tests {
		if got := upperTail(tt.k, tt.n, tt.p); got != tt.upper {
			t.Errorf("upperTail(%d, %d, %g) = %g, want %g", tt.k, tt.n, tt.p, got, tt.upper)
		}
		if got := lowerTail(tt.k, tt.n, tt.p); got != tt.lower {
			t.Errorf("lowerTail(%d, %d, %g) = %g, want %g", tt.k, tt.n, tt.p, got, tt.lower)
		}
	}
}

// At great n, the tails of neighbouring k add up to one, and no step is lost to underflow.
func TestTailsAreStableForManyTrials(t *testing.T) {
	for _, n := range []uint64{10_000, 1_000_000, 10_000_000} {
		mean := uint64(float64(n) * 0.05)
		for _, k := range []uint64{mean - mean/100, mean, mean + mean/100} {
			if got := upperTail(k, n, 0.05) + lowerTail(k-1, n, 0.05); math.Abs(got-1) > 1e-7 {
				t.Errorf("n=%d, k=%d: the tails add up to %.12f, want 1", n, k, got)
			}
		}
		if got := upperTail(n, n, 0.05); got != 0 {
			t.Errorf("P(X >= n | n=%d) = %g, want 0 by underflow", n, got)
		}
	}
}

// With 20 requests at 5 %, 6 failures could be chance and 7 could not: the numbers that docs may quote.
func TestWhereALimitBreaks(t *testing.T) {
	for _, tt := range []struct {
		n    uint64
		want uint64
	}{{20, 7}, {60, 12}, {100, 16}, {1200, 91}} {
		k := uint64(0)
		for upperTail(k, tt.n, 0.05) > chance {
			k++
		}
		if k != tt.want {
			t.Errorf("of %d requests at 5 %%, %s, want %d", tt.n, fmt.Sprintf("%d failures break the limit", k), tt.want)
		}
	}
}
