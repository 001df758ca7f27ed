package splitter

import (
	"fmt"
	"slices"
)

// Reassign returns the ranges that give the variants the shares wanted, 0 % to those not named, and moves as few
// buckets as any answer could: half the sum of the absolute differences of weight, whatever happened before.
//
// Whoever shrinks gives up just what it loses and receives nothing, whoever grows receives and gives up nothing; so
// raising the canary moves nobody off it. A growing canary takes the lowest of the buckets that are given up, a
// shrinking one gives up its highest. What the others exchange is chosen to keep ranges few: a border between a giver
// and a taker is shifted before a new one is drawn.
//
// The shares wanted must add up to exactly 100 %.
func Reassign(ranges []Range, canary string, want []Share) ([]Range, error) {
	if err := validateRanges(ranges); err != nil {
		return nil, fmt.Errorf("ranges to change: %w", err)
	}
	if err := validateShares(want); err != nil {
		return nil, err
	}
	e := newExchange(ranges, want)
	e.freeHighest(canary)
	e.takeLowest(canary)
	for {
		step, ok := e.cheapest()
		if !ok {
			return e.ranges, nil
		}
		e.apply(step)
	}
}

// freed owns, during an exchange, the buckets that their owner gave up and nobody took yet. It is no valid name.
const freed = ""

// exchange is a reassignment in progress. Invariant: what is still to be given up and what is still to be taken add
// up to the same.
type exchange struct {
	ranges []Range           // sorted, coalesced, covering
	give   map[string]Weight // what each giver still has to give up
	take   map[string]Weight // what each taker still has to get
	takers []string          // those of take, in the order wanted, so that equal input gives equal output
}

func newExchange(ranges []Range, want []Share) *exchange {
	e := &exchange{ranges: slices.Clone(ranges), give: WeightsOf(ranges), take: map[string]Weight{}}
	for _, s := range want {
		has := e.give[s.Variant]
		if s.Weight > has {
			e.take[s.Variant] = s.Weight - has
			e.takers = append(e.takers, s.Variant)
		}
		e.give[s.Variant] = has - min(has, s.Weight)
	}
	return e
}

// freeHighest makes a shrinking canary give up its highest buckets.
func (e *exchange) freeHighest(canary string) {
	keep := WeightsOf(e.ranges)[canary] - e.give[canary]
	var ranges []Range
	for _, r := range e.ranges {
		if r.Variant != canary {
			ranges = appendRange(ranges, r)
			continue
		}
		border := r.From + uint32(min(r.weight(), keep))
		keep -= Weight(border - r.From)
		ranges = appendRange(ranges, Range{r.From, border, canary})
		ranges = appendRange(ranges, Range{border, r.To, freed})
	}
	e.ranges = ranges
	e.give[freed], e.give[canary] = e.give[canary], 0
}

// takeLowest gives a growing canary the lowest buckets of those who give.
func (e *exchange) takeLowest(canary string) {
	var ranges []Range
	for _, r := range e.ranges {
		n := e.transferable(r, canary)
		e.settle(r.Variant, canary, n)
		border := r.From + uint32(n)
		ranges = appendRange(ranges, Range{r.From, border, canary})
		ranges = appendRange(ranges, Range{border, r.To, r.Variant})
	}
	e.ranges = ranges
}

// transfer is one step of an exchange: some buckets at one end of a giver's range go to a taker.
type transfer struct {
	index  int // of the range
	to     string
	amount Weight
	low    bool // taken from the range's low end, not from its high one
	cost   int  // how many ranges there are more afterwards
}

// cheapest returns the step that costs the fewest ranges, of those the one that moves the most, of those the first;
// false if the exchange is done.
func (e *exchange) cheapest() (transfer, bool) {
	var best transfer
	for i := range e.ranges {
		for _, to := range e.takers {
			if t := e.transfer(i, to); t.isBetter(best) {
				best = t
			}
		}
	}
	return best, best.amount > 0
}

func (t transfer) isBetter(other transfer) bool {
	if t.amount == 0 || other.amount == 0 {
		return t.amount > 0
	}
	return t.cost < other.cost || t.cost == other.cost && t.amount > other.amount
}

// transfer returns the best step from range i to a taker. Where nothing speaks for the low end it takes the high one,
// as the low end is where the canary will want to grow.
func (e *exchange) transfer(i int, to string) transfer {
	r := e.ranges[i]
	t := transfer{index: i, to: to, amount: e.transferable(r, to), cost: 1}
	isBelow := i > 0 && e.ranges[i-1].Variant == to
	isAbove := i+1 < len(e.ranges) && e.ranges[i+1].Variant == to
	t.low = isBelow && !isAbove
	isWhole := t.amount == r.weight()
	if isBelow || isAbove {
		t.cost-- // a border moves instead of a new one being drawn
	}
	if isWhole {
		t.cost-- // the giver's range is gone
	}
	if isWhole && isBelow && isAbove {
		t.cost-- // and the taker's two become one
	}
	return t
}

// apply carries out one step.
func (e *exchange) apply(t transfer) {
	var ranges []Range
	for i, r := range e.ranges {
		lower, upper, border := r.Variant, r.Variant, r.From
		switch {
		case i == t.index && t.low:
			lower, border = t.to, r.From+uint32(t.amount)
		case i == t.index:
			upper, border = t.to, r.To-uint32(t.amount)
		}
		ranges = appendRange(ranges, Range{r.From, border, lower})
		ranges = appendRange(ranges, Range{border, r.To, upper})
	}
	e.settle(e.ranges[t.index].Variant, t.to, t.amount)
	e.ranges = ranges
}

// transferable returns how much of range r can go to a taker.
func (e *exchange) transferable(r Range, to string) Weight {
	return min(r.weight(), e.give[r.Variant], e.take[to])
}

// settle books what from gave to to.
func (e *exchange) settle(from, to string, amount Weight) {
	e.give[from] -= amount
	e.take[to] -= amount
}
