package splitcmd

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
)

// limitsOf returns the limits in force: those that the fleet has frozen, or the file's as long as it has nothing frozen.
// They are nil if nothing fails back by itself.
func limitsOf(status control.Status) (*health.Limits, error) {
	if len(status.Policy) == 0 {
		return status.File.Policy.Failback, nil
	}
	var policy struct {
		Failback *health.Limits `json:"failback"`
	}
	if err := json.Unmarshal(status.Policy, &policy); err != nil {
		return nil, fmt.Errorf("the policy in force cannot be read: %w", err)
	}
	return policy.Failback, nil
}

// windowOf returns how far back the evidence on variants goes. It is gathered without limits too.
func windowOf(status control.Status) health.Duration {
	if l, err := limitsOf(status); err == nil && l != nil && l.Window > 0 {
		return l.Window
	}
	return health.DefaultLimits().Window
}

// inWords lists what limits ask, and from when on they are judged.
func inWords(l health.Limits) string {
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
	says = append(says, fmt.Sprintf("window %s, at least %s", l.Window, plural(l.MinRequests, "request")))
	if l.FewUsers != health.FewUsersHold {
		says = append(says, "few_users "+l.FewUsers.String())
	}
	return strings.Join(says, "; ")
}

// quantile says one limit of a quantile, if there is one.
func quantile(what string, q *health.QuantileLimit) []string {
	if q == nil {
		return nil
	}
	return []string{fmt.Sprintf("p%.4g %s %s", q.Quantile*100, what, q.Max)}
}
