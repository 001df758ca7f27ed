package health

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The rules that limits keep to.
const (
	minWindow = 10 * time.Second
	maxWindow = time.Hour
	// MaxMinRequests bounds Limits.MinRequests.
	MaxMinRequests = 1_000_000
)

// ErrNoLimit means that limits are empty, and no comparison with the baseline stands beside them: nothing could ever fail.
var ErrNoLimit = errors.New("no limit is set and the judge is off, so that nothing can ever fail back: " +
	"set a limit, or say `failback off`")

// DefaultLimits are the limits of a split whose configuration says nothing: at most 5 % failures, from 20 requests on.
// There is no default for latency: an agent that thinks for two minutes and one that answers in 200 ms are both healthy,
// and a limit that is wrong for one of them would fail it back for no fault.
func DefaultLimits() Limits {
	return Limits{Window: Duration(60 * time.Second), MinRequests: 20, MaxErrorRate: 0.05}
}

// Validate returns one error that names everything that is wrong, each with the value and the rule. Limits that pass
// can all be met and can all be broken; they may be empty, see [Limits.Empty].
func (l Limits) Validate() error {
	errs := []error{l.validateWindow(), validateRate("max_error_rate", l.MaxErrorRate), validateRate("max_left", l.MaxLeft)}
	if l.MaxMeanLatency != 0 {
		errs = append(errs, validateLatency("max_mean_latency", l.MaxMeanLatency))
	}
	errs = append(errs, l.MaxLatency.validate("max_latency"), l.MaxTTFT.validate("max_ttft"))
	return errors.Join(errs...)
}

func (l Limits) validateWindow() error {
	if w := time.Duration(l.Window); w < minWindow || w > maxWindow {
		return fmt.Errorf("window %s: must be from %s to %s", l.Window, Duration(minWindow), Duration(maxWindow))
	}
	if l.MinRequests < 1 || l.MinRequests > MaxMinRequests {
		return fmt.Errorf("min_requests %d: must be from 1 to %d", l.MinRequests, MaxMinRequests)
	}
	return nil
}

// validateRate is written so that NaN fails it.
func validateRate(name string, rate float64) error {
	switch {
	case rate == 0 || rate > 0 && rate < 1:
		return nil
	case rate >= 1:
		return fmt.Errorf("%s %s: must be below 100%%, a rate of 100%% or more can never be exceeded", name, percent(rate))
	default:
		return fmt.Errorf("%s %s: must be above 0%%, no variant can stay below that", name, percent(rate))
	}
}

func (q *QuantileLimit) validate(name string) error {
	if q == nil {
		return nil
	}
	if !(q.rest() > 0 && q.rest() < 1) { // NaN too
		return fmt.Errorf("%s p%s: the quantile must be above p0 and below p100: "+
			"p0 can never be exceeded, and no number of requests can prove p100", name, short(q.Quantile*100))
	}
	return validateLatency(name+" "+q.label(), q.Max)
}

func validateLatency(name string, d Duration) error {
	oldest := AgeLong.Span()
	switch {
	case time.Duration(d) < finest:
		return fmt.Errorf("%s %s: must be at least %s, the finest time that is told apart", name, d, Duration(finest))
	case time.Duration(d) > oldest:
		return fmt.Errorf("%s %s: must be at most %s, as no request is looked at for longer", name, d, Duration(oldest))
	}
	return nil
}

// label returns the quantile as people write it: "p95", "p99.9".
func (q *QuantileLimit) label() string { return "p" + short(q.Quantile*100) }

// rest returns the share that may take longer, without the noise of 1 - 0.95 in binary.
func (q *QuantileLimit) rest() float64 { return math.Round((1-q.Quantile)*1e12) / 1e12 }

// max returns the limit, zero if there is none.
func (q *QuantileLimit) max() time.Duration {
	if q == nil {
		return 0
	}
	return time.Duration(q.Max)
}
