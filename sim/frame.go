package sim

import (
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// frame is what matures within one second on one instance, or the sum of several. It is used again and again: what is in
// it is cleared, and its memory kept.
type frame struct {
	sum  health.Second
	used []*health.Cell
}

// cell returns a cell to count in.
func (f *frame) cell(r *request, a health.Age) *health.Cell {
	c := &f.sum.Arms[r.arm][a][r.group]
	f.use(c)
	return c
}

// use notes that a cell is about to hold something.
func (f *frame) use(c *health.Cell) {
	if c.N == 0 && c.Alive == 0 {
		f.used = append(f.used, c)
	}
}

func (f *frame) clear() {
	for _, c := range f.used {
		*c = health.Cell{Latency: c.Latency[:0], TTFB: c.TTFB[:0]}
	}
	f.used = f.used[:0]
}

// add counts a request at the age that it has reached.
func (f *frame) add(r *request, a health.Age) {
	age := a.Span()
	c := f.cell(r, a)
	c.N++
	failed := r.failedBy(age)
	if failed {
		c.Failed++
	}
	if r.fate == isLeft && r.ends <= age && (a == health.AgeSlow || a == health.AgeLate) {
		c.Left++
	}
	if a == health.AgeLate && r.ends > health.AgeSlow.Span() {
		c.Alive++
		if failed {
			c.Broken++
		}
	}
	if a.HasTimes() && !failed {
		c.Latency = insert(c.Latency, binOf(r.waited(r.ends, age)))
		c.TTFB = insert(c.TTFB, binOf(r.waited(r.answers, age)))
	}
}

// addMinute counts the minute of a long request that ends at an age.
func (f *frame) addMinute(r *request, age time.Duration) {
	if r.ends > age-health.AgeMinute.Span() {
		c := f.cell(r, health.AgeMinute)
		c.Alive++
		if r.failedBy(age) {
			c.Broken++
		}
	}
}

// merge adds another instance's frame.
func (f *frame) merge(other *frame) {
	for arm := range other.sum.Arms {
		for a := range other.sum.Arms[arm] {
			for g := range other.sum.Arms[arm][a] {
				from, to := &other.sum.Arms[arm][a][g], &f.sum.Arms[arm][a][g]
				if from.N == 0 && from.Alive == 0 {
					continue
				}
				f.use(to)
				to.N, to.Failed, to.Left = to.N+from.N, to.Failed+from.Failed, to.Left+from.Left
				to.Alive, to.Broken = to.Alive+from.Alive, to.Broken+from.Broken
				to.Latency, to.TTFB = plus(to.Latency, from.Latency), plus(to.TTFB, from.TTFB)
			}
		}
	}
}

func binOf(t time.Duration) health.Bin { return health.Bin{Bucket: health.BucketOf(t), N: 1} }

func plus(to, from []health.Bin) []health.Bin {
	for _, b := range from {
		to = insert(to, b)
	}
	return to
}

// insert adds a bin where it belongs.
func insert(bins []health.Bin, b health.Bin) []health.Bin {
	for i := range bins {
		switch {
		case bins[i].Bucket == b.Bucket:
			bins[i].N += b.N
			return bins
		case bins[i].Bucket > b.Bucket:
			return slices.Insert(bins, i, b)
		}
	}
	return append(bins, b)
}
