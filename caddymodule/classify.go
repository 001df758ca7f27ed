package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/stream"
)

// classifyOff is the format that is none.
const classifyOff = "off"

// format returns what answers are read as, stream.Unknown if they are not read. It must be valid.
func (c *Classify) format() stream.Format {
	if c == nil || c.Format == "" {
		return stream.Auto
	}
	if i := slices.Index(formatNames(), c.Format); i >= 0 {
		return stream.Formats()[i]
	}
	return stream.Unknown
}

func formatNames() []string {
	var names []string
	for _, f := range stream.Formats() {
		names = append(names, f.String())
	}
	return names
}

func (c *Classify) validate() error {
	if c == nil || c.Format == "" {
		return nil
	}
	known := append([]string{classifyOff}, formatNames()...)
	switch {
	case !slices.Contains(known, c.Format):
		return wrong("format", "classify %q is no format of answers; %s", c.Format, suggest(c.Format, known))
	case c.Format == classifyOff && c.KeepEncoding:
		return wrong("keep_encoding", "classify is off and keeps the encoding; nothing is asked for then in any case")
	}
	return nil
}

// asksIdentity reports whether variants are asked not to compress.
func (h *Handler) asksIdentity() bool {
	return h.format != stream.Unknown && (h.Classify == nil || !h.Classify.KeepEncoding)
}

func (h *Handler) validateFailingStatuses() error {
	for i, status := range h.FailingStatuses {
		if !mayFail(status) {
			return wrong(item("failing_statuses", i), "failing_statuses %w", statusError(fmt.Sprint(status)))
		}
	}
	return nil
}

// mayFail reports whether a status, or a first digit for all that begin so, can be the variant's failure.
func mayFail(status int) bool { return status == 4 || status == 5 || status >= 400 && status <= 599 }

func statusError(s string) error {
	return fmt.Errorf("%q: each must be a status from 400 to 599, or 4xx or 5xx for all of them", s)
}

// fails reports whether a status is the variant's failure.
func (h *Handler) fails(status int) bool {
	return slices.ContainsFunc(h.FailingStatuses, func(failing int) bool {
		return caddyhttp.StatusCodeMatches(status, failing)
	})
}

func (h *Handler) validateAgentOutcome() error {
	switch h.AgentOutcome {
	case "", agentOutcomeTrust, agentOutcomeIgnore:
		return nil
	}
	return wrong("agent_outcome", "agent_outcome %q: it must be trust or ignore", h.AgentOutcome)
}

func (h *Handler) validateStall() error {
	if stall := time.Duration(h.Stall); stall < 0 || stall > 0 && stall < minStall {
		return wrong("stall", "stall %v: it must be %v or longer", stall, minStall)
	}
	return nil
}

// excludes reports whether the request is no evidence, whoever answers it.
func (h *Handler) excludes(r *http.Request) bool {
	if len(h.excluded) == 0 {
		return false
	}
	match, err := h.excluded.AnyMatchWithError(r)
	if err != nil {
		h.log.Error("a matcher of exclude_from_evidence failed; the request counts",
			zap.String("split", h.Name), zap.Error(err))
	}
	return match && err == nil
}
