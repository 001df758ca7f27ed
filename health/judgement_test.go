package health

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A quantile is the first bucket from which on no more than the tail is; every bucket is tried.
func TestQuantileFrom(t *testing.T) {
	naive := func(times *[Buckets]float32, tail float64) (int, bool) {
		var all float64
		for _, n := range times {
			all += float64(n)
		}
		for from := 0; from < Buckets-1; from++ {
			var above float64
			for _, n := range times[from:] {
				above += float64(n)
			}
			if above <= tail*all {
				return from, all >= 2*known
			}
		}
		return Buckets, false
	}
	rapid.Check(t, func(t *rapid.T) {
		var times [Buckets]float32
		for range rapid.IntRange(0, 300).Draw(t, "times") {
			times[min(rapid.IntRange(0, Buckets+5).Draw(t, "bucket"), Buckets-1)]++
		}
		for _, tail := range []float64{0.25, 0.05} {
			from, ok := quantileFrom(&times, tail)
			want, wantOK := naive(&times, tail)
			if ok != wantOK || ok && from != want {
				t.Fatalf("tail %g of %v: from bucket %d, %t; want %d, %t", tail, times, from, ok, want, wantOK)
			}
		}
	})
}

// An agent that answers within a millisecond has a quantile too, which not every request is beyond.
func TestQuantileOfTheFastest(t *testing.T) {
	var times [Buckets]float32
	times[0] = 1000
	if from, ok := quantileFrom(&times, 0.05); from != 1 || !ok {
		t.Errorf("from bucket %d, %t; want 1", from, ok)
	}
}

// A few milliseconds more are no regression, however many times as long they are; a canary that is slow besides still fails.
func TestMillisecondsAreNotSlow(t *testing.T) {
	fast := healthy(20)
	fast.ttfb, fast.took = time.Millisecond, 2*time.Millisecond
	threefold, slow := fast, fast
	threefold.ttfb, threefold.took = 3*fast.ttfb, 3*fast.took-2*time.Millisecond
	slow.ttfb, slow.took = 20*fast.ttfb, 20*fast.took
	p := warmed(1, trial(1), 10*time.Minute, fast)
	p.judge.Begin(trial(1))
	fails := func(v Verdict) bool { return v.Result == Fail }
	if after, ok := p.until(10*time.Minute, fast, threefold, fails); ok {
		t.Errorf("failed after %s: %s", after, p.judge.Verdict().Reason)
	}
	if _, ok := p.until(5*time.Minute, fast, slow, fails); !ok {
		t.Errorf("20 times as long does not fail: %s", p.judge.Verdict().Reason)
	}
}

// Requests that are not weighed yet are nothing to pass on.
func TestNoPassOnWhatIsNotWeighed(t *testing.T) {
	for seed := range uint64(20) {
		p := warmed(seed, trial(1), 10*time.Minute, healthy(2))
		p.judge.Begin(trial(1))
		broken := healthy(30)
		broken.fails = 1
		if after, ok := p.until(30*time.Second, healthy(2), broken, func(v Verdict) bool { return v.Result == Pass }); ok {
			t.Errorf("seed %d: a canary all of whose requests fail passes after %s: %s", seed, after, p.judge.Verdict().Reason)
		}
	}
}

