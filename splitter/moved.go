package splitter

import (
	"cmp"
	"slices"
	"time"
)

// MaxHold is how long a State remembers a move of buckets, and so the longest that a conversation can be held by one.
const MaxHold = 24 * time.Hour

// maxMoves is how many moves a State remembers. Of more the oldest are forgotten: conversations that they hold go where
// their bucket goes, earlier than they were promised.
const maxMoves = 64

// Move remembers that buckets were taken from a variant, so that conversations that began there may stay for a while.
type Move struct {
	// Range is the buckets, and the variant that had them before.
	Range
	// At is when they were taken from it, by the store's clock; the last time, if it was more than once.
	At time.Time `json:"at"`
	// Salt is what keys were mixed into these buckets with; empty if that is the State's own.
	Salt string `json:"salt,omitempty"`
	// Failed says that the variant was failed back or rolled back then or later, by a verdict or by hand, and had no range
	// again since.
	Failed bool `json:"failed,omitempty"`
}

// Remember notes in s, which was made of these States, which buckets it took from whom; it took them when it was changed
// last. What the parents remember stays, but for moves that are too old to hold anything. If nothing moved, the moves of
// an only parent stay as they are.
//
// Where s has another salt than a parent, its buckets hold other keys. If the parent had all keys on one variant, that is
// no matter; otherwise all of them count as taken from where they were.
func (s *State) Remember(parents ...*State) {
	var fresh []Move
	for _, p := range parents {
		fresh = append(fresh, takenFrom(p, s)...)
	}
	if len(parents) == 1 && len(fresh) == 0 {
		s.Moved = movesUnder(parents[0], s.Salt)
		return
	}
	var all []Move
	for _, p := range parents {
		all = append(all, movesUnder(p, s.Salt)...)
	}
	s.Moved = foldMoves(append(all, fresh...), s.Changed.At)
	isGivenUp := s.Progress.Phase == PhaseFailedBack || s.Progress.Ended == EndRolledBack
	if isGivenUp || slices.ContainsFunc(parents, s.isAbortOf) {
		for i := range s.Moved {
			s.Moved[i].Failed = s.Moved[i].Failed || s.Moved[i].Variant == s.Canary
		}
	}
}

// isAbortOf reports whether s gave up the trial that a parent was in, by hand: its canary lost all that it had.
func (s *State) isAbortOf(p *State) bool {
	return p.Progress.Phase == PhaseTrial && p.Canary == s.Canary && s.Weights()[s.Canary] == 0
}

// RenameMoves returns moves with one variant's name replaced.
func RenameMoves(moves []Move, from, to string) []Move {
	renamed := slices.Clone(moves)
	for i := range renamed {
		if renamed[i].Variant == from {
			renamed[i].Variant = to
		}
	}
	return renamed
}

// takenFrom returns which buckets s took from whom.
func takenFrom(p, s *State) []Move {
	var moves []Move
	add := func(r Range, salt string) { moves = append(moves, Move{Range: r, At: s.Changed.At, Salt: salt}) }
	if p.Salt != s.Salt && len(p.Ranges) > 1 {
		for _, r := range p.Ranges {
			add(r, p.Salt)
		}
		return moves
	}
	for i, j := 0, 0; i < len(p.Ranges) && j < len(s.Ranges); {
		before, after := p.Ranges[i], s.Ranges[j]
		both := Range{max(before.From, after.From), min(before.To, after.To), before.Variant}
		if before.Variant != after.Variant && both.From < both.To {
			add(both, "")
		}
		if before.To <= after.To {
			i++
		}
		if after.To <= before.To {
			j++
		}
	}
	return moves
}

// movesUnder returns what p remembers as a State with another salt would say it.
func movesUnder(p *State, salt string) []Move {
	moves := slices.Clone(p.Moved)
	if p.Salt == salt {
		return moves
	}
	for i := range moves {
		switch moves[i].Salt {
		case "":
			moves[i].Salt = p.Salt
		case salt:
			moves[i].Salt = ""
		}
	}
	return moves
}

// foldMoves leaves of all moves the last of each bucket and variant, and of these the newest.
func foldMoves(moves []Move, now time.Time) []Move {
	slices.SortStableFunc(moves, func(a, b Move) int { return a.At.Compare(b.At) })
	var last []Move
	for _, m := range moves {
		if now.Sub(m.At) <= MaxHold {
			last = append(without(last, m), m)
		}
	}
	slices.SortFunc(last, Move.comparePlace)
	last = joinMoves(last)
	if len(last) > maxMoves {
		slices.SortStableFunc(last, func(a, b Move) int { return b.At.Compare(a.At) })
		last = last[:maxMoves]
		slices.SortFunc(last, Move.comparePlace)
	}
	return slices.Clip(last)
}

// comparePlace orders moves by salt, variant and buckets.
func (m Move) comparePlace(o Move) int {
	return cmp.Or(cmp.Compare(m.Salt, o.Salt), cmp.Compare(m.Variant, o.Variant), cmp.Compare(m.From, o.From))
}

// without takes the buckets of a later move out of the same variant's earlier ones.
func without(moves []Move, later Move) []Move {
	var rest []Move
	for _, m := range moves {
		if m.Salt != later.Salt || m.Variant != later.Variant || m.To <= later.From || later.To <= m.From {
			rest = append(rest, m)
			continue
		}
		below, above := m, m
		below.To, above.From = later.From, later.To
		for _, part := range []Move{below, above} {
			if part.From < part.To {
				rest = append(rest, part)
			}
		}
	}
	return rest
}

// joinMoves makes one of neighbours that differ in nothing else. The moves are sorted.
func joinMoves(moves []Move) []Move {
	var joined []Move
	for _, m := range moves {
		if n := len(joined); n > 0 && joined[n-1].adjoins(m) {
			joined[n-1].To = m.To
			continue
		}
		joined = append(joined, m)
	}
	return joined
}

func (m Move) adjoins(next Move) bool {
	return m.To == next.From && m.Variant == next.Variant && m.Salt == next.Salt && m.Failed == next.Failed &&
		m.At.Equal(next.At)
}
