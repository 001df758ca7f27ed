package splitter

import (
	"fmt"
	"time"
)

// Trickle is a share of the buckets that stable keeps while the canary has the rest, so that there is always a baseline
// to compare the canary with. It is part of the State, so that every instance lowers it at the same time, and once.
type Trickle struct {
	// Epoch is the trial that it belongs to. In another one it means nothing: a release that does not know trickles carries
	// them along.
	Epoch uint64 `json:"epoch"`
	// Keeps is stable's share for now. Where stable has another, somebody has changed the weights since.
	Keeps Weight `json:"keeps"`
	// Until is when stable's share is lowered to Then, by the store's clock; zero if it stays as it is.
	Until time.Time `json:"until,omitzero"`
	// Then is the share that stable keeps from Until on; at most Keeps.
	Then Weight `json:"then"`

	unknown unknownFields
}

// RunningTrickle returns the trickle of the present trial, or nil: whatever stable's share is, the trial's first watch
// has begun.
func (s *State) RunningTrickle() *Trickle {
	if s.Trickle == nil || s.Trickle.Epoch != s.Epoch || s.Progress.Phase != PhaseTrial {
		return nil
	}
	return s.Trickle
}

// IsTrickling reports whether a trickle is what stable's whole share is.
func (s *State) IsTrickling() bool {
	t := s.RunningTrickle()
	return t != nil && s.Weights()[s.Stable] == t.Keeps
}

// clone returns a copy; nil of nil.
func (t *Trickle) clone() *Trickle {
	if t == nil {
		return nil
	}
	c := *t
	c.unknown = t.unknown.clone()
	return &c
}

func (t *Trickle) validate() error {
	switch {
	case t == nil:
		return nil
	case t.Keeps == 0 || t.Keeps > Full/2 || t.Then == 0:
		return fmt.Errorf("trickle of %s, then %s: both must be above 0%% and at most 50%%", t.Keeps, t.Then)
	case t.Then > t.Keeps:
		return fmt.Errorf("trickle of %s, then %s: the second must not be greater than the first", t.Keeps, t.Then)
	}
	return nil
}
