package splitter

import (
	"slices"
	"time"
)

// Drilled says of the last drill that passed when that was, by the store's clock, and who held it. The zero value means
// that none has.
type Drilled struct {
	At time.Time `json:"at"`
	By string    `json:"by,omitempty"`
}

// FailedDrill says of the latest drill that did not pass when that was, by the store's clock, who held it, which of its steps
// failed first and why. The zero value means that there was none, or that one has passed since.
type FailedDrill struct {
	At   time.Time `json:"at"`
	By   string    `json:"by,omitempty"`
	Step string    `json:"step,omitempty"`
	Why  string    `json:"why,omitempty"`
}

// LatestDrillFailed returns the latest drill and true if it did not pass. A release that does not know of failed drills
// leaves an earlier one in the State when a drill passes: that one is over.
func (s *State) LatestDrillFailed() (FailedDrill, bool) {
	if !s.DrillFailed.At.After(s.Drilled.At) {
		return FailedDrill{}, false
	}
	return s.DrillFailed, true
}

// drill is a Drill compiled for an instance: where its users go.
type drill struct {
	users    []string
	decision Decision
}

// compileDrill returns the State's drill for an instance, nil if there is none. A variant that is killed or unknown here is
// absent, as it is to an override. When a drill is over is not looked at, as a table has no clock: whoever writes States
// takes it out of them.
func (t *Table) compileDrill(s *State, known []string) *drill {
	if s.Drill == nil {
		return nil
	}
	d := &drill{users: s.Drill.Users, decision: t.fallback}
	if v := slices.Index(known, s.Drill.Variant); v >= 0 {
		d.decision = t.byVariant[v]
	}
	return d
}

// Drilling reports whether some users are placed by a drill, so that [Request].User is looked at.
func (t *Table) Drilling() bool { return t.drill != nil }

// inDrill reports whether a drill places the request.
func (t *Table) inDrill(r Request) bool {
	if t.drill == nil || r.User == "" {
		return false
	}
	_, found := slices.BinarySearch(t.drill.users, r.User)
	return found
}

// clone returns a deep copy; nil of nil.
func (d *Drill) clone() *Drill {
	if d == nil {
		return nil
	}
	c := *d
	c.Users = slices.Clone(d.Users)
	return &c
}
