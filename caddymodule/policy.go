package caddymodule

import (
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

// defaultCooldown is how long the canary stays away after its first failback.
const defaultCooldown = health.Duration(15 * time.Minute)

// definition returns what the configuration says of the split, as far as the fleet must agree on it.
func (h *Handler) definition() rollout.Definition {
	variants := make([]rollout.Variant, len(h.Variants))
	for i, v := range h.Variants {
		variants[i] = rollout.Variant{Name: v.Name, Weight: v.Weight, Version: v.Version}
	}
	return rollout.Definition{
		Name:     h.Name,
		Stable:   h.stable(),
		Canary:   h.Canary,
		Variants: variants,
		Policy:   rollout.Policy{Failback: h.Failback.limits(), Cooldown: h.Failback.cooldown()},

		Conversations: h.Conversation.policy(),
		Overrides:     h.overridden(),
	}
}

// overridden names the variants that overrides lead to, each once, sorted.
func (h *Handler) overridden() []string {
	var names []string
	for _, o := range h.Overrides {
		names = append(names, o.Variant)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// limits returns the limits that a canary must keep to, defaults filled in; nil if nothing fails back by itself.
func (f *Failback) limits() *health.Limits {
	limits := health.DefaultLimits()
	if f == nil {
		return &limits
	}
	if f.Off {
		return nil
	}
	if f.namesLimit() {
		limits.MaxErrorRate = f.MaxErrorRate
		limits.MaxLeft = f.MaxLeft
		limits.MaxMeanLatency = f.MaxMeanLatency
		limits.MaxLatency = f.MaxLatency
		limits.MaxTTFT = f.MaxTTFT
	}
	limits.FewUsers = f.FewUsers
	if f.Window != 0 {
		limits.Window = f.Window
	}
	if f.MinRequests != 0 {
		limits.MinRequests = f.MinRequests
	}
	return &limits
}

// namesLimit reports whether any limit is set, so that the default one does not apply.
func (f *Failback) namesLimit() bool {
	return f.MaxErrorRate != 0 || f.MaxLeft != 0 || f.MaxMeanLatency != 0 || f.MaxLatency != nil || f.MaxTTFT != nil
}

func (f *Failback) cooldown() health.Duration {
	if f == nil || f.Cooldown == 0 {
		return defaultCooldown
	}
	return f.Cooldown
}

func (f *Failback) validate() error {
	if f == nil {
		return nil
	}
	if f.Off {
		if *f != (Failback{Off: true}) {
			return wrong("off", "failback is off and has settings; it must be one or the other")
		}
		return nil
	}
	if f.Cooldown < 0 {
		return wrong("cooldown", "cooldown %v must be longer than 0s", time.Duration(f.Cooldown))
	}
	return limitError(f.limits().Validate())
}

// limitError names the limit that the first of the errors is about: each begins with its name.
func limitError(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		err = joined.Unwrap()[0]
	}
	if err == nil {
		return nil
	}
	limit, _, _ := strings.Cut(err.Error(), " ")
	return &configError{path: limit, err: err}
}
