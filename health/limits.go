package health

import "time"

// Duration is a time.Duration that is written as text: "90s", "1m30s".
type Duration time.Duration

// Limits are the absolute guardrails of a canary: what it must keep to, however well the baseline does. One is broken by
// evidence that accumulates, not by the rate of a window. A limit that is zero or nil does not apply.
type Limits struct {
	// Window is how far back status and metrics show requests; no verdict depends on it. 10 s to 1 h; default 60 s.
	Window Duration `json:"window"`
	// MinRequests is from how many of the trial's canary requests on a limit may fail it, and the canary may pass.
	// Default 20.
	MinRequests int `json:"min_requests"`
	// MaxErrorRate is the greatest share of requests that fail, 0 < rate < 1. Default 0.05.
	MaxErrorRate float64 `json:"max_error_rate,omitempty"`
	// MaxMeanLatency is the greatest mean time to the end of the answer.
	MaxMeanLatency Duration `json:"max_mean_latency,omitempty"`
	// MaxLatency limits a quantile of the time to the end of the answer.
	MaxLatency *QuantileLimit `json:"max_latency,omitempty"`
	// MaxTTFT limits a quantile of the time to the first payload byte.
	MaxTTFT *QuantileLimit `json:"max_ttft,omitempty"`
	// MaxLeft is the greatest share of requests whose clients go away before the first payload byte, 0 < share < 1.
	MaxLeft float64 `json:"max_left,omitempty"`
}

// Empty reports whether no limit applies: a canary cannot break them, whatever it does.
func (l Limits) Empty() bool {
	return l.MaxErrorRate == 0 && l.MaxLeft == 0 && l.MaxMeanLatency == 0 && l.MaxLatency == nil && l.MaxTTFT == nil
}

// QuantileLimit says that the share Quantile of requests must take no longer than Max.
type QuantileLimit struct {
	Quantile float64  `json:"quantile"` // 0 < q < 1; 0.95 is p95
	Max      Duration `json:"max"`
}
