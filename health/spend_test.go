package health

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// nothing is a second in which only the canary has requests: no block can win or lose, so that evidence is what was bet.
func nothing() *Second {
	s := new(Second)
	for a := range s.Arms[Canary] {
		s.Arms[Canary][a][3] = Cell{N: 1, Alive: 1}
	}
	return s
}

// spent returns the part of alpha that was bet by an age.
func (j *Judge) spent(a Age) float64 {
	var bet, weights float64
	for c := range components {
		if age, ok := components[c].stream.fixedAge(); ok && age == a && components[c].stream.compared() {
			bet += float64(j.st.Evidence[0][c])
			weights += components[c].weight
		}
	}
	return bet / weights
}

// fixedAges are those at which streams count that are not of times.
var fixedAges = []Age{AgeFast, AgeSlow, AgeLate, AgeMinute}

// A rollout as it was planned spends alpha once, no more and no less, at every age, whenever the raises come and however
// blocks close.
func TestAlphaIsSpentOnceInARollout(t *testing.T) {
	settings := DefaultSettings()
	settings.Duration = Duration(time.Hour)
	seconds := int64(time.Duration(settings.Duration) / time.Second)
	for raises := range 7 {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d raises, busy %t", raises, busy), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(raises), 5))
				at := map[int64]bool{} // more than planned
				for len(at) < raises+3 {
					at[1+r.Int64N(seconds/2)] = true
				}
				sum := new(Second)
				if busy {
					sum = nothing()
				}
				j := NewJudge()
				j.Begin(Trial{Epoch: 1, Settings: &settings, Raises: raises})
				for second := int64(1); second <= seconds; second++ {
					if at[second] {
						j.Shift(second, true)
						j.Shift(second, true) // said twice
					}
					j.Fold(second, time.Second, sum)
				}
				j.closeAll()
				for _, a := range fixedAges {
					if got := j.spent(a); math.Abs(got-1) > 1e-4 { // as evidence has 24 bits
						t.Errorf("age %s: %.6f of alpha is spent, want all of it once", a.Span(), got)
					}
				}
			})
		}
	}
}

// What is due is exact: the start's part and the raises' parts are all that is not spent over time.
func TestDueAddsUp(t *testing.T) {
	for raises := range 7 {
		j := NewJudge()
		settings := DefaultSettings()
		j.Begin(Trial{Epoch: 1, Settings: &settings, Raises: raises})
		var start float64
		for a := range Age(NumAges) {
			var sum float64
			for i := range raises + 2 {
				j.Shift(int64(10*i+1), true)
				sum += j.due(a, int64(10*i)) // before the cohorts that the raise brought
				sum += j.due(a, int64(10*i+1))
				sum += j.due(a, int64(10*i+2))
			}
			for s := range stream(numStreams) { // each has its part of the start once, whenever its first block comes
				if first := j.first(s) + j.first(s); s > 0 && a > 0 && first != 0 || s == 0 && a == 0 && first < startMass {
					t.Errorf("%d raises: stream %d has %g of the start", raises, s, first)
				} else if s == 0 {
					start = max(start, first)
				}
			}
			sum += start
			if math.Abs(sum-(startMass+raiseMass)) > 1e-12 {
				t.Errorf("%d raises, age %s: %.15f, want %g", raises, a.Span(), sum, startMass+raiseMass)
			}
			j.st.Shifts, j.st.Raises = [8]shift{}, 0
		}
	}
}

// The part of a raise is spent by the first block of the cohorts that it brought, which is later the older they are
// judged.
func TestARaiseIsSpentOnTheCohortsThatItBrings(t *testing.T) {
	settings := DefaultSettings()
	j := NewJudge()
	j.Begin(Trial{Epoch: 1, Settings: &settings, Raises: 1})
	const raise = 1000
	at := map[Age]int64{}
	last := map[Age]float64{}
	for second := int64(1); second < raise+300; second++ {
		if second == raise {
			j.Shift(raise, true)
		}
		j.Fold(second, time.Second, new(Second))
		for _, a := range fixedAges {
			now := j.spent(a)
			if now-last[a] > raiseMass/2 && second > 100 {
				at[a] = second
			}
			last[a] = now
		}
	}
	for _, a := range fixedAges {
		first := int64(raise) // whose cohort began with the raise
		if a != AgeMinute {
			first += int64(a.Span() / time.Second)
		}
		// A block of a minute without requests begins there, as the one before was closed.
		if want := first + int64(maxBlock/time.Second) - 1; at[a] != want {
			t.Errorf("age %s: spent in second %d, want %d", a.Span(), at[a], want)
		}
	}
}

// Raises of a trial that has ended are none of the next one.
func TestARaiseThatWasNotSpentEndsWithItsTrial(t *testing.T) {
	settings := DefaultSettings()
	j := NewJudge()
	j.Begin(Trial{Epoch: 1, Settings: &settings, Raises: 2})
	j.Fold(1, time.Second, new(Second))
	j.Shift(2, true)
	j.Fold(2, time.Second, new(Second))
	j.Begin(Trial{Epoch: 2, Settings: &settings, Raises: 2})
	for second := int64(3); second < 1000; second++ {
		j.Fold(second, time.Second, new(Second))
	}
	for _, a := range fixedAges {
		if got, want := j.spent(a), startMass+timeMass*1000/86400; got > want {
			t.Errorf("age %s: %.4f is spent, want at most %.4f", a.Span(), got, want)
		}
	}
}

// Terms may be taken anew with fewer raises than were begun.
func TestARaiseUnderTermsWithoutRaises(t *testing.T) {
	settings := DefaultSettings()
	j := NewJudge()
	j.Begin(Trial{Epoch: 1, Settings: &settings, Raises: 2})
	j.Fold(1, time.Second, new(Second))
	j.Shift(2, true)
	j.Begin(Trial{Epoch: 1, Settings: &settings})
	for second := int64(2); second < 400; second++ {
		j.Fold(second, time.Second, new(Second))
	}
	for _, a := range fixedAges {
		if got := j.spent(a); !(got <= 1) {
			t.Errorf("age %s: %g is spent, want at most 1", a.Span(), got)
		}
	}
}

// A change of weights is said again by whoever takes over. What is older than all that is remembered was spent long ago.
func TestShiftsThatWereSaidBefore(t *testing.T) {
	settings := DefaultSettings()
	j := NewJudge()
	j.Begin(Trial{Epoch: 1, Settings: &settings, Raises: 100})
	for second := int64(1); second <= 20; second++ {
		j.Shift(second, true)
	}
	before := j.st
	for second := int64(1); second <= 20; second++ {
		j.Shift(second, true)
	}
	if j.st != before {
		t.Errorf("shifts %v became %v", before.Shifts, j.st.Shifts)
	}
}

// No block holds cohorts from before and after a change of weights.
func TestBlocksDoNotReachAcrossAShift(t *testing.T) {
	p := newPlay(3, trial(1))
	p.judge.Begin(trial(1))
	few := healthy(0.3) // whose blocks are long
	for i := range 2000 {
		if i%97 == 0 {
			p.judge.Shift(p.at+1, false)
		}
		p.second(few, healthy(0.05))
		for a := range Age(NumAges) {
			b := &p.judge.open[a]
			end := b.last
			if a != AgeMinute {
				end -= int64(a.Span()/time.Second) + 1
			}
			if b.opened && p.judge.shifted(b.began, end) {
				t.Fatalf("second %d: the block of age %s holds cohorts from %d to %d, across a shift of %v",
					p.at, a.Span(), b.began, end, p.judge.st.Shifts)
			}
		}
	}
}
