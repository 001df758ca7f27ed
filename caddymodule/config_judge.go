package caddymodule

import "github.com/switchback-proxy/switchback/health"

// Failback holds the absolute limits of a canary, and says what happens after it broke one. A block that names no
// limit has the default one, an error rate of at most 5 %; a block that names any, or switches that one off, has only
// those.
type Failback struct {
	// Off switches automatic failback off, the judge's too. Excludes everything else. Default: false.
	Off bool `json:"off,omitempty"`

	// Window is how far back status and metrics show requests, 10 s to 1 h. No verdict depends on it: a limit is broken by
	// evidence that accumulates. Default: 60s.
	Window health.Duration `json:"window,omitempty"`

	// MinRequests is from how many of the trial's canary requests on a limit may fail it, and the canary may pass.
	// Default: 20.
	MinRequests int `json:"min_requests,omitempty"`

	// MaxErrorRate is the greatest share of requests that fail, above 0 and below 1; 0 switches the limit off, the default
	// one too. Default: 0.05, unless another limit is named.
	MaxErrorRate *float64 `json:"max_error_rate,omitempty"`

	// MaxLeft is the greatest share of requests whose clients go away before the first payload byte, above 0 and below 1. It
	// catches an agent that hangs until its clients give up.
	MaxLeft float64 `json:"max_left,omitempty"`

	// MaxMeanLatency is the greatest mean time to the end of the answer, at most 10m.
	MaxMeanLatency health.Duration `json:"max_mean_latency,omitempty"`

	// MaxLatency limits a quantile of the time to the end of the answer, to at most 10m.
	MaxLatency *health.QuantileLimit `json:"max_latency,omitempty"`

	// MaxTTFT limits a quantile of the time to the first payload byte, to at most 10m.
	MaxTTFT *health.QuantileLimit `json:"max_ttft,omitempty"`

	// Cooldown is how long after a failback the canary may not be increased without force; doubled each time until
	// a promotion. Default: 15m.
	Cooldown health.Duration `json:"cooldown,omitempty"`
}

// Judge says how a canary is compared with the baseline, stable's answers over the same span. It is frozen into the State
// when a trial begins.
type Judge struct {
	// Off leaves the limits of failback as all that a canary must keep to. Excludes everything else. Default: false.
	Off bool `json:"off,omitempty"`

	// Alpha bounds the probability that a harmless canary is failed back in one rollout of Duration. Above 0, at most 0.2.
	// Less takes longer to fail a bad one back. Default: 0.01.
	Alpha float64 `json:"alpha,omitempty"`

	// Margin is what a canary's rate of failures may be above Ratio times the baseline's and still be harmless, as a share:
	// 0.002 is 0.2 percentage points. A canary that is worse by less than that is not to be failed back. 0 to 0.5. Default:
	// 0.002.
	Margin *float64 `json:"margin,omitempty"`

	// Ratio is how many times the baseline's rate of failures is still harmless, 1 to 10. Default: 1.2.
	Ratio float64 `json:"ratio,omitempty"`

	// LatencyMargin is how many more of the canary's requests may be slower than the baseline's p75 and p95, as a share,
	// beyond a factor of 1.19 in time that is always allowed. 0 to 0.5. Default: 0.01.
	LatencyMargin *float64 `json:"latency_margin,omitempty"`

	// FewUsers says what becomes of a verdict that rests on one user, so that version and user cannot be told apart: "hold"
	// (default) neither fails back nor passes, "failback" judges all the same. It is about the limits of failback too.
	FewUsers health.OnFewUsers `json:"few_users,omitempty"`

	// Duration is how long a rollout is planned to take, 1h to 2160h: three tenths of alpha are spread over it, and go on to
	// be spent at that rate beyond it. Default: 24h.
	Duration health.Duration `json:"duration,omitempty"`

	// Trickle says how much of the traffic stays on stable when a canary is given more than the rest, so that there is a
	// baseline to compare with: a share "first" for the time "watch" (1m to 168h), then the share "then", both above 0 and
	// at most 0.5; or "off", so that a shared outage cannot be told from a bad canary. Default: 0.05 for 15m, then 0.01.
	Trickle *health.Trickle `json:"trickle,omitempty"`
}
