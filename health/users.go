package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
)

// userGroups is how many groups users fall into, by their hashes.
const userGroups = 64

// Users is what is known of the users behind evidence. A user is a keyed hash of 64 bits; who has none (zero) is not
// counted as a user.
type Users struct {
	// Seen counts those who had a request in the window that arrived, was in flight or ended; Failed those of them
	// who had one that failed.
	Seen   Distinct `json:"seen,omitzero"`
	Failed Distinct `json:"failed,omitzero"`
	// TrialSeen and TrialFailed are the same since the epoch began, as far as the instances that run now know.
	TrialSeen   Distinct `json:"trial_seen,omitzero"`
	TrialFailed Distinct `json:"trial_failed,omitzero"`
	// Arrived counts the window's requests by group of users as they arrive, those over a user's five included.
	Arrived Groups `json:"arrived,omitzero"`
	// Judged and Failures count the window's judged requests, and those of them that failed, by group.
	Judged   Groups `json:"judged,omitzero"`
	Failures Groups `json:"failures,omitzero"`
}

// Merge returns the sum of both; a user in both counts once.
func (u Users) Merge(other Users) Users {
	return Users{
		Seen: u.Seen.Merge(other.Seen), Failed: u.Failed.Merge(other.Failed),
		TrialSeen: u.TrialSeen.Merge(other.TrialSeen), TrialFailed: u.TrialFailed.Merge(other.TrialFailed),
		Arrived: u.Arrived.plus(other.Arrived), Judged: u.Judged.plus(other.Judged), Failures: u.Failures.plus(other.Failures),
	}
}

func (u *Users) validate() error {
	for g := range u.Failures {
		if u.Failures[g] > u.Judged[g] {
			return fmt.Errorf("group %d of users has %d failures among %d requests", g, u.Failures[g], u.Judged[g])
		}
	}
	return nil
}

// Groups counts requests by group of users: 64, by 6 bits of their hashes.
type Groups [userGroups]uint64

func groupOf(mark uint32) int { return int(mark % userGroups) }

// top returns the group with the most requests, how many those are, and how many all have.
func (g *Groups) top() (group int, most, all uint64) {
	for i, n := range g {
		all = add(all, n)
		if n > most {
			group, most = i, n
		}
	}
	return group, most, all
}

func (g Groups) plus(other Groups) Groups {
	for i, n := range &other {
		g[i] = add(g[i], n)
	}
	return g
}

// MarshalJSON writes an array; zeros at its end are left out.
func (g Groups) MarshalJSON() ([]byte, error) {
	length := 0
	for i, n := range &g {
		if n > 0 {
			length = i + 1
		}
	}
	return json.Marshal(g[:length])
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses more groups or requests than there can be.
func (g *Groups) UnmarshalJSON(data []byte) error {
	var in []uint64
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("groups of users are an array of whole numbers: %w", err)
	}
	if len(in) > userGroups {
		return fmt.Errorf("there are %d groups of users: must be at most %d", len(in), userGroups)
	}
	*g = Groups{}
	for i, n := range in {
		if n > maxCount {
			return errors.New("a group of users has more requests than can be counted")
		}
		g[i] = n
	}
	return nil
}

// liveUsers is Users while they are written to. A nil *liveUsers takes writes and forgets them.
type liveUsers struct {
	seen, failed              liveDistinct
	arrived, judged, failures [userGroups]atomic.Uint32
}

// arrive counts a request that has come.
func (u *liveUsers) arrive(mark uint32) {
	if u == nil {
		return
	}
	u.seen.add(mark)
	u.arrived[groupOf(mark)].Add(1)
}

// end counts what became of a request: whom it hit, and if it is evidence, in which group.
func (u *liveUsers) end(mark uint32, o Outcome) {
	if u == nil {
		return
	}
	u.seen.add(mark)
	if o.seen() {
		u.failed.add(mark)
	}
	if o.Surplus || o.Class == Excluded {
		return
	}
	u.judged[groupOf(mark)].Add(1)
	if o.Class == Failure {
		u.failures[groupOf(mark)].Add(1)
	}
}

// saw counts a user who saw a failure.
func (u *liveUsers) saw(mark uint32) {
	if u != nil {
		u.failed.add(mark)
	}
}

// usersSum adds up the users of live slices.
type usersSum struct {
	seen, failed, trialSeen, trialFailed distinctSum
	users                                Users
}

// add reads failures before judged, which is written first, so that there are never more.
func (s *usersSum) add(u *liveUsers) {
	if u == nil {
		return
	}
	u.failed.addTo(&s.failed)
	u.seen.addTo(&s.seen)
	for g := range userGroups {
		s.users.Failures[g] += uint64(u.failures[g].Load())
		s.users.Judged[g] += uint64(u.judged[g].Load())
		s.users.Arrived[g] += uint64(u.arrived[g].Load())
	}
}

func (s *usersSum) sum() Users {
	s.users.Seen, s.users.Failed = s.seen.distinct(), s.failed.distinct()
	s.users.TrialSeen, s.users.TrialFailed = s.trialSeen.distinct(), s.trialFailed.distinct()
	return s.users
}
