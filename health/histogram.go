package health

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// The histogram's grid. Cell 0 holds what is shorter than finest; cell i holds finest·growth^(i-1) ≤ d < finest·growth^i.
// A value is reported as 2·lower·growth/(growth+1), the point whose relative error to both ends of its cell is the
// same, (growth-1)/(growth+1) = 4.8 %: the mapping of DDSketch (Masson, Rim, Lee, VLDB 2019).
const (
	finest  = time.Millisecond
	longest = 2 * time.Hour
	growth  = 1.1
	cells   = 167 // 1 + ceil(ln(longest/finest) / ln(growth))
)

// lowers holds each cell's lower end in nanoseconds. Values are looked up in it, and not computed by a logarithm, so
// that instances on different processors put the same value in the same cell.
var lowers = func() (l [cells]int64) {
	for i := 1; i < cells; i++ {
		l[i] = int64(math.Round(float64(finest) * math.Pow(growth, float64(i-1))))
	}
	return l
}()

// Histogram is a distribution of times in log-spaced cells from 1 ms to 2 h. What is longer counts as 2 h, what is
// shorter than 1 ms as half of that; between, a quantile's relative error is at most 5 %. Its zero value is empty. It
// is a plain value: not safe for concurrent writes, comparable with ==, and added to others by [Histogram.Merge].
type Histogram struct {
	counts [cells]uint64
}

// cellOf returns the cell that d belongs in.
func cellOf(d time.Duration) int {
	low, high := 0, cells-1
	for low < high {
		mid := (low + high + 1) / 2
		if int64(d) >= lowers[mid] {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

// middleOf returns what stands for every value in a cell.
func middleOf(cell int) time.Duration {
	if cell == 0 {
		return finest / 2
	}
	return min(time.Duration(float64(lowers[cell])*2*growth/(1+growth)), longest)
}

// Record counts one value.
func (h *Histogram) Record(d time.Duration) { h.counts[cellOf(d)]++ }

// Merge returns the sum of both.
func (h Histogram) Merge(other Histogram) Histogram {
	for i, n := range &other.counts {
		h.counts[i] = add(h.counts[i], n)
	}
	return h
}

// Equal reports whether both hold the same counts.
func (h Histogram) Equal(other Histogram) bool { return h == other }

// Count returns how many values were recorded.
func (h Histogram) Count() uint64 {
	var n uint64
	for _, c := range &h.counts {
		n = add(n, c)
	}
	return n
}

// Quantile returns the smallest time that at least the share q of the values does not exceed, within 5 %; zero if there
// are no values. q outside of 0 … 1 means the nearer end.
func (h Histogram) Quantile(q float64) time.Duration {
	total := h.Count()
	if total == 0 {
		return 0
	}
	rank := max(uint64(math.Ceil(min(max(q, 0), 1)*float64(total))), 1)
	var seen uint64
	for i, c := range &h.counts {
		if seen = add(seen, c); seen >= rank {
			return middleOf(i)
		}
	}
	return longest
}

// CountAbove returns how many values are certainly longer than limit: those in the limit's own cell, which are longer
// by less than 10 % if at all, are left out.
func (h Histogram) CountAbove(limit time.Duration) uint64 {
	var n uint64
	for _, c := range h.counts[cellOf(limit)+1:] {
		n = add(n, c)
	}
	return n
}

// MarshalJSON writes the cells that are not empty as one flat array: cell, count, cell, count …, cells ascending.
func (h Histogram) MarshalJSON() ([]byte, error) {
	flat := make([]uint64, 0, 16)
	for i, c := range &h.counts {
		if c > 0 {
			flat = append(flat, uint64(i), c)
		}
	}
	return json.Marshal(flat)
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses cells that do not exist, are not ascending, or hold more
// than any instance could have counted.
func (h *Histogram) UnmarshalJSON(data []byte) error {
	var flat []uint64
	if err := json.Unmarshal(data, &flat); err != nil {
		return fmt.Errorf("a histogram is an array of whole numbers: %w", err)
	}
	if len(flat)%2 != 0 || len(flat) > 2*cells {
		return fmt.Errorf("a histogram of %d numbers: must be at most %d pairs of cell and count", len(flat), cells)
	}
	*h = Histogram{}
	next := uint64(0)
	for i := 0; i < len(flat); i += 2 {
		cell, count := flat[i], flat[i+1]
		if cell < next || cell >= cells || count > maxCount {
			return fmt.Errorf("a histogram's cell %d with %d values: must ascend below %d and hold at most %d",
				cell, count, cells, uint64(maxCount))
		}
		h.counts[cell], next = count, cell+1
	}
	return nil
}

// liveHistogram is a Histogram that many goroutines write to without a lock. 32 bits do for one slice of time.
type liveHistogram struct {
	used   [(cells + 63) / 64]atomic.Uint64 // a bit for each cell that is not empty, as most are
	counts [cells]atomic.Uint32
}

func (h *liveHistogram) record(cell int) {
	h.counts[cell].Add(1)
	if word, bit := &h.used[cell/64], uint64(1)<<(cell%64); word.Load()&bit == 0 {
		word.Or(bit)
	}
}

// addTo adds what was recorded so far to sum.
func (h *liveHistogram) addTo(sum *Histogram) {
	for i := range h.used {
		for word := h.used[i].Load(); word != 0; word &= word - 1 {
			cell := i*64 + bits.TrailingZeros64(word)
			sum.counts[cell] += uint64(h.counts[cell].Load())
		}
	}
}