func TestLuckIsWhatGroupsVaryBeyondChance(t *testing.T) {
	naive := func(g *groupRates, n0, n1 float64) float64 {
		var ns, ks []float64
		var n, k float64
		for i := range g.N {
			if g.N[i] > 0.5 {
				ns, ks = append(ns, float64(g.N[i])), append(ks, float64(g.K[i]))
				n, k = n+float64(g.N[i]), k+float64(g.K[i])
			}
		}
		if len(ns) < 2 || k == 0 || k == n {
			return 0
		}
		part := func(i int) float64 { return math.Pow(ks[i]-ns[i]*k/n, 2) / ns[i] }
		odd := 0
		for i := range ns {
			if part(i) > part(odd) {
				odd = i
			}
		}
		n, k = n-ns[odd], k-ks[odd]
		ns, ks = slices.Delete(ns, odd, odd+1), slices.Delete(ks, odd, odd+1)
		m, p := float64(len(ns)), k/n
		if m < 2 || k == 0 || k == n {
			return 0
		}
		var chi, variance float64
		for i := range ns {
			chi += math.Pow(ks[i]-ns[i]*p, 2) / (ns[i] * p * (1 - p))
			variance += p * (1 - p) / ns[i]
		}
		excess := chi/(m-1) - 1 - 3*math.Sqrt(2/(m-1))
		return math.Sqrt(max(excess, 0) * variance / m * n0 / (m * n1))
	}
	positive := 0
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var g groupRates
		spread := r.Float64()
		for i := range r.IntN(userGroups + 1) {
			n := r.IntN(40)
			g.N[i], g.K[i] = float32(n), float32(math.Round(float64(n)*spread*r.Float64()))
		}
		n0, n1 := 1+r.Float64()*1000, 1+r.Float64()*100
		got, want := g.luck(n0, n1), naive(&g, n0, n1)
		if math.Abs(got-want) > 1e-9*(1+want) {
			t.Fatalf("luck %g, want %g", got, want)
		}
		if got > 0 {
			positive++
		}
	})
	if positive == 0 {
		t.Error("no groups varied beyond chance: nothing was tried")
	}
}

// What clusters is not taken for so many independent failures: users who each fail always or never.
func TestSpreadIsWhatFailuresCluster(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	naive := func(blocks [][userGroups]counts) float64 {
		var scatter, expected float64
		for _, block := range blocks {
			var n, k float64
			for _, c := range block {
				n, k = n+float64(c.n), k+float64(c.k)
			}
			p := k / n
			for _, c := range block {
				ng := float64(c.n)
				scatter += math.Pow(float64(c.k)-ng*p, 2)
				expected += ng * p * (1 - p) * (n - ng) / (n - 1)
			}
		}
		return (scatter + 30) / (expected + 30)
	}
	for _, tt := range []struct {
		name   string
		alike  bool // all of a group's requests fail or none
		lo, hi float64
	}{{"independent", false, 1, 1}, {"clustered", true, 3, 7}} {
		t.Run(tt.name, func(t *testing.T) {
			var m memory
			var blocks [][userGroups]counts
			for range 200 {
				var cells [userGroups]counts
				var n, k float64
				for g := range cells {
					bad := r.IntN(5) == 0
					for range 6 {
						if !tt.alike {
							bad = r.IntN(5) == 0
						}
						cells[g].n++
						if bad {
							cells[g].k++
						}
					}
					n, k = n+float64(cells[g].n), k+float64(cells[g].k)
				}
				m.noteScatter(&cells, n, k)
				blocks = append(blocks, cells)
			}
			got := m.spread()
			if got < tt.lo || got > tt.hi {
				t.Errorf("spread %g, want %g to %g", got, tt.lo, tt.hi)
			}
			if want := naive(blocks); want > 1.3 && math.Abs(got-want) > 1e-9*want {
				t.Errorf("spread %g, want %g", got, want)
			}
		})
	}
}

func TestHalfLives(t *testing.T) {
	if got := halved(time.Hour, time.Hour); got != 0.5 {
		t.Errorf("after one half-life %g is left, want 0.5", got)
	}
	r := rate{8, 4}
	for range 3 {
		r.decay(halved(20*time.Minute, time.Hour))
	}
	if math.Abs(r.N-4) > 1e-9 || math.Abs(r.K-2) > 1e-9 {
		t.Errorf("three times twenty minutes leave %v of {8 4}, want {4 2}", r)
	}
}

// Quantiles are looked at anew though the blocks of other ages close in the midst of their own.
func TestQuantilesFollowTheBaseline(t *testing.T) {
	p := warmed(1, trial(1), 10*time.Minute, healthy(20))
	before := p.judge.st.Quantile
	for i, q := range before {
		if !q.Known {
			t.Fatalf("quantile %d is not known after ten minutes", i)
		}
	}
	p.judge.Begin(trial(1))
	slower := healthy(20)
	slower.ttfb, slower.took = 2*slower.ttfb, 2*slower.took
	p.run(2*time.Hour, slower, slower)
	for i, q := range p.judge.st.Quantile {
		if q.From < before[i].From+2 {
			t.Errorf("quantile %d began with bucket %d and is at %d two hours after all took twice as long, want at least two more",
				i, before[i].From, q.From)
		}
	}
}
