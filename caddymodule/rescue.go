package caddymodule

import (
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// How far a request may have got on the canary to be answered by stable instead.
const (
	rescueUnreached     = "unreached"
	rescueBeforePayload = "before_payload"
)

// What rescuing is like unless configured otherwise, and what it may be.
const (
	defaultRescueHold = caddy.Duration(300 * time.Millisecond)
	defaultRescueBody = 256 << 10
	defaultAtMost     = 0.2
	minRescueHold     = time.Millisecond
	maxRescueHold     = 10 * time.Second
	maxRescueBody     = 16 << 20
)

// setDefaults fills in what a valid configuration leaves out.
func (r *Rescue) setDefaults(failing []int) {
	if r.When == "" {
		r.When = rescueUnreached
	}
	if r.Hold == 0 {
		r.Hold = defaultRescueHold
	}
	if r.AtMost == 0 {
		r.AtMost = defaultAtMost
	}
	if r.Body == 0 {
		r.Body = defaultRescueBody
	}
	if r.Statuses == nil {
		r.Statuses = failing
	}
}

func (h *Handler) validateRescue() error {
	r := h.Rescue
	if r == nil {
		return nil
	}
	hold, timeout := time.Duration(r.Hold), time.Duration(r.Timeout)
	switch {
	case r.Off && !r.isOnlyOff():
		return wrong("off", "rescue is off and has settings; it must be one or the other")
	case r.When != "" && r.When != rescueUnreached && r.When != rescueBeforePayload:
		return wrong("when", "rescue when %q: it must be unreached or before_payload", r.When)
	case r.Hold != 0 && (hold < minRescueHold || hold > maxRescueHold):
		return wrong("hold", "rescue hold %v: it must be from %v to %v", hold, minRescueHold, maxRescueHold)
	case r.AtMost < 0 || r.AtMost > 1:
		return wrong("at_most", "rescue at_most %v: it must be a share of stable's requests, above 0 and at most 1", r.AtMost)
	case r.Body < 0 || r.Body > maxRescueBody:
		return wrong("body", "rescue body %d: it must be above 0 and at most %d bytes (16 MiB)", r.Body, maxRescueBody)
	case timeout < 0:
		return wrong("timeout", "rescue timeout %v: it must be longer than 0s", timeout)
	case r.When != rescueBeforePayload && r.namesPayload() != "":
		return wrong(r.namesPayload(), "rescue %s has a meaning with when before_payload only", r.namesPayload())
	}
	return h.validateRescueStatuses()
}

func (r *Rescue) isOnlyOff() bool {
	return r.When == "" && r.Hold == 0 && r.AtMost == 0 && r.Body == 0 && r.Statuses == nil && r.Timeout == 0
}

// namesPayload returns the first setting that only before_payload knows; "" if there is none.
func (r *Rescue) namesPayload() string {
	switch {
	case r.Hold != 0:
		return "hold"
	case len(r.Statuses) > 0:
		return "statuses"
	case r.Timeout != 0:
		return "timeout"
	}
	return ""
}

// validateRescueStatuses refuses statuses that are no failure of the canary's: what is rescued must count as one.
func (h *Handler) validateRescueStatuses() error {
	failing := h.FailingStatuses
	if failing == nil {
		failing = []int{5}
	}
	for i, status := range h.Rescue.Statuses {
		switch {
		case !mayFail(status):
			return wrong(item("statuses", i), "rescue statuses %w", statusError(fmt.Sprint(status)))
		case !slices.Contains(failing, status) && !slices.Contains(failing, status/100):
			return wrong(item("statuses", i), "rescue statuses %s: it is not among failing_statuses, so it is no failure "+
				"that could be rescued", statusText(status))
		}
	}
	return nil
}

// statusText writes a status as a Caddyfile has it.
func statusText(status int) string {
	if status < 10 {
		return fmt.Sprintf("%dxx", status)
	}
	return fmt.Sprint(status)
}

// rescues reports whether a status is one that stable answers for.
func (r *Rescue) rescues(status int) bool {
	return slices.ContainsFunc(r.Statuses, func(s int) bool { return caddyhttp.StatusCodeMatches(status, s) })
}

// on reports whether anything is rescued.
func (r *Rescue) on() bool { return r != nil && !r.Off }

// holds reports whether the beginnings of the canary's answers are kept back.
func (r *Rescue) holds() bool { return r.on() && r.When == rescueBeforePayload }
