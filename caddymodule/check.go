package caddymodule

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/switchback-proxy/switchback/health"
)

// The rules that checks keep to.
const (
	maxChecks           = 16
	maxProbes           = 10
	defaultProbes       = 3
	maxCheckBody        = 64 << 10 // bytes, of what is sent and of what is looked at
	maxCheckTimeout     = caddy.Duration(time.Minute)
	defaultCheckTimeout = caddy.Duration(5 * time.Second)
)

// mayBeExpected reports whether a status, or a first digit for all that begin so, can be what a check expects.
func mayBeExpected(status int) bool {
	return status >= 2 && status <= 5 || status >= 200 && status <= 599
}

func expectedError(s string) error {
	return fmt.Errorf("%q: each must be a status from 200 to 599, or one such as 2xx for all of them", s)
}

func (h *Handler) validateChecks(g stage) error {
	if len(h.Checks) > maxChecks {
		return wrong(item("checks", maxChecks), "%d checks: there may be at most %d", len(h.Checks), maxChecks)
	}
	for i, c := range h.Checks {
		if err := c.validate(g); err != nil {
			return within(item("checks", i), err)
		}
	}
	if p := h.Probes; p != nil && (*p < 0 || *p > maxProbes) {
		return wrong("probes", "probes %d: it must be a number from 0 to %d", *p, maxProbes)
	}
	return nil
}

func (c *Check) validate(g stage) error {
	if c.Method != "" && !isToken(c.Method) {
		return wrong("method", "check method %q: it must be one such as GET or POST", c.Method)
	}
	if _, err := url.ParseRequestURI(c.URI); err != nil || c.URI[0] != '/' {
		return wrong("uri", "check %q: it must be a path that begins with /, such as /healthz", c.URI)
	}
	if err := c.validateHeader(g); err != nil {
		return err
	}
	for _, status := range c.Status {
		if !mayBeExpected(status) {
			return wrong("status", "status %w", expectedError(fmt.Sprint(status)))
		}
	}
	switch {
	case len(c.Body) > maxCheckBody:
		return wrong("body", "body of %d bytes: it must have at most %d", len(c.Body), maxCheckBody)
	case len(c.BodyContains) > maxCheckBody:
		return wrong("body_contains", "body_contains of %d bytes: it must have at most %d", len(c.BodyContains), maxCheckBody)
	case c.Timeout < 0 || c.Timeout > 0 && c.Timeout < caddy.Duration(time.Millisecond) || c.Timeout > maxCheckTimeout:
		return wrong("timeout", "timeout %s: it must be from 1ms to %s", health.Duration(c.Timeout), health.Duration(maxCheckTimeout))
	}
	return nil
}

// validateHeader quotes no value, as it may be a secret.
func (c *Check) validateHeader(g stage) error {
	for _, name := range sortedKeys(c.Header) {
		if !isToken(name) {
			return wrong("header", "header %q: it is not the name of a header", name)
		}
		if slices.ContainsFunc(c.Header[name], func(v string) bool { return !g.unknown(v) && strings.ContainsFunc(v, isControl) }) {
			return wrong("header", "header %s: its value must be on one line", name)
		}
	}
	return nil
}

// fields lists what of a check has placeholders, by path.
func (c *Check) fields(path string, fields map[string]*string) {
	for _, name := range sortedKeys(c.Header) {
		for i := range c.Header[name] {
			fields[path+".header."+item(name, i)] = &c.Header[name][i]
		}
	}
}

func (c *Check) setDefaults() {
	c.Method = cmp.Or(c.Method, http.MethodGet)
	c.Timeout = cmp.Or(c.Timeout, defaultCheckTimeout)
	if c.Status == nil {
		c.Status = []int{2}
	}
}

// name says for people which check it is. A query may hold a secret.
func (c *Check) name() string {
	path, _, _ := strings.Cut(c.URI, "?")
	return c.Method + " " + path
}

// expects reports whether a status is one that a check asks for.
func (c *Check) expects(status int) bool {
	return slices.ContainsFunc(c.Status, func(s int) bool { return caddyhttp.StatusCodeMatches(status, s) })
}

// expected lists the statuses for a message.
func (c *Check) expected() string {
	texts := make([]string, len(c.Status))
	for i, s := range c.Status {
		texts[i] = statusText(s)
	}
	return strings.Join(texts, " or ")
}

// probe is the request that is asked again and again: the first check's, or if there is none, one whose answer may be anything
// that is no failure.
func (h *Handler) probe() *Check {
	if len(h.Checks) > 0 {
		return h.Checks[0]
	}
	return &Check{Method: http.MethodGet, URI: "/", Timeout: defaultCheckTimeout}
}
