package health

import (
	"errors"
	"fmt"
	"time"
)

// Settings say how a canary is compared with the baseline. They are frozen into the State when a trial begins.
type Settings struct {
	// Alpha bounds the probability that a harmless canary is failed back in one rollout of Duration. 1e-6 ≤ alpha ≤ 0.2;
	// default 0.01.
	Alpha float64 `json:"alpha"`
	// Ratio and Margin say what is harmless: a canary's rate of failures of at most Ratio times the baseline's plus
	// Margin. Ratio from 1 to 10, default 1.2; Margin is a share, 0 ≤ margin ≤ 0.5, default 0.002 (0.2 percentage points).
	Ratio  float64 `json:"ratio"`
	Margin float64 `json:"margin"`
	// LatencyMargin is how many more of the canary's requests may be slower than the baseline's p75 and p95, as a share,
	// beyond a factor of 1.19 in time and times under 10 ms, which are always allowed. 0 ≤ margin ≤ 0.5, default 0.01 (1
	// percentage point).
	LatencyMargin float64 `json:"latency_margin"`
	// FewUsers says what becomes of an alarm that rests on one user. Default: hold.
	FewUsers OnFewUsers `json:"few_users,omitempty"`
	// Duration is how long a rollout is planned to take: three tenths of alpha are spread over it, and go on to be spent
	// at that rate beyond it. 1 h to 90 days; default 24 h.
	Duration Duration `json:"duration"`
	// Trickle says how much of the traffic stays on stable while the canary has the rest.
	Trickle Trickle `json:"trickle"`
}

// Trickle is the share of traffic that stays on stable when a canary is given more than the rest, so that there is a
// baseline to compare with.
type Trickle struct {
	// Off keeps none: a shared outage cannot be told from a bad canary then.
	Off bool `json:"off,omitempty"`
	// First is the share kept for Watch, Then the share kept until the promotion. 0 < share ≤ 0.5; defaults 0.05 for
	// 15 min, then 0.01.
	First float64  `json:"first,omitempty"`
	Watch Duration `json:"watch,omitempty"`
	Then  float64  `json:"then,omitempty"`
}

// DefaultSettings are the settings of a split whose configuration says nothing.
func DefaultSettings() Settings {
	return Settings{
		Alpha: 0.01, Ratio: 1.2, Margin: 0.002, LatencyMargin: 0.01, Duration: Duration(24 * time.Hour),
		Trickle: Trickle{First: 0.05, Watch: Duration(15 * time.Minute), Then: 0.01},
	}
}

// Validate returns one error that names everything that is wrong, each with the value and the rule. It is written so
// that NaN fails.
func (s Settings) Validate() error {
	var errs []error
	wrong := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	d := time.Duration(s.Duration)
	wrong(s.Alpha >= 1e-6 && s.Alpha <= 0.2, "alpha %g: must be from 0.000001 to 0.2", s.Alpha)
	wrong(s.Ratio >= 1 && s.Ratio <= 10, "ratio %g: must be from 1 to 10", s.Ratio)
	wrong(s.Margin >= 0 && s.Margin <= 0.5, "margin %spp: must be from 0pp to 50pp", short(s.Margin*100))
	wrong(s.LatencyMargin >= 0 && s.LatencyMargin <= 0.5, "latency_margin %spp: must be from 0pp to 50pp", short(s.LatencyMargin*100))
	wrong(d >= time.Hour && d <= 90*24*time.Hour, "duration %s: must be from 1h to 2160h", s.Duration)
	return errors.Join(append(errs, s.Trickle.validate())...)
}

func (t Trickle) validate() error {
	switch {
	case t.Off:
		return nil
	case !(t.First > 0 && t.First <= 0.5) || !(t.Then > 0 && t.Then <= 0.5):
		return fmt.Errorf("trickle %s, then %s: both must be above 0%% and at most 50%%; `trickle off` keeps none",
			percent(t.First), percent(t.Then))
	case t.Then > t.First:
		return fmt.Errorf("trickle %s, then %s: the second must not be greater than the first", percent(t.First), percent(t.Then))
	case time.Duration(t.Watch) < time.Minute || time.Duration(t.Watch) > 7*24*time.Hour:
		return fmt.Errorf("trickle for %s: must be from 1m to 168h", t.Watch)
	}
	return nil
}
