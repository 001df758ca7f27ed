package health

// fewShare is the share of a canary's requests above which they are one user's.
const fewShare = 0.9

// OnFewUsers says what becomes of a verdict on a canary that has one user. The zero value is to hold.
type OnFewUsers uint8

// What can become of it.
const (
	FewUsersHold     OnFewUsers = iota // it neither fails nor passes
	FewUsersFailback                   // it counts like any other
)

// FewUsers says that one user makes nearly all of a canary's requests, or that an alarm rests on one, so that nobody can
// tell whether it is the version that fails or that user's requests. Users are known by their group alone, one of 64 by a
// hash: a group with so much is one user, or very nearly, as the others spread over all.
type FewUsers struct {
	// Share is the user's share of Requests, the canary's of the last minutes.
	Share    float64 `json:"share"`
	Requests float64 `json:"requests"`
	// Held is true if the evidence would fail the canary back, and is less than half as far without the user.
	Held bool `json:"held,omitempty"`
}

// fewUsers finds a user who makes over 90 % of the canary's requests of the last minutes; nil if there is none, or too few
// requests to say.
func (j *Judge) fewUsers() *FewUsers {
	most, all := j.st.Asking.top()
	if all < float64(j.least()) || most <= fewShare*all {
		return nil
	}
	return &FewUsers{Share: most / all, Requests: all}
}

// top returns the requests of the group that has most, and of all.
func (g *groupRates) top() (most, all float64) {
	for _, n := range g.N {
		most, all = max(most, float64(n)), all+float64(n)
	}
	return most, all
}

// isMostly reports whether a group has more than half of what failed, or of all requests.
func (g *groupRates) isMostly(group int) bool {
	var n, k float64
	for i := range g.N {
		n, k = n+float64(g.N[i]), k+float64(g.K[i])
	}
	return group < userGroups && (2*float64(g.N[group]) > n || 2*float64(g.K[group]) > k)
}

// restsOn says of a group that an alarm rests on it.
func (g *groupRates) restsOn(group int) *FewUsers {
	_, all := g.top()
	few := &FewUsers{Requests: all}
	if all > 0 {
		few.Share = float64(g.N[group]) / all
	}
	return few
}
