package caddymodule

import (
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

const (
	nameRule = "must be lower-case letters, digits, hyphens and underscores, begin with a letter or digit, and have " +
		"at most 63 characters"
	maxVersion = 256 // bytes
	maxContact = 256 // bytes
	// minDrillEvery and maxDrillEvery bound how often a failback is rehearsed.
	minDrillEvery = health.Duration(time.Hour)
	maxDrillEvery = health.Duration(365 * 24 * time.Hour)
)

// stage says whether placeholders have been replaced yet.
type stage bool

const (
	asWritten stage = false // what holds a placeholder cannot be judged yet
	expanded  stage = true
)

// unknown reports whether s cannot be judged at this stage.
func (g stage) unknown(s string) bool { return g == asWritten && hasPlaceholder(s) }

// validate checks all that can be known without loading modules. It returns a configError.
func (h *Handler) validate(g stage) error {
	if !splitter.ValidName(h.Name) {
		return wrong("name", "split name %q: it %s", h.Name, nameRule)
	}
	for _, check := range []func() error{
		func() error { return h.validateVariants(g) },
		h.validateRoles,
		h.validateKeys,
		func() error { return h.validateOverrides(g) },
		func() error { return within("failback", h.Failback.validate()) },
		h.validateJudge,
		func() error { return h.validateRollout(g) },
		func() error { return h.validateContact(g) },
		h.validateDrillEvery,
		func() error { return h.validateChecks(g) },
		func() error { return within("classify", h.Classify.validate()) },
		h.validateFailingStatuses,
		h.validateAgentOutcome,
		h.validateStall,
		func() error { return within("rescue", h.validateRescue()) },
		h.validateConversation,
		func() error { return within("kill_response", h.KillResponse.validate()) },
		h.validateResponseHeader,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) validateVariants(g stage) error {
	if len(h.Variants) == 0 {
		return wrong("variants", "split %q has no variants; it needs at least one", h.Name)
	}
	var sum splitter.Weight
	for i, v := range h.Variants {
		if err := v.validate(g); err != nil {
			return within(item("variants", i), err)
		}
		if slices.Contains(h.variantNames()[:i], v.Name) {
			return wrong(item("variants", i)+".name", "variant %q is defined twice", v.Name)
		}
		sum += v.Weight
	}
	if sum != splitter.Full {
		return wrong("variants", "the variants' weights add up to %s %%, must be 100 %%",
			strings.TrimSuffix(sum.String(), "%"))
	}
	return nil
}

func (v *Variant) validate(g stage) error {
	switch {
	case !splitter.ValidName(v.Name):
		return wrong("name", "variant name %q: it %s", v.Name, nameRule)
	case v.Weight > splitter.Full:
		return wrong("weight", "variant %q has weight %v, must be at most 100%%", v.Name, v.Weight)
	case len(v.HandlersRaw) == 0:
		return wrong("handle", "variant %q has no route: it needs upstreams or a handle block", v.Name)
	case v.Version == "" || g.unknown(v.Version):
		return nil
	case len(v.Version) > maxVersion || strings.ContainsFunc(v.Version, isControl):
		return wrong("version", "variant %q: version %.80q must be at most %d bytes on one line",
			v.Name, v.Version, maxVersion)
	}
	return nil
}

func (h *Handler) validateRoles() error {
	switch {
	case h.stable() == "":
		return wrong("stable", "split %q names no stable variant; it must be one of %s", h.Name, h.listVariants())
	case h.variant(h.stable()) == nil:
		return h.unknownVariant("stable", "stable", h.Stable)
	case h.Canary == "":
		return nil
	case h.variant(h.Canary) == nil:
		return h.unknownVariant("canary", "canary", h.Canary)
	case h.Canary == h.stable():
		return wrong("canary", "variant %q is both stable and canary; they must differ", h.Canary)
	}
	return nil
}

func (h *Handler) validateResponseHeader() error {
	if h.ResponseHeader != "" && !isToken(h.ResponseHeader) {
		return wrong("response_header", "response_header %q is not the name of a header", h.ResponseHeader)
	}
	return nil
}

func (h *Handler) validateContact(g stage) error {
	if !g.unknown(h.Contact) && (len(h.Contact) > maxContact || strings.ContainsFunc(h.Contact, isControl)) {
		return wrong("contact", "contact %.80q must be at most %d bytes on one line", h.Contact, maxContact)
	}
	return nil
}

func (h *Handler) validateDrillEvery() error {
	if d := h.DrillEvery; d != 0 && (d < minDrillEvery || d > maxDrillEvery) {
		return wrong("drill_every", "drill_every %s: it must be from %s to %s", d, minDrillEvery, maxDrillEvery)
	}
	return nil
}

// stable returns the stable variant's name: an only variant need not be named.
func (h *Handler) stable() string {
	if h.Stable == "" && len(h.Variants) == 1 {
		return h.Variants[0].Name
	}
	return h.Stable
}

// variant returns the variant of that name, or nil.
func (h *Handler) variant(name string) *Variant {
	i := slices.IndexFunc(h.Variants, func(v *Variant) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return h.Variants[i]
}

func (h *Handler) variantNames() []string {
	names := make([]string, len(h.Variants))
	for i, v := range h.Variants {
		names[i] = v.Name
	}
	return names
}

func (h *Handler) listVariants() string { return quoted(h.variantNames()) }

func (h *Handler) unknownVariant(path, what, name string) error {
	return wrong(path, "%s %q is not a variant of split %q; it must be one of %s",
		what, name, h.Name, h.listVariants())
}

func (k *KillResponse) validate() error {
	if k == nil {
		return nil
	}
	if k.Status != 0 && (k.Status < 400 || k.Status > 599) {
		return wrong("status", "kill_response status %d must be from 400 to 599", k.Status)
	}
	if k.RetryAfter < 0 || time.Duration(k.RetryAfter)%time.Second != 0 {
		return wrong("retry_after", "retry_after %v must be one second or more, in whole seconds",
			time.Duration(k.RetryAfter))
	}
	return nil
}

// isControl reports whether r is a control character.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// isToken reports whether s can name a header or a cookie (a token of RFC 9110, section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
