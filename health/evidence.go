package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Evidence is what one or more instances have seen of one variant lately, as people are shown it: no verdict rests on it,
// see [Judge]. It is a plain value; the zero value is no evidence.
type Evidence struct {
	// Window is how far back it reaches; only evidence of the same window can be added.
	Window Duration `json:"window,omitempty"`
	// Counts holds the window's requests by class and cause.
	Counts Counts `json:"counts"`
	// Retries counts further tries in the window.
	Retries uint64 `json:"retries,omitempty"`
	// TTFB and Latency are the distributions of the time to the first payload byte, and to the end. LatencySum is the sum
	// of the times in Latency, each in whole milliseconds.
	TTFB       Histogram `json:"ttfb"`
	Latency    Histogram `json:"latency"`
	LatencySum uint64    `json:"latency_sum,omitempty"`
	// Users says who was behind them.
	Users Users `json:"users,omitzero"`
}

// Merge returns the sum of both. Evidence of another window than e's cannot be added and is left out; zero evidence fits
// any.
func (e Evidence) Merge(other Evidence) Evidence {
	switch {
	case other.Window == 0:
		return e
	case e.Window == 0:
		return other
	case e.Window != other.Window:
		return e
	}
	return Evidence{
		Window:     e.Window,
		Counts:     e.Counts.plus(other.Counts),
		Retries:    add(e.Retries, other.Retries),
		TTFB:       e.TTFB.Merge(other.TTFB),
		Latency:    e.Latency.Merge(other.Latency),
		LatencySum: add(e.LatencySum, other.LatencySum),
		Users:      e.Users.Merge(other.Users),
	}
}

// meanLatency returns the mean of the times in Latency; zero of none.
func (e *Evidence) meanLatency() time.Duration {
	n := e.Latency.Count()
	if n == 0 {
		return 0
	}
	return time.Duration(float64(e.LatencySum) / float64(n) * float64(time.Millisecond))
}

// maxEvidence is more than any evidence needs: all causes, two histograms and all users with the greatest numbers are
// 15 kB.
const maxEvidence = 32 << 10

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
	*e = in
	return nil
}

func (e *Evidence) validate() error {
	switch w := time.Duration(e.Window); {
	case w != 0 && (w < minWindow || w > maxWindow):
		return fmt.Errorf("its window is %s: must be from %s to %s", e.Window, Duration(minWindow), Duration(maxWindow))
	case e.Retries > maxCount:
		return fmt.Errorf("it has %d retries: more than can be counted", e.Retries)
	case e.LatencySum > maxCount:
		return fmt.Errorf("its latencies add up to %d ms: more than can be counted", e.LatencySum)
	case e.LatencySum > 0 && e.Latency.Count() == 0:
		return errors.New("it has a sum of latencies without a request")
	}
	return nil
}
