package health

import "time"

// Summary is evidence in a few numbers, for status and metrics.
type Summary struct {
	// Requests counts those that ended in the window as success or failure, Failures those of them that failed; ErrorRate is
	// their share.
	Requests  uint64  `json:"requests"`
	Failures  uint64  `json:"failures"`
	ErrorRate float64 `json:"error_rate"`
	// Causes counts failures by cause.
	Causes map[Cause]uint64 `json:"causes,omitempty"`
	// Excluded counts requests that were nobody's failure, by cause.
	Excluded map[Cause]uint64 `json:"excluded,omitempty"`
	// Retries counts the further tries that the variant's own proxy made.
	Retries uint64 `json:"retries,omitempty"`
	// TTFB is the time to the first payload byte, Latency the time to the end, within 5 %; zero if unknown. Requests
	// that are over a limit and have not ended count at their present age.
	TTFB    Quantiles `json:"ttfb"`
	Latency Quantiles `json:"latency"`
	// MeanLatency is the mean time to the end.
	MeanLatency Duration `json:"mean_latency"`
	// Users counts the users of the window, UsersFailed those of them who had a failure; TrialUsers and TrialUsersFailed
	// are the same since the trial began. Up to 64 they are exact, beyond that within 3.3 % (one standard error).
	Users            uint64 `json:"users"`
	UsersFailed      uint64 `json:"users_failed"`
	TrialUsers       uint64 `json:"trial_users"`
	TrialUsersFailed uint64 `json:"trial_users_failed"`
}

// Quantiles are the times that half, 95 % and 99 % of requests do not exceed.
type Quantiles struct {
	P50 Duration `json:"p50"`
	P95 Duration `json:"p95"`
	P99 Duration `json:"p99"`
}

// Summarize sums e up.
func Summarize(e Evidence) Summary {
	failures := e.Counts.Of(Failure)
	requests := add(e.Counts.Of(Success), failures)
	s := Summary{
		Requests: requests, Failures: failures, ErrorRate: float64(failures) / float64(max(requests, 1)),
		Retries: e.Retries, TTFB: quantilesOf(e.TTFB), Latency: quantilesOf(e.Latency),
		MeanLatency: Duration(e.meanLatency().Round(time.Millisecond)),
	}
	s.Users, s.UsersFailed = both(e.Users.Seen, e.Users.Failed)
	s.TrialUsers, s.TrialUsersFailed = both(e.Users.TrialSeen, e.Users.TrialFailed)
	e.Counts.Each(func(class Class, cause Cause, n uint64) {
		switch class {
		case Failure:
			s.Causes = with(s.Causes, cause, n)
		case Excluded:
			s.Excluded = with(s.Excluded, cause, n)
		}
	})
	return s
}

// both counts users and the part of them that failed, which two estimates could make more than the whole.
func both(seen, failed Distinct) (all, part uint64) {
	all = seen.Count()
	return all, min(failed.Count(), all)
}

func with(m map[Cause]uint64, cause Cause, n uint64) map[Cause]uint64 {
	if m == nil {
		m = map[Cause]uint64{}
	}
	m[cause] = n
	return m
}

func quantilesOf(h Histogram) Quantiles {
	at := func(q float64) Duration { return Duration(h.Quantile(q).Round(100 * time.Microsecond)) }
	return Quantiles{P50: at(0.5), P95: at(0.95), P99: at(0.99)}
}
