package demo

import (
	"maps"
	"slices"
	"time"
)

// maxComplaints is how many different ones a tally keeps.
const maxComplaints = 3

// tally sums up one era: the answers to requests that began in it. A request that began earlier was decided on by
// other weights, so it counts for the era that it began in, even if it ends in this one.
type tally struct {
	open    int // requests without an answer yet
	answers int
	served  map[string]int // by variant
	failed  map[string]int // by variant; "" if no agent had a part in it
	refused int
	// on counts users by the variant that they were on last.
	on map[string]int
	// seen counts users with an answer of any kind, hurt those who got a failed one.
	seen, hurt int
	// moves counts users who changed from one variant to another, since the era before or within this one; within
	// counts the latter.
	moves  map[move]int
	within int
	// firstFailure is when the first failed answer ended; zero if there is none.
	firstFailure time.Time
	complaints   []string // some of what was wrong
}

// move is a change of one user's variant.
type move struct{ from, to string }

func newTally() *tally {
	return &tally{served: map[string]int{}, failed: map[string]int{}, on: map[string]int{}, moves: map[move]int{}}
}

// clone returns a copy that nobody else writes.
func (t *tally) clone() tally {
	c := *t
	c.served, c.failed = maps.Clone(t.served), maps.Clone(t.failed)
	c.on, c.moves = maps.Clone(t.on), maps.Clone(t.moves)
	c.complaints = slices.Clone(t.complaints)
	return c
}

// failures counts failed answers.
func (t *tally) failures() int {
	sum := 0
	for _, n := range t.failed {
		sum += n
	}
	return sum
}

// placed counts users who were on some variant.
func (t *tally) placed() int {
	sum := 0
	for _, n := range t.on {
		sum += n
	}
	return sum
}

// count adds an answer to the sums.
func (t *tally) count(a answer) {
	t.answers++
	switch a.result {
	case served:
		t.served[a.variant]++
	case refused:
		t.refused++
	case failed:
		t.failed[a.variant]++
		if ended := a.began.Add(a.took); t.firstFailure.IsZero() || ended.Before(t.firstFailure) {
			t.firstFailure = ended
		}
		if len(t.complaints) < maxComplaints && !slices.Contains(t.complaints, a.why) {
			t.complaints = append(t.complaints, a.why)
		}
	}
}
