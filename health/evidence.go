package health

import (
	"encoding/json"
	"fmt"
	"time"
)

// Evidence is what one or more instances know of one variant at one moment: all that a verdict rests on. It is a plain
// value; the zero value is no evidence.
type Evidence struct {
	// Terms say under which limits requests were counted; only evidence under the same terms can be added.
	Terms
	// Slices divide the window by age: the first holds now, each is a sixtieth of the window and at least a second wide.
	// Empty ones at the end are left out, here as below.
	Slices []Slice `json:"slices,omitempty"`
	// Fine divides the last 10 s into seconds, unless Slices do.
	Fine []Slice `json:"fine,omitempty"`
	// Earlier reaches back to 5 minutes in slices of 10 s, counted from now too, and zero where the window reaches. No
	// limit is judged by it; it says what a baseline with little traffic did since the canary began to fail.
	Earlier []Slice `json:"earlier,omitempty"`
	// Counts holds the window's requests by class and cause.
	Counts Counts `json:"counts"`
	// Retries counts further tries in the window.
	Retries uint64 `json:"retries,omitempty"`
	// TTFB and Latency are the window's distributions of what Slice.TTFT and Slice.Latency count.
	TTFB    Histogram `json:"ttfb"`
	Latency Histogram `json:"latency"`
	// Users says who was behind them; none in frames of releases that do not count users.
	Users Users `json:"users,omitzero"`
}

// Terms are the parts of limits that shape evidence. Zero is no limit.
type Terms struct {
	Window     Duration `json:"window"`
	MaxTTFT    Duration `json:"max_ttft,omitempty"`
	MaxLatency Duration `json:"max_latency,omitempty"`
}

func termsOf(l Limits) Terms {
	width, n := shape(l)
	window := l.Window
	if window == 0 {
		window = Duration(width * time.Duration(n))
	}
	return Terms{Window: window, MaxTTFT: Duration(l.MaxTTFT.max()), MaxLatency: Duration(l.MaxLatency.max())}
}

// width returns how long one of Slices is.
func (t Terms) width() time.Duration {
	width, _ := shape(Limits{Window: t.Window})
	return width
}

// Merge returns the sum of both, slice by slice of the same age. Evidence under other terms than e's cannot be added
// and is left out; zero evidence fits any.
func (e Evidence) Merge(other Evidence) Evidence {
	switch {
	case other.Terms == Terms{}:
		return e
	case e.Terms == Terms{}:
		return other
	case e.Terms != other.Terms:
		return e
	}
	return Evidence{
		Terms:   e.Terms,
		Slices:  sumOf(e.Slices, other.Slices),
		Fine:    sumOf(e.Fine, other.Fine),
		Earlier: sumOf(e.Earlier, other.Earlier),
		Counts:  e.Counts.plus(other.Counts),
		Retries: add(e.Retries, other.Retries),
		TTFB:    e.TTFB.Merge(other.TTFB),
		Latency: e.Latency.Merge(other.Latency),
		Users:   e.Users.Merge(other.Users),
	}
}

func sumOf(a, b []Slice) []Slice {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(a) == 0 {
		return nil
	}
	sum := make([]Slice, len(a))
	copy(sum, a)
	for i := range b {
		sum[i].add(&b[i])
	}
	return sum
}

// trimmed leaves out what is empty at the end.
func trimmed(s []Slice) []Slice {
	for len(s) > 0 && s[len(s)-1] == (Slice{}) {
		s = s[:len(s)-1]
	}
	if len(s) == 0 {
		return nil
	}
	return s
}

// maxEvidence is more than any evidence needs: 100 slices, two histograms and all users with the greatest numbers are 32 kB.
const maxEvidence = 64 << 10

// UnmarshalJSON reads evidence of another instance. It trusts nothing: sizes, numbers and their consistency are
// checked, fields of newer releases ignored.
func (e *Evidence) UnmarshalJSON(data []byte) error {
	if len(data) > maxEvidence {
		return fmt.Errorf("evidence of %d bytes: must be at most %d", len(data), maxEvidence)
	}
	type plain Evidence
	var p plain
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	in := Evidence(p)
	if err := in.validate(); err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	in.Slices, in.Fine, in.Earlier = trimmed(in.Slices), trimmed(in.Fine), trimmed(in.Earlier)
	*e = in
	return nil
}

func (e Evidence) validate() error {
	if w := time.Duration(e.Window); e.Terms != (Terms{}) && (w < minWindow || w > maxWindow) {
		return fmt.Errorf("its window is %s: must be from %s to %s", e.Window, Duration(minWindow), Duration(maxWindow))
	}
	_, n := shape(Limits{Window: e.Window})
	if len(e.Slices) > n || len(e.Fine) > fineSlices || len(e.Earlier) > earlierSlices {
		return fmt.Errorf("it has %d, %d and %d slices: must be at most %d, %d and %d",
			len(e.Slices), len(e.Fine), len(e.Earlier), n, fineSlices, earlierSlices)
	}
	if e.Retries > maxCount {
		return fmt.Errorf("it has %d retries: more than can be counted", e.Retries)
	}
	return e.Users.validate()
}
