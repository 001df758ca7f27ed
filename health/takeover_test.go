package health

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// course is what happens to a split in a second, beside its traffic.
type course struct {
	begin, rest *Trial
	shift       bool
	raised      bool
}

// fates draws what happens to a split over as many seconds: trials that begin and end, raises, and other changes of
// weights.
func fates(r *rand.Rand, seconds int) []course {
	list := make([]course, seconds)
	epoch := uint64(0)
	for i := range list {
		switch n := r.IntN(400); {
		case n == 0 || i == seconds/6:
			epoch++
			t := trial(epoch)
			t.Raises = r.IntN(4)
			if r.IntN(3) == 0 {
				limits := everyLimit()
				t.Limits = &limits
			}
			list[i] = course{begin: &t, shift: true}
		case n == 1 && r.IntN(2) == 0:
			t := trial(0)
			list[i].rest = &t
		case n < 6:
			list[i] = course{shift: true, raised: r.IntN(2) == 0}
		}
	}
	return list
}

// everyLimit sets every kind of limit.
func everyLimit() Limits {
	l := DefaultLimits()
	l.MaxMeanLatency = Duration(5 * time.Second)
	l.MaxLatency = &QuantileLimit{Quantile: 0.95, Max: Duration(8 * time.Second)}
	l.MaxTTFT = &QuantileLimit{Quantile: 0.95, Max: Duration(3 * time.Second)}
	l.MaxLeft = 0.05
	return l
}

// apply tells a judge what happens before a second is folded.
func (f course) apply(j *Judge, second int64) {
	if f.rest != nil {
		j.Rest(*f.rest)
	}
	if f.begin != nil {
		j.Begin(*f.begin)
	}
	if f.shift {
		j.Shift(second, f.raised)
	}
}

// weather draws how both arms do for a while.
func weather(r *rand.Rand) (baseline, canary doing) {
	baseline, canary = healthy([]float64{0.1, 2, 12}[r.IntN(3)]), healthy([]float64{0, 0.2, 2}[r.IntN(3)])
	baseline.leaves, canary.leaves = 0.02, 0.02
	switch r.IntN(6) {
	case 0:
		baseline.rps = 0
	case 1:
		canary.fails, canary.breaks = 0.2, 0.1
	case 2:
		baseline.fails, canary.fails = 0.7, 0.8
	case 3:
		baseline.ttfb, baseline.took = 4*time.Second, 40*time.Second
		canary.ttfb, canary.took = 9*time.Second, 100*time.Second
	case 4:
		canary.oneRPS, canary.oneBad = 2, 1
	}
	return baseline, canary
}

// Whoever takes over a stored state, at any second, goes on as if nothing had happened: the same verdicts, and the same
// state, to the last bit.
func TestTakeoverIsSeamless(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 9))
			const seconds = 2100 // longer than between two looks at a quantile
			happens := fates(r, seconds)
			p := newPlay(seed, trial(0))
			p.kept, p.long = map[int64]*Second{}, seed == 0
			first := p.at + 1
			terms := func(j *Judge, now Trial, onTrial bool) {
				if onTrial {
					j.Begin(now)
				} else {
					j.Rest(now)
				}
			}
			other := NewJudge()
			other.Rest(trial(0))
			now, onTrial := trial(0), false
			takeovers, failing := 0, 0
			var baseline, canary doing
			for i := range seconds {
				if i%150 == 0 {
					baseline, canary = weather(r)
				}
				f := happens[i]
				switch {
				case f.begin != nil:
					now, onTrial = *f.begin, true
				case f.rest != nil:
					now, onTrial = *f.rest, false
				}
				f.apply(p.judge, p.at+1)
				f.apply(other, p.at+1)
				p.second(baseline, canary)
				other.Fold(p.at, time.Second, p.kept[p.at])
				tookOver := r.IntN(40) == 0
				if tookOver {
					takeovers++
					doc := stored(t, other)
					other = NewJudge()
					if err := other.UnmarshalBinary(doc); err != nil {
						t.Fatal(err)
					}
					terms(other, now, onTrial)
					for s := max(other.Resume(), first); s <= p.at; s++ {
						if past := happens[s-first]; past.shift {
							other.Shift(s, past.raised)
						}
						other.Fold(s, time.Second, p.kept[s])
					}
				}
				delete(p.kept, p.at-700)
				if !tookOver && i%5 > 0 {
					continue
				}
				compareJudges(t, fmt.Sprintf("second %d, after %d takeovers", i, takeovers), other, p.judge)
				if p.judge.Verdict().Result == Fail {
					failing++
				}
			}
			if takeovers < 10 {
				t.Errorf("%d takeovers, want at least 10", takeovers)
			}
			t.Logf("%d takeovers, %d seconds of a failing verdict", takeovers, failing)
		})
	}
}

// compareJudges demands the same verdict and the same state of two judges.
func compareJudges(t *testing.T, when string, got, want *Judge) {
	t.Helper()
	if diff := cmp.Diff(want.Verdict(), got.Verdict()); diff != "" {
		t.Fatalf("%s: the verdict (-want +got)\n%s", when, diff)
	}
	if !bytes.Equal(stored(t, got), stored(t, want)) {
		t.Fatalf("%s: the states differ: %s", when, differing(&got.st, &want.st))
	}
}

