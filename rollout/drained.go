package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Drain says whether a variant is still needed.
type Drain string

// The answers.
const (
	// Drained means that nothing leads to the variant any more: it can be deleted.
	Drained Drain = "drained"
	// DrainInUse means that something does.
	DrainInUse Drain = "in_use"
	// DrainUnknown means that nothing is known to, and that not every member of the fleet could be asked.
	DrainUnknown Drain = "unknown"
)

// DrainStatus is what is known of whether a variant is still needed, over the fleet.
type DrainStatus struct {
	Split   string `json:"split"`
	Variant string `json:"variant"`
	// Result is drained, in_use or unknown.
	Result Drain `json:"result"`
	// Why says in sentences what still leads to the variant, or what is not known. Empty if it is drained.
	Why []string `json:"why"`
	// Weight is the variant's share.
	Weight splitter.Weight `json:"weight"`
	// InFlight counts requests in progress on it, open streams among them, as the living members last told.
	InFlight int `json:"in_flight"`
	// Conversations counts those that members have seen on it within the time to hold.
	Conversations int `json:"conversations"`
	// HeldUntil is when the last conversation that may be held on it moves, at the latest; absent if none is.
	HeldUntil time.Time `json:"held_until,omitzero"`
	// Now is the store's clock.
	Now time.Time `json:"now"`
}

// Drained says whether a variant can be deleted: it is not stable and has no share, every member knows that, none has
// requests in progress on it or an override that leads to it, and no conversation is held on it any more.
func (c *Controller) Drained(ctx context.Context, split, variant string) (DrainStatus, error) {
	s, err := c.find(split)
	if err != nil {
		return DrainStatus{}, err
	}
	p, err := c.roll(ctx)
	if err != nil {
		return DrainStatus{}, unanswered(err)
	}
	state, def := s.State(), s.Definition()
	if state == nil {
		return DrainStatus{}, fmt.Errorf("%w: no state of %q is known yet", ErrUnavailable, split)
	}
	hasMoved := slices.ContainsFunc(state.Moved, func(m splitter.Move) bool { return m.Variant == variant })
	if err := knows(state, def, variant); err != nil && !hasMoved {
		return DrainStatus{}, err
	}
	return drainOf(state, variant, p), nil
}

// drainOf judges by a State and what the members told. What a silent one told last says nothing of now.
func drainOf(state *splitter.State, variant string, p store.Pulse) DrainStatus {
	d := DrainStatus{Split: state.Split, Variant: variant, Result: Drained, Why: []string{}, Weight: state.Weights()[variant], Now: p.Now}
	d.judgeRole(state)
	var unknown []string
	for _, m := range p.Members {
		applied, runs := m.Applied[d.Split]
		active, tells := m.Active[d.Split]
		switch {
		case !runs || m.IsReplaced(p.Members, p.Now):
			continue
		case !isAlive(p, m):
			unknown = append(unknown, fmt.Sprintf("%s, and may still serve; once it is gone for good, forget it", memberText(m, p.Now)))
			continue
		case !tells:
			unknown = append(unknown, fmt.Sprintf("%s does not tell what it does, as its release is an earlier one", m.Name))
		case applied != state.Version:
			d.needed("%s has not applied revision %d yet", m.Name, state.Revision)
		}
		if slices.Contains(active.Overrides, variant) {
			d.needed("an override in the file of %s leads to it", m.Name)
		}
		d.InFlight += active.InFlight[variant]
		d.Conversations += active.Conversations[variant]
		d.HeldUntil = latest(d.HeldUntil, heldUntil(state, variant, active, p.Now))
	}
	d.judgeUse()
	if d.Result == Drained && len(unknown) > 0 {
		d.Result = DrainUnknown
	}
	d.Why = append(d.Why, unknown...)
	return d
}

// judgeUse says whether anything on the members needs the variant.
func (d *DrainStatus) judgeUse() {
	switch d.InFlight {
	case 0:
	case 1:
		d.needed("1 request is in progress on it")
	default:
		d.needed("%d requests are in progress on it", d.InFlight)
	}
	if !d.HeldUntil.IsZero() {
		d.needed("conversations may be held on it until %s at the latest", clockOf(d.HeldUntil))
	}
}

// judgeRole says whether the State itself needs the variant.
func (d *DrainStatus) judgeRole(state *splitter.State) {
	if d.Variant == state.Stable {
		d.needed("it is stable")
	}
	if d.Weight > 0 {
		d.needed("it has %s of the users", d.Weight)
	}
}

// needed notes what the variant is still needed for.
func (d *DrainStatus) needed(format string, args ...any) {
	d.Result = DrainInUse
	d.Why = append(d.Why, fmt.Sprintf(format, args...))
}

// heldUntil is when a member stops to hold conversations on a variant, at the latest; zero if it holds none.
func heldUntil(state *splitter.State, variant string, a store.Activity, now time.Time) time.Time {
	var until time.Time
	if a.Hold == 0 || state.KillOf(variant) != nil {
		return until
	}
	for _, m := range state.Moved {
		end := m.At.Add(time.Duration(a.Hold))
		if m.Variant == variant && (!m.Failed || a.Finish) && end.After(now) {
			until = latest(until, end)
		}
	}
	return until
}

// talkNote says what becomes of the conversations of those whom the last change moved, by this instance's file.
func talkNote(state *splitter.State, s *Split) string {
	if s == nil || state == nil || s.Definition().Conversations == nil {
		return ""
	}
	var lost, notes []string
	for _, m := range state.Moved {
		if m.At.Equal(state.Changed.At) {
			lost = append(lost, m.Variant)
		}
	}
	slices.Sort(lost)
	for _, v := range slices.Compact(lost) {
		if until := heldUntil(state, v, s.activity(), state.Changed.At); until.IsZero() {
			notes = append(notes, fmt.Sprintf("conversations on %s go on elsewhere with their next turn", v))
		} else {
			notes = append(notes, fmt.Sprintf("conversations may stay on %s until %s", v, clockOf(until)))
		}
	}
	return strings.Join(notes, "; ")
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
