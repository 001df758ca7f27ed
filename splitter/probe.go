package splitter

import (
	"fmt"
	"slices"
	"time"
)

// Probe says that the canary lends stable some of its buckets for a moment, because it seems to fail and there was no
// baseline that could tell a shared cause. They are the highest that it had, and it gets just those back.
type Probe struct {
	// Epoch is the trial that it belongs to; in another one it means nothing, as with a [Trickle].
	Epoch uint64 `json:"epoch"`
	// Since and Until are from when to when it is planned to last, by the store's clock.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Why is what the canary is suspected of, one sentence for people.
	Why string `json:"why,omitempty"`
	// Lent lists the buckets, ascending.
	Lent []Span `json:"lent"`
	// Holds is stable's share while it lasts. Where stable has another, somebody has changed the weights since.
	Holds Weight `json:"holds"`

	unknown unknownFields
}

// Span is the buckets From ≤ bucket < To.
type Span struct {
	From uint32 `json:"from"`
	To   uint32 `json:"to"`
}

// RunningProbe returns the probe of the present trial, or nil: also if somebody changed the weights since it began.
func (s *State) RunningProbe() *Probe {
	p := s.Probe
	if p == nil || p.Epoch != s.Epoch || s.Progress.Phase != PhaseTrial || s.Weights()[s.Stable] != p.Holds {
		return nil
	}
	isStables := func(span Span) bool { return s.hasAll(s.Stable, span) }
	if slices.ContainsFunc(p.Lent, func(span Span) bool { return !isStables(span) }) {
		return nil
	}
	return p
}

// hasAll reports whether a span is one variant's.
func (s *State) hasAll(variant string, span Span) bool {
	return slices.ContainsFunc(s.Ranges, func(r Range) bool {
		return r.Variant == variant && r.From <= span.From && span.To <= r.To
	})
}

// Taken returns the buckets that a variant has in the first ranges and has not in the second, ascending.
func Taken(before, after []Range, variant string) []Span {
	b, a := State{Ranges: before}, State{Ranges: after}
	var spans []Span
	for _, m := range takenFrom(&b, &a) {
		if m.Variant != variant {
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].To == m.From {
			spans[n-1].To = m.To
			continue
		}
		spans = append(spans, Span{m.From, m.To})
	}
	return spans
}

// Grant returns the ranges with all of the spans, which are ascending and do not overlap, given to one variant.
func Grant(ranges []Range, spans []Span, variant string) []Range {
	var granted []Range
	for _, r := range ranges {
		for _, s := range spans {
			from, to := max(s.From, r.From), min(s.To, r.To)
			if from >= to {
				continue
			}
			granted = appendRange(granted, Range{r.From, from, r.Variant})
			granted = appendRange(granted, Range{from, to, variant})
			r.From = to
		}
		granted = appendRange(granted, r)
	}
	return granted
}

// clone returns a deep copy; nil of nil.
func (p *Probe) clone() *Probe {
	if p == nil {
		return nil
	}
	c := *p
	c.Lent = slices.Clone(p.Lent)
	c.unknown = p.unknown.clone()
	return &c
}

func (p *Probe) validate() error {
	if p == nil {
		return nil
	}
	var end uint32
	for i, s := range p.Lent {
		if s.From < end || s.To <= s.From || s.To > Buckets {
			return fmt.Errorf("span %d [%d, %d) of the probe: spans ascend, do not overlap and hold one of %d buckets at least",
				i, s.From, s.To, Buckets)
		}
		end = s.To
	}
	if end == 0 || p.Holds == 0 || p.Holds > Full {
		return fmt.Errorf("probe of %v, stable holds %s: it lends a bucket at least, which stable holds", p.Lent, p.Holds)
	}
	return nil
}
