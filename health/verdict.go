package health

// Result is what a verdict comes to. The zero value is Inconclusive.
type Result uint8

// The results of a verdict.
const (
	Inconclusive Result = iota // too little evidence, or a reason to hold
	Pass                       // enough evidence, and it does not speak against the canary
	Fail                       // the canary is worse than stable or than a limit, beyond chance
)

// Verdict is what evidence comes to, with the numbers that it rests on.
type Verdict struct {
	Result Result `json:"result"`
	// Reason is one sentence for people, with numbers.
	Reason string `json:"reason"`
	// Stream names what speaks most against the canary: errors, aborted, latency p75 and p95, ttfb p75 and p95, left, or a
	// limit by its name.
	Stream string `json:"stream,omitempty"`
	// Evidence is how strongly, as an e-value: one harmless canary in Evidence looks as bad, at most. At Threshold, which
	// is one by alpha, the canary is failed back.
	Evidence  float64 `json:"evidence"`
	Threshold float64 `json:"threshold"`
	// Toward is how far it is to the alarm, from 0 (nothing speaks against the canary) to 1, by the logarithm.
	Toward float64 `json:"toward"`
	// SharedCause is true if both arms are worse than stable was before, or than a limit: hold, and tell somebody.
	SharedCause bool `json:"shared_cause,omitempty"`
	// SharedSlow is true if both arms are only slow in that, or given up by their clients: it is by no stream of failures.
	SharedSlow bool `json:"shared_slow,omitempty"`
	// NoBaseline is true if stable has had no traffic for a minute: a shared outage cannot be told apart.
	NoBaseline bool `json:"no_baseline,omitempty"`
	// FewUsers is set if one user makes nearly all of the canary's requests, or if the alarm rests on one.
	FewUsers *FewUsers `json:"few_users,omitempty"`
	// Streams are the numbers per stream, the strongest first.
	Streams []StreamVerdict `json:"streams,omitempty"`
}

// StreamVerdict is one stream by the numbers.
type StreamVerdict struct {
	Stream string `json:"stream"`
	// Evidence is the stream's part of the verdict's.
	Evidence float64 `json:"evidence"`
	// Canary and Baseline are the arms since the trial began; of a limit on the mean, they count no bad ones.
	Canary   Rate `json:"canary"`
	Baseline Rate `json:"baseline"`
	// CanaryLately and BaselineLately are the same with a half-life of a minute.
	CanaryLately   Rate `json:"canary_lately"`
	BaselineLately Rate `json:"baseline_lately"`
	// Slow is from which time on a request counts as slow; zero for other streams.
	Slow Duration `json:"slow,omitempty"`
	// Limit is the greatest share that a limit allows; zero for what is compared.
	Limit float64 `json:"limit,omitempty"`
}

// Rate is a number of requests and of the bad ones among them.
type Rate struct {
	N float64 `json:"n"`
	K float64 `json:"k"`
}

// Share returns the bad ones' share; zero if there are no requests.
func (r Rate) Share() float64 { return rate(r).share() }
