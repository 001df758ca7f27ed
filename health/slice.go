package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// What one number in evidence from another instance may be at most, so that sums stay far from overflow.
const (
	maxCount   = 1 << 53
	maxSquares = 1 << 62
)

// Tally counts requests and those among them that took longer than a limit.
type Tally struct {
	N    uint64
	Over uint64
}

// Moments sum up times for a mean and its error. Times are whole milliseconds, so that sums are exact in any order.
type Moments struct {
	N       uint64
	Sum     uint64 // ms
	Squares uint64 // ms²
}

// Slice is what happened to one variant within one slice of time. All of it is added by plain addition.
type Slice struct {
	// Judged counts requests that ended as success or failure.
	Judged uint64
	// Failures counts those that failed.
	Failures uint64
	// Running counts requests that began in this slice and are in flight.
	Running uint64
	// TTFT tells requests by their time to the first payload byte.
	TTFT Tally
	// Latency tells requests by their time to the end.
	Latency Tally
	// Mean sums up the times to the end.
	Mean Moments
	// Left counts requests whose clients went away before the first payload byte. They are not judged.
	Left uint64
}

// numbers lists the slice's counters in the order of its JSON form.
func (s *Slice) numbers() [11]*uint64 {
	return [...]*uint64{
		&s.Judged, &s.Failures, &s.Running, &s.TTFT.N, &s.TTFT.Over,
		&s.Latency.N, &s.Latency.Over, &s.Mean.N, &s.Mean.Sum, &s.Mean.Squares, &s.Left,
	}
}

func (s Slice) plus(other Slice) Slice {
	s.add(&other)
	return s
}

// add is written out, as judging adds hundreds of slices.
func (s *Slice) add(other *Slice) {
	s.Judged = add(s.Judged, other.Judged)
	s.Failures = add(s.Failures, other.Failures)
	s.Running = add(s.Running, other.Running)
	s.TTFT.N = add(s.TTFT.N, other.TTFT.N)
	s.TTFT.Over = add(s.TTFT.Over, other.TTFT.Over)
	s.Latency.N = add(s.Latency.N, other.Latency.N)
	s.Latency.Over = add(s.Latency.Over, other.Latency.Over)
	s.Mean.N = add(s.Mean.N, other.Mean.N)
	s.Mean.Sum = add(s.Mean.Sum, other.Mean.Sum)
	s.Mean.Squares = add(s.Mean.Squares, other.Mean.Squares)
	s.Left = add(s.Left, other.Left)
}

// minus returns what is left of s without a part of it. The part may have been read a moment later and hold more; the
// difference is then zero.
func (s Slice) minus(part Slice) Slice {
	to, from := s.numbers(), part.numbers()
	for i := range to {
		*to[i] -= min(*to[i], *from[i])
	}
	return s
}

// active reports whether any request was seen in the slice.
func (s *Slice) active() bool { return s.requests() > 0 }

// requests returns at least how many requests were seen: one that runs or whose client left may be in a tally only.
func (s *Slice) requests() uint64 {
	return max(add(add(s.Judged, s.Running), s.Left), s.TTFT.N, s.Latency.N)
}

// add adds without wrapping around, whatever another instance sent.
func add(a, b uint64) uint64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxUint64
}

func (t *Tally) add(over bool) {
	t.N++
	if over {
		t.Over++
	}
}

func (m *Moments) add(d time.Duration) {
	ms := milliseconds(d)
	*m = Moments{N: m.N + 1, Sum: m.Sum + ms, Squares: m.Squares + ms*ms}
}

// milliseconds rounds to the nearest, within what the histogram measures too.
func milliseconds(d time.Duration) uint64 {
	return uint64(min(max(d, 0), longest).Round(time.Millisecond) / time.Millisecond)
}

// MarshalJSON writes an array: judged, failures, running, TTFT n and over, latency n and over, mean n, sum and squares, left;
// zeros at its end are left out.
func (s Slice) MarshalJSON() ([]byte, error) {
	flat := make([]uint64, 0, 11)
	length := 0
	for i, n := range s.numbers() {
		flat = append(flat, *n)
		if *n != 0 {
			length = i + 1
		}
	}
	return json.Marshal(flat[:length])
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses numbers that contradict each other. A newer release may have
// added numbers at the end; they are ignored.
func (s *Slice) UnmarshalJSON(data []byte) error {
	var flat []uint64
	if err := json.Unmarshal(data, &flat); err != nil {
		return fmt.Errorf("a slice is an array of whole numbers: %w", err)
	}
	*s = Slice{}
	for i, to := range s.numbers() {
		if i < len(flat) {
			*to = flat[i]
		}
	}
	return s.validate()
}

func (s *Slice) validate() error {
	for i, n := range s.numbers() {
		if *n > maxCount && (n != &s.Mean.Squares || *n > maxSquares) {
			return fmt.Errorf("number %d of a slice is %d: more than can be counted", i, *n)
		}
	}
	switch {
	case s.Failures > s.Judged:
		return fmt.Errorf("a slice has %d failures among %d requests", s.Failures, s.Judged)
	case s.TTFT.Over > s.TTFT.N || s.Latency.Over > s.Latency.N:
		return errors.New("a slice has more requests over a limit than requests")
	case s.Mean.N == 0 && (s.Mean.Sum > 0 || s.Mean.Squares > 0):
		return errors.New("a slice has a sum of latencies without a request")
	}
	return nil
}

// mean returns the mean time in seconds; zero of none.
func (m Moments) mean() float64 {
	if m.N == 0 {
		return 0
	}
	return float64(m.Sum) / float64(m.N) / 1000
}

// ratio returns k/n, zero if n is.
func ratio(k, n uint64) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}