// The blocks of an age go on without a stream that changed to it while they were open, also when they are folded again.
func TestTakeoverWhenAStreamChangesItsAge(t *testing.T) {
	p := warmed(2, trial(1), 10*time.Minute, healthy(2))
	p.judge.Begin(trial(1))
	p.kept = map[int64]*Second{}
	slower := healthy(2)
	slower.took = 30 * time.Second
	before, changed := p.judge.st.Quantile, int64(0)
	for range 7200 {
		if p.second(slower, slower); p.judge.st.Quantile != before && changed == 0 {
			if p.judge.st.Quantile[0].Age != AgeSlow {
				changed = p.at
			}
			before = p.judge.st.Quantile
		}
		delete(p.kept, p.at-100)
		if changed == 0 {
			continue
		}
		other := NewJudge()
		if err := other.UnmarshalBinary(p.state(t)); err != nil {
			t.Fatal(err)
		}
		other.Begin(trial(1))
		for s := other.Resume(); s <= p.at; s++ {
			other.Fold(s, time.Second, p.kept[s])
		}
		for a := range Age(NumAges) {
			if want := p.judge.open[a]; want.opened && (other.open[a] != want || !slices.Equal(other.lists[a], p.judge.lists[a])) {
				t.Fatalf("%d s after the change the open block of age %s counts streams %v, want %v",
					p.at-changed, a.Span(), other.lists[a], p.judge.lists[a])
			}
		}
		if p.at == changed+30 {
			return
		}
	}
	t.Fatal("p75 of the latency is still looked at by 10 s, want by 120 s")
}

// differing names the parts of two states that are not the same.
func differing(a, b *standing) (list string) {
	for name, same := range map[string]bool{
		"known": a.Known == b.Known, "folded": a.Folded == b.Folded, "quiet": a.Quiet == b.Quiet, "began": a.BeganAt == b.BeganAt,
		"canary": a.CanaryAt == b.CanaryAt, "started": a.Started == b.Started, "raises": a.Raises == b.Raises,
		"evidence": a.Evidence == b.Evidence, "streams": a.Streams == b.Streams, "groups": a.Groups == b.Groups,
		"asking": a.Asking == b.Asking, "times": a.Times == b.Times, "quantile": a.Quantile == b.Quantile, "shifts": a.Shifts == b.Shifts,
	} {
		if !same {
			list += name + " "
		}
	}
	return list
}

// A second that many proxies saw is the sum of what they saw, whoever saw which request and in whatever order they are
// added.
func TestWhoSawARequestDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	p := warmed(11, trial(1), 200*time.Second, healthy(10))
	p.judge.Begin(trial(1))
	other := NewJudge()
	if err := other.UnmarshalBinary(p.state(t)); err != nil {
		t.Fatal(err)
	}
	other.Begin(trial(1))
	p.judge = NewJudge() // so that both have no open block
	if err := p.judge.UnmarshalBinary(stored(t, other)); err != nil {
		t.Fatal(err)
	}
	p.judge.Begin(trial(1))
	p.kept = map[int64]*Second{}
	for i := range 200 {
		baseline, canary := healthy(20), healthy(5)
		canary.fails, canary.took = 0.05, 5*time.Second
		p.second(baseline, canary)
		parts := split(r, p.kept[p.at], 1+r.IntN(5))
		r.Shuffle(len(parts), func(i, k int) { parts[i], parts[k] = parts[k], parts[i] })
		sum := new(Second)
		for _, part := range parts {
			addPart(sum, part)
		}
		other.Fold(p.at, time.Second, sum)
		compareJudges(t, fmt.Sprintf("second %d", i), other, p.judge)
	}
}

// split deals a second's requests to as many proxies.
func split(r *rand.Rand, whole *Second, proxies int) []*Second {
	parts := make([]*Second, proxies)
	for i := range parts {
		parts[i] = new(Second)
	}
	deal := func(n uint32, to func(part *Second) *uint32) {
		for range n {
			*to(parts[r.IntN(proxies)])++
		}
	}
	for arm := range whole.Arms {
		for a := range whole.Arms[arm] {
			for g := range whole.Arms[arm][a] {
				c := &whole.Arms[arm][a][g]
				at := func(part *Second) *Cell { return &part.Arms[arm][a][g] }
				deal(c.N, func(part *Second) *uint32 { return &at(part).N })
				deal(c.Failed, func(part *Second) *uint32 { return &at(part).Failed })
				deal(c.Left, func(part *Second) *uint32 { return &at(part).Left })
				deal(c.Alive, func(part *Second) *uint32 { return &at(part).Alive })
				deal(c.Broken, func(part *Second) *uint32 { return &at(part).Broken })
				for _, b := range c.Latency {
					for range b.N {
						part := at(parts[r.IntN(proxies)])
						part.Latency = withBin(part.Latency, Bin{b.Bucket, 1})
					}
				}
				for _, b := range c.TTFB {
					for range b.N {
						part := at(parts[r.IntN(proxies)])
						part.TTFB = withBin(part.TTFB, Bin{b.Bucket, 1})
					}
				}
			}
		}
	}
	return parts
}

// addPart adds a part to a second, its bins in the order of coming.
func addPart(sum, part *Second) {
	for arm := range part.Arms {
		for a := range part.Arms[arm] {
			for g := range part.Arms[arm][a] {
				to, c := &sum.Arms[arm][a][g], &part.Arms[arm][a][g]
				to.N, to.Failed, to.Left = to.N+c.N, to.Failed+c.Failed, to.Left+c.Left
				to.Alive, to.Broken = to.Alive+c.Alive, to.Broken+c.Broken
				to.Latency, to.TTFB = append(to.Latency, c.Latency...), append(to.TTFB, c.TTFB...)
			}
		}
	}
}
