package splitter

import (
	"slices"
	"time"
)

// Pin says where a conversation is: the variant that it began on, or was moved to. The zero value is none.
type Pin struct {
	// Variant is the variant's name.
	Variant string
	// Epoch is the State's epoch when it was pinned.
	Epoch uint64
}

// Hold says which pins count. The zero value holds by every move that the State remembers, and lets failed-back variants
// go.
type Hold struct {
	// Since is the earliest move of buckets that still holds a conversation where it was: now less the time to hold.
	Since time.Time
	// Finish lets conversations stay on a variant that was failed back.
	Finish bool
}

// pinMove is a Move compiled for an instance: what a pin to its variant is answered with.
type pinMove struct {
	from, to uint32
	hasher   Hasher
	variant  string
	failed   bool
	at       time.Time
	decision Decision
}

// compileMoves returns the moves that can hold anybody: those from variants that serve here.
func (t *Table) compileMoves(s *State, known []string) []pinMove {
	var moves []pinMove
	for _, m := range s.Moved {
		v := slices.Index(known, m.Variant)
		if v < 0 || s.KillOf(m.Variant) != nil {
			continue
		}
		hasher := t.hasher
		if m.Salt != "" {
			hasher = NewHasher(m.Salt)
		}
		moves = append(moves, pinMove{m.From, m.To, hasher, m.Variant, m.Failed, m.At, Decision{Variant: v, Reason: ReasonPin}})
	}
	return moves
}

// MayBePinned reports whether a pin could place the request elsewhere than its bucket: whether its bucket was taken from
// a variant lately that still serves. Whoever keeps pins need not look for one otherwise. It allocates nothing.
func (t *Table) MayBePinned(r Request, h Hold) bool {
	if !t.isByBucket(r) {
		return false
	}
	for i := range t.moves {
		if t.moves[i].holds(r.Key, h) {
			return true
		}
	}
	return false
}

// DecidePinned answers one request whose conversation is pinned. The pin counts only with a key, and if its variant had
// the key's bucket within the time to hold, so that nobody gets where they could not have been. It takes no lock and
// allocates nothing.
func (t *Table) DecidePinned(r Request, p Pin, h Hold) Decision {
	byBucket := t.Decide(r)
	if !t.isByBucket(r) {
		return byBucket
	}
	for i := range t.moves {
		m := &t.moves[i]
		if m.variant == p.Variant && m.decision.Variant != byBucket.Variant && m.holds(r.Key, h) {
			d := m.decision
			d.Bucket, d.Current = t.hasher.Bucket(r.Key), p.Epoch == t.epoch
			return d
		}
	}
	return byBucket
}

// isByBucket reports whether the request's bucket decides, if no pin does and no kill.
func (t *Table) isByBucket(r Request) bool {
	return r.Key != "" && r.Override <= 0 && !t.inDrill(r)
}

// holds reports whether the move took the key's bucket, and lately enough.
func (m *pinMove) holds(key string, h Hold) bool {
	if m.failed && !h.Finish || m.at.Before(h.Since) {
		return false
	}
	bucket := m.hasher.Bucket(key)
	return m.from <= bucket && bucket < m.to
}

// IsEvidence reports whether what becomes of the request is evidence on the variant: if its bucket placed it, or a pin
// of the same epoch.
func (d Decision) IsEvidence() bool {
	return d.Reason == ReasonSplit || d.Reason == ReasonPin && d.Current
}
