package health

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// casesPerCheck times the 100 checks that rapid makes is how many random cases a property is tried on.
const casesPerCheck = 1000

// eachCase tries a property on many random cases.
func eachCase(t *testing.T, try func(t *rapid.T, r *rand.Rand)) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range casesPerCheck {
			try(t, r)
		}
	})
}

// ratesUpTo draws n probabilities whose mean is at most most, and often exactly that.
func ratesUpTo(r *rand.Rand, n int, most float64) []float64 {
	rates := make([]float64, n)
	power := []float64{0.1, 1, 4, 12}[r.IntN(4)]
	for i := range rates {
		rates[i] = math.Pow(r.Float64(), power)
		if r.IntN(6) == 0 {
			rates[i] = float64(r.IntN(2))
		}
	}
	if mean := meanOf(rates); mean > most || mean > 0 && r.IntN(2) == 0 {
		for i := range rates {
			rates[i] = min(rates[i]*most/mean, 1)
		}
	}
	return rates
}

func meanOf(xs []float64) (mean float64) {
	for _, x := range xs {
		mean += x / float64(len(xs))
	}
	return mean
}

// numbersOfBad returns the distribution of how many outcomes are bad, each with its own probability.
func numbersOfBad(rates []float64) []float64 {
	p := make([]float64, 1, len(rates)+1)
	p[0] = 1
	for _, rate := range rates {
		p = append(p, 0)
		for k := len(p) - 1; k >= 0; k-- {
			p[k] *= 1 - rate
			if k > 0 {
				p[k] += p[k-1] * rate
			}
		}
	}
	return p
}

func TestNumbersOfBad(t *testing.T) {
	got := numbersOfBad([]float64{0.5, 0.5, 1})
	for k, want := range []float64{0, 0.25, 0.5, 0.25} {
		if math.Abs(got[k]-want) > 1e-15 {
			t.Errorf("P(%d bad) = %g, want %g", k, got[k], want)
		}
	}
}

func drawHarmless(r *rand.Rand) harmless {
	h := harmless{ratio: 1 + 9*math.Pow(r.Float64(), 3), margin: 0.5 * math.Pow(r.Float64(), 4)}
	if r.IntN(4) == 0 {
		h = harmless{1, 0}
	}
	return h
}

// Whatever is bet, and whatever the baseline does, nothing is won on average from a canary that is harmless. This is what
// alpha rests on.
func TestBetIsFair(t *testing.T) {
	worst := 0.0
	eachCase(t, func(t *rapid.T, r *rand.Rand) {
		h := drawHarmless(r)
		n0, n1 := 1+r.IntN(9), 1+r.IntN(9)
		past, shift := math.Pow(r.Float64(), 3), 0.1+6*r.Float64()
		// Bets are placed for the numbers of the block, and asked about those without a group.
		b := newBet(h, past, shift, float64(n0), float64(n1+r.IntN(5)))
		theta0 := ratesUpTo(r, n0, 1)
		theta1 := ratesUpTo(r, n1, min(h.of(meanOf(theta0)), 1))
		p0, p1 := numbersOfBad(theta0), numbersOfBad(theta1)
		var e float64
		for k0 := range p0 {
			for k1 := range p1 {
				e += p0[k0] * p1[k1] * math.Exp(b.log(float64(n0), float64(k0), float64(n1), float64(k1)))
			}
		}
		worst = max(worst, e)
		if !(e <= 1+1e-9) {
			t.Fatalf("%+v with past %g and shift %g: the expectation is %.12f for rates %v of the baseline and %v of the canary, want at most 1",
				h, past, shift, e, theta0, theta1)
		}
	})
	if worst < 0.99 {
		t.Errorf("the greatest expectation was %g: no case was near the edge of harmless, so nothing was tried", worst)
	}
}

func TestLimitBetIsFair(t *testing.T) {
	worst := 0.0
	eachCase(t, func(t *rapid.T, r *rand.Rand) {
		limit := r.Float64()
		b := newLimitBet(limit, 0.1+6*r.Float64())
		rates := ratesUpTo(r, 1+r.IntN(12), limit)
		var e float64
		for k, p := range numbersOfBad(rates) {
			e += p * math.Exp(b.log(float64(len(rates)), float64(k)))
		}
		worst = max(worst, e)
		if !(e <= 1+1e-9) {
			t.Fatalf("limit %g: the expectation is %.12f for rates %v, want at most 1", limit, e, rates)
		}
	})
	if worst < 0.99 {
		t.Errorf("the greatest expectation was %g: no case was near the limit, so nothing was tried", worst)
	}
}

// A limit that no rate can break wins nothing, however bad the canary is.
func TestLimitBeyondAllRates(t *testing.T) {
	for _, limit := range []float64{1, 1.3} {
		if got := newLimitBet(limit, 3).log(1000, 1000); got > 1e-5 {
			t.Errorf("limit %g: 1000 bad ones of 1000 win %g nats, want nothing", limit, got)
		}
	}
}

