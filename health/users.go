package health

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
}

// Merge returns the sum of both; a user in both counts once.
func (u Users) Merge(other Users) Users {
	return Users{
		Seen: u.Seen.Merge(other.Seen), Failed: u.Failed.Merge(other.Failed),
		TrialSeen: u.TrialSeen.Merge(other.TrialSeen), TrialFailed: u.TrialFailed.Merge(other.TrialFailed),
	}
}

// liveUsers is Users while they are written to. A nil *liveUsers takes writes and forgets them.
type liveUsers struct{ seen, failed liveDistinct }

// met counts a user who met the variant.
func (u *liveUsers) met(mark uint32) {
	if u != nil {
		u.seen.add(mark)
	}
}

// letDown counts a user who saw a failure.
func (u *liveUsers) letDown(mark uint32) {
	if u != nil {
		u.failed.add(mark)
	}
}

// usersSum adds up the users of live slices.
type usersSum struct{ seen, failed, trialSeen, trialFailed distinctSum }

func (s *usersSum) add(u *liveUsers) {
	if u != nil {
		u.failed.addTo(&s.failed)
		u.seen.addTo(&s.seen)
	}
}

func (s *usersSum) sum() Users {
	return Users{Seen: s.seen.distinct(), Failed: s.failed.distinct(),
		TrialSeen: s.trialSeen.distinct(), TrialFailed: s.trialFailed.distinct()}
}
