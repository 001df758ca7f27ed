package health

// Result is what a verdict comes to. The zero value is Inconclusive.
type Result uint8

// The results of a verdict.
const (
	Inconclusive Result = iota // too little evidence, or a reason to hold
	Pass                       // enough evidence, and every limit is kept
	Fail                       // a limit is broken, and by this variant alone as far as can be told
)

// Verdict is what evidence comes to, with the numbers that it rests on.
type Verdict struct {
	Result Result `json:"result"`
	// Reason is one sentence for people, with numbers.
	Reason string `json:"reason"`
	// SharedCause is true if a limit is broken and the baseline breaks it too: hold, and tell somebody.
	SharedCause bool `json:"shared_cause,omitempty"`
	// Waiting is true if a limit is broken and the baseline has had too little traffic since to tell whose fault it is.
	Waiting bool `json:"waiting,omitempty"`
	// NoBaseline is true if the baseline had no traffic in the window, or its traffic has stopped: a shared outage
	// cannot be told apart, and nothing vetoes a failure.
	NoBaseline bool `json:"no_baseline,omitempty"`
	// FewUsers is set if one user makes over 90 % of the canary's requests.
	FewUsers *FewUsers `json:"few_users,omitempty"`
	// Checks holds one entry for every limit that is set.
	Checks []Check `json:"checks,omitempty"`
}

// Check is one limit against the evidence.
type Check struct {
	// Limit names it as the configuration does: "max_error_rate", "max_mean_latency", "max_latency p95", "max_ttft p95".
	Limit string `json:"limit"`
	// Max is the time that the limit names; zero for the error rate.
	Max Duration `json:"max,omitempty"`
	// Threshold is what Observed may be: a share of requests (failures, or those that took longer than Max), or a
	// mean in seconds.
	Threshold float64 `json:"threshold"`
	// Observed is what the canary's was in the window.
	Observed float64 `json:"observed"`
	// N counts the canary's requests that say something about this limit, K those of them that failed or took longer
	// (0 for the mean).
	N uint64 `json:"n"`
	K uint64 `json:"k"`
	// Broken is true if Observed is over Threshold beyond chance, whatever the baseline does.
	Broken bool `json:"broken"`
	// BaselineObserved and BaselineN are the same of the baseline.
	BaselineObserved float64 `json:"baseline_observed"`
	BaselineN        uint64  `json:"baseline_n"`
}