func TestMeanBetIsFair(t *testing.T) {
	worst := 0.0
	eachCase(t, func(t *rapid.T, r *rand.Rand) {
		most := time.Duration(math.Exp(math.Log(1e6) + r.Float64()*math.Log(6e6))) // 1 ms to 100 min
		test := meanTest(most)
		var weights [Buckets]float64
		var all, mean float64
		for range 1 + r.IntN(6) {
			b, w := r.IntN(Buckets), r.Float64()
			weights[b] += w
			all += w
		}
		for b := range weights {
			weights[b] /= all
			mean += weights[b] * BucketStart(b).Seconds()
		}
		if keep := most.Seconds() / mean; keep < 1 { // the rest takes no time
			for b := range weights {
				weights[b] *= keep
			}
			weights[0] += 1 - keep
		}
		var e float64
		for b, w := range weights {
			e += w * math.Exp(float64(test.pays[b])/meanUnit)
		}
		worst = max(worst, e)
		if !(e <= 1+1e-9) {
			t.Fatalf("greatest mean %s: the expectation is %.12f for %v, want at most 1", most, e, weights)
		}
	})
	if worst < 0.99 {
		t.Errorf("the greatest expectation was %g: no case was near the limit, so nothing was tried", worst)
	}
}

// relativeEntropy of two coins.
func relativeEntropy(p, q float64) float64 {
	return p*math.Log(p/q) + (1-p)*math.Log((1-p)/(1-q))
}

// A bet's q is the point of the harmless pairs of rates that is nearest to what is bet on.
func TestBetIsPlacedAtTheNearestHarmlessPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := harmless{rapid.Float64Range(1, 10).Draw(t, "ratio"), rapid.Float64Range(0, 0.5).Draw(t, "margin")}
		n0, n1 := rapid.Float64Range(1, 1e5).Draw(t, "n0"), rapid.Float64Range(1, 1e5).Draw(t, "n1")
		past := rapid.Float64Range(1e-4, 0.99).Draw(t, "past")
		b := newBet(h, past, rapid.Float64Range(0.1, 6).Draw(t, "shift"), n0, n1)
		past = min(past, (maxRate-h.margin)/h.ratio)
		distance := func(q float64) float64 { return n1*relativeEntropy(b.p, h.of(q)) + n0*relativeEntropy(past, q) }
		low, high := past, (b.p-h.margin)/h.ratio
		best := math.Inf(1)
		const steps = 2000
		for i := 1; i < steps; i++ {
			best = min(best, distance(low+(high-low)*float64(i)/steps))
		}
		if got := distance(b.q); !(got <= best*(1+1e-6)+1e-9) {
			t.Fatalf("distance %g at q = %g, a grid finds %g", got, b.q, best)
		}
		if math.Abs(b.m-h.of(b.q)) > 1e-15 {
			t.Fatalf("m = %g, want %g", b.m, h.of(b.q))
		}
	})
}

// The closed form is the product over all outcomes, one by one.
func TestBetIsAProductOverOutcomes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := harmless{rapid.Float64Range(1, 10).Draw(t, "ratio"), rapid.Float64Range(0, 0.5).Draw(t, "margin")}
		n0, n1 := rapid.IntRange(1, 60).Draw(t, "n0"), rapid.IntRange(1, 60).Draw(t, "n1")
		k0, k1 := rapid.IntRange(0, n0).Draw(t, "k0"), rapid.IntRange(0, n1).Draw(t, "k1")
		b := newBet(h, rapid.Float64Range(0, 1).Draw(t, "past"), rapid.Float64Range(0.1, 6).Draw(t, "shift"), float64(n0), float64(n1))
		a := min((b.p-b.m)/(b.m*(1-b.m)), 0.95*float64(n0)/(h.ratio*float64(n1)*(1-b.q)))
		product := 1.0
		for i := range n1 {
			product *= 1 + a*(bit(i < k1)-b.m)
		}
		for i := range n0 {
			product *= 1 - h.ratio*float64(n1)/float64(n0)*a*(bit(i < k0)-b.q)
		}
		if got := b.log(float64(n0), float64(k0), float64(n1), float64(k1)); math.Abs(got-math.Log(product)) > 1e-6*(1+math.Abs(got)) {
			t.Fatalf("the logarithm is %g, of the product %g", got, math.Log(product))
		}
	})
}

func bit(bad bool) float64 {
	if bad {
		return 1
	}
	return 0
}

// Without one of the arms there is nothing to compare.
func TestBetWithoutAnArm(t *testing.T) {
	b := newBet(harmless{1.2, 0.002}, 0.01, 2, 10, 10)
	for _, n := range [][2]float64{{0, 10}, {10, 0}, {0, 0}} {
		if got := b.log(n[0], 0, n[1], n[1]); got != 0 {
			t.Errorf("%g of the baseline and %g of the canary: %g nats, want 0", n[0], n[1], got)
		}
	}
}
