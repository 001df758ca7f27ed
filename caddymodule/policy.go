package caddymodule

import (
	"cmp"
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
		Policy:   rollout.Policy{Failback: h.Failback.limits(), Judge: h.judgeSettings(), Cooldown: h.Failback.cooldown()},
		Plan:     h.Rollout.plan(),
		Bake:     h.Rollout.bake(),

		Contact:       h.Contact,
		DrillEvery:    h.DrillEvery,
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
		limits.MaxErrorRate = valueOr(f.MaxErrorRate, 0)
		limits.MaxLeft = f.MaxLeft
		limits.MaxMeanLatency = f.MaxMeanLatency
		limits.MaxLatency = f.MaxLatency
		limits.MaxTTFT = f.MaxTTFT
	}
	if f.Window != 0 {
		limits.Window = f.Window
	}
	if f.MinRequests != 0 {
		limits.MinRequests = f.MinRequests
	}
	return &limits
}

// namesLimit reports whether any limit is set, or the default one switched off, so that that one does not apply.
func (f *Failback) namesLimit() bool {
	return f.MaxErrorRate != nil || f.MaxLeft != 0 || f.MaxMeanLatency != 0 || f.MaxLatency != nil || f.MaxTTFT != nil
}

// judgeSettings returns how a canary is compared with the baseline; nil if it is not.
func (h *Handler) judgeSettings() *health.Settings {
	if h.Failback.limits() == nil {
		return nil
	}
	return h.Judge.settings()
}

// settings returns how a canary is compared with the baseline, defaults filled in; nil if it is not.
func (j *Judge) settings() *health.Settings {
	s := health.DefaultSettings()
	if j == nil {
		return &s
	}
	if j.Off {
		return nil
	}
	s.Alpha = cmp.Or(j.Alpha, s.Alpha)
	s.Ratio = cmp.Or(j.Ratio, s.Ratio)
	s.Margin = valueOr(j.Margin, s.Margin)
	s.LatencyMargin = valueOr(j.LatencyMargin, s.LatencyMargin)
	s.Duration = cmp.Or(j.Duration, s.Duration)
	s.FewUsers = j.FewUsers
	if t := j.Trickle; t != nil {
		s.Trickle = trickleOf(*t, s.Trickle)
	}
	return &s
}

// trickleOf fills in the defaults of what a trickle leaves open.
func trickleOf(t, defaults health.Trickle) health.Trickle {
	if t.Off {
		return t
	}
	return health.Trickle{
		First: cmp.Or(t.First, defaults.First), Watch: cmp.Or(t.Watch, defaults.Watch), Then: cmp.Or(t.Then, defaults.Then),
	}
}

// valueOr returns what p points to, or a default if it is nil: zero is a value of its own.
func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
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

// validateJudge checks the judge, and that something can fail a canary back if anything is meant to.
func (h *Handler) validateJudge() error {
	switch limits := h.Failback.limits(); {
	case h.Judge != nil && h.Judge.Off:
		if *h.Judge != (Judge{Off: true}) {
			return wrong("judge.off", "judge is off and has settings; it must be one or the other")
		}
		if limits != nil && limits.Empty() {
			return &configError{path: "failback.max_error_rate", err: health.ErrNoLimit}
		}
		return nil
	case limits == nil && h.Judge != nil:
		return wrong("judge", "failback is off, so that nothing fails back by itself, and a judge beside it has nothing to do; "+
			"it must be one or the other")
	case limits == nil || h.Judge == nil:
		return nil
	}
	return within("judge", h.Judge.validate())
}

func (j *Judge) validate() error {
	if t := j.Trickle; t != nil && t.Off && *t != (health.Trickle{Off: true}) {
		return wrong("trickle", "trickle is off and has settings; it must be one or the other")
	}
	return limitError(j.settings().Validate())
}

// limitError names the limit or setting that the first of the errors is about: each begins with its name.
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
