package demo

import (
	"sync"
	"time"
)

// ledger records all answers: per era for the verdicts on the steps, and over the last seconds for the live table. Its
// methods may be called concurrently.
type ledger struct {
	mu      sync.Mutex // protects following
	tallies []*tally   // by era; the last one is the present
	users   []user
	board   board
}

// user is what is remembered of one visitor.
type user struct {
	variant string // the last known; empty if never served
	placed  int    // the era that variant is from
	seen    int    // the last era with an answer
	hurt    int    // the last era with a failed answer
}

// newLedger returns a ledger for so many users. The variants named are shown even before anybody met them.
func newLedger(users int, start time.Time, variants ...string) *ledger {
	l := &ledger{users: make([]user, users), tallies: []*tally{newTally()}, board: newBoard(start, variants)}
	for i := range l.users {
		l.users[i] = user{placed: -1, seen: -1, hurt: -1}
	}
	return l
}

// begin notes that a request begins, and returns the era that it belongs to. Either record or drop must follow.
func (l *ledger) begin() (era int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	era = len(l.tallies) - 1
	l.tallies[era].open++
	return era
}

// drop forgets a request that was given up.
func (l *ledger) drop(era int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tallies[era].open--
}

// next begins a new era and returns it.
func (l *ledger) next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tallies = append(l.tallies, newTally())
	return len(l.tallies) - 1
}

// tally returns the sums of an era so far.
func (l *ledger) tally(era int) tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tallies[era].clone()
}

// show returns what the live table shows at a moment.
func (l *ledger) show(now time.Time) view {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.board.view(now)
}

// record enters the answer to a request that began. One user's answers must come in the order of their requests.
func (l *ledger) record(a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.board.add(a)
	t, u := l.tallies[a.era], &l.users[a.user]
	t.open--
	t.count(a)
	if u.seen != a.era {
		u.seen = a.era
		t.seen++
	}
	if a.result == failed && u.hurt != a.era {
		u.hurt = a.era
		t.hurt++
	}
	if a.variant != "" {
		u.place(t, a)
	}
}

// place notes the variant that a user is on.
func (u *user) place(t *tally, a answer) {
	again := u.placed == a.era
	if u.variant != "" && u.variant != a.variant {
		t.moves[move{u.variant, a.variant}]++
		if again {
			t.within++
		}
	}
	if again {
		t.on[u.variant]--
	}
	t.on[a.variant]++
	u.variant, u.placed = a.variant, a.era
}
