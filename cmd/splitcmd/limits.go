package splitcmd

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
)

// rules are what fails a canary back by itself: limits, nil if nothing does, and how it is compared with the baseline,
// nil if it is not.
type rules struct {
	Failback *health.Limits   `json:"failback"`
	Judge    *health.Settings `json:"judge"`
}

// rulesOf returns the rules in force: those that the fleet has frozen, or the file's as long as it has nothing frozen.
func rulesOf(status control.Status) (rules, error) {
	if len(status.Policy) == 0 {
		return rules{status.File.Policy.Failback, status.File.Policy.Judge}, nil
	}
	var frozen rules
	if err := json.Unmarshal(status.Policy, &frozen); err != nil {
		return rules{}, fmt.Errorf("the policy in force cannot be read: %w", err)
	}
	return frozen, nil
}

// windowOf returns how far back what is shown of variants goes. It is gathered without limits too.
func windowOf(status control.Status) health.Duration {
	if r, err := rulesOf(status); err == nil && r.Failback != nil && r.Failback.Window > 0 {
		return r.Failback.Window
	}
	return health.DefaultLimits().Window
}

// inWords lists what limits ask, and from how many of the canary's requests on.
func inWords(l health.Limits) string {
	if l.Empty() {
		return "none: the judge alone decides"
	}
	var says []string
	if l.MaxErrorRate > 0 {
		says = append(says, fmt.Sprintf("max_error_rate %.4g%%", l.MaxErrorRate*100))
	}
	if l.MaxLeft > 0 {
		says = append(says, fmt.Sprintf("max_left %.4g%%", l.MaxLeft*100))
	}
	if l.MaxMeanLatency > 0 {
		says = append(says, "mean latency "+l.MaxMeanLatency.String())
	}
	says = append(says, quantile("latency", l.MaxLatency)...)
	says = append(says, quantile("ttft", l.MaxTTFT)...)
	says = append(says, "from "+plural(l.MinRequests, "request")+" on")
	return strings.Join(says, "; ")
}

// judgeInWords lists how a canary is compared with the baseline.
func judgeInWords(s *health.Settings) string {
	if s == nil {
		return "off: the limits alone decide"
	}
	return fmt.Sprintf("alpha %.4g; ratio %.4g, margin %.4gpp, latency_margin %.4gpp; duration %s; trickle %s; few_users %s",
		s.Alpha, s.Ratio, s.Margin*100, s.LatencyMargin*100, s.Duration, trickleInWords(s.Trickle), s.FewUsers)
}

// trickleInWords says what stays on stable.
func trickleInWords(t health.Trickle) string {
	if t.Off {
		return "off"
	}
	return fmt.Sprintf("%.4g%% for %s, then %.4g%%", t.First*100, t.Watch, t.Then*100)
}

// quantile says one limit of a quantile, if there is one.
func quantile(what string, q *health.QuantileLimit) []string {
	if q == nil {
		return nil
	}
	return []string{fmt.Sprintf("p%.4g %s %s", q.Quantile*100, what, q.Max)}
}
