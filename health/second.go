package health

import (
	"cmp"
	"math"
	"slices"
)

// Add adds what matured in the same second elsewhere. Sums do not depend on the order, and stop at what their type holds.
// other is not modified, and shares nothing with s afterwards.
func (s *Second) Add(other *Second) {
	for arm := range s.Arms {
		for age := range s.Arms[arm] {
			to, from := &s.Arms[arm][age], &other.Arms[arm][age]
			for group := range to {
				to[group].add(&from[group])
			}
		}
	}
}

// IsZero reports whether nothing matured.
func (s *Second) IsZero() bool {
	for arm := range s.Arms {
		for age := range s.Arms[arm] {
			for group := range s.Arms[arm][age] {
				if !s.Arms[arm][age][group].isZero() {
					return false
				}
			}
		}
	}
	return true
}

func (c *Cell) add(other *Cell) {
	to, from := c.counts(), other.counts()
	for i := range to {
		*to[i] = saturated(*to[i], *from[i])
	}
	c.Latency = addBins(c.Latency, other.Latency)
	c.TTFB = addBins(c.TTFB, other.TTFB)
}

// counts lists the cell's numbers in the order in which they are packed.
func (c *Cell) counts() [5]*uint32 {
	return [...]*uint32{&c.N, &c.Failed, &c.Left, &c.Alive, &c.Broken}
}

// isZero reports whether nothing was counted.
func (c *Cell) isZero() bool {
	return c.N == 0 && c.Failed == 0 && c.Left == 0 && c.Alive == 0 && c.Broken == 0 && len(c.Latency) == 0 && len(c.TTFB) == 0
}

func addBins(to, from []Bin) []Bin {
	for _, b := range from {
		to = addBin(to, b)
	}
	return to
}

// addBin adds to a bin, or puts one in its place among them.
func addBin(bins []Bin, b Bin) []Bin {
	i, found := slices.BinarySearchFunc(bins, b.Bucket, func(in Bin, bucket uint8) int { return cmp.Compare(in.Bucket, bucket) })
	if !found {
		return slices.Insert(bins, i, b)
	}
	bins[i].N = saturated(bins[i].N, b.N)
	return bins
}

// saturated adds without wrapping around.
func saturated(a, b uint32) uint32 {
	return uint32(min(uint64(a)+uint64(b), math.MaxUint32))
}
