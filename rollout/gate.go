package rollout

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// GateQuestion is what a webhook is asked, as JSON. A status of 2xx opens the gate.
type GateQuestion struct {
	Split  string `json:"split"`
	Canary string `json:"canary"`
	Epoch  uint64 `json:"epoch"`
	// Step and Weight are what the canary is to be given.
	Step    int             `json:"step"`
	Weight  splitter.Weight `json:"weight"`
	Verdict *health.Verdict `json:"verdict,omitempty"`
}

// DefaultGateTimeout bounds a question to a webhook that has no bound of its own.
const DefaultGateTimeout = health.Duration(10 * time.Second)

// gateEvery is the pause between two questions to a webhook.
const gateEvery = 30 * time.Second

// validate checks a gate against the plan that has it.
func (g Gate) validate(p Plan) error {
	var errs []error
	if g.Approval == (g.Webhook != "") {
		errs = append(errs, errors.New("a gate must be either a webhook or an approval"))
	}
	if g.Webhook != "" {
		if hasPlaceholder := strings.Contains(g.Webhook, "{"); !hasPlaceholder {
			errs = append(errs, checkWebhook(g.Webhook))
		}
		if !between(g.Timeout, 100*time.Millisecond, time.Minute) {
			errs = append(errs, fmt.Errorf("timeout %s of a webhook: must be from 100ms to 1m", g.Timeout))
		}
	}
	if g.Before != 0 && !p.hasLater(g.Before) {
		errs = append(errs, fmt.Errorf("gate before %s: must be one of the steps after the first, %s", g.Before, p.stepsText()))
	}
	return errors.Join(errs...)
}

// checkWebhook says so if a webhook cannot be asked, with nothing of its address but scheme and host: the rest may be secret.
func checkWebhook(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return errors.New("the webhook of a gate must be a URL that begins with http:// or https://")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("webhook %q of a gate: must be a URL that begins with http:// or https://", u.Scheme+"://"+u.Host)
	}
	return nil
}

// hasLater reports whether a weight is that of a step after the first.
func (p Plan) hasLater(w splitter.Weight) bool {
	for i, s := range p.Steps {
		if i > 0 && s.Weight == w {
			return true
		}
	}
	return false
}
