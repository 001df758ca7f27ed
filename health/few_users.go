package health

import (
	"fmt"
	"strings"
)

// fewShare is the share of a canary's requests above which they are one user's.
const fewShare = 0.9

// OnFewUsers says what becomes of a verdict on a canary that has one user. The zero value is to hold.
type OnFewUsers uint8

// What can become of it.
const (
	FewUsersHold     OnFewUsers = iota // it neither fails nor passes
	FewUsersFailback                   // it counts like any other
)

// FewUsers says that one user makes nearly all of a canary's requests, so that nobody can tell whether it is the version
// that fails or that user's requests.
type FewUsers struct {
	// Share is the user's share of Requests in the window: of those that arrived, or where these tell nothing, as answers
	// take longer than the window, of those that were judged.
	Share    float64 `json:"share"`
	Requests uint64  `json:"requests"`
	// Users is how many users share it; zero if there are too many users beside to say, when it is one or very nearly.
	Users int `json:"users,omitempty"`
	// Failures is true if Requests are those that failed: without the user's the limit would be kept.
	Failures bool `json:"failures,omitempty"`
	// Held is true if a limit is broken, and nothing but this keeps it from failing.
	Held bool `json:"held,omitempty"`
}

// String says it in a sentence.
func (f FewUsers) String() string {
	who := "one user makes"
	if f.Users > 1 {
		who = fmt.Sprintf("%d users make", f.Users)
	}
	if f.Failures {
		who = strings.Replace(strings.Replace(who, "makes", "has", 1), "make", "have", 1)
		return fmt.Sprintf("%s %s of the canary's %d failures, and the others keep the limit: version and user cannot be told apart",
			who, percent(f.Share), f.Requests)
	}
	return fmt.Sprintf("%s %s of the canary's %d requests: version and user cannot be told apart", who, percent(f.Share), f.Requests)
}

// fewUsers finds the user who makes over 90 % of at least MinRequests requests that arrived or, where these say nothing, as
// answers take longer than the window, that were judged; nil if there is none.
func fewUsers(l Limits, canary arm) *FewUsers {
	if few := topUser(l, canary, &canary.Users.Arrived); few != nil {
		return few
	}
	return topUser(l, canary, &canary.Users.Judged)
}

// topUser finds the user who makes over 90 % of the requests in groups. Users are known by their group alone: a group with
// so much is one user, or very nearly, as the others spread over all 64. Requests that no group counts, such as those of
// an older release, are nobody's.
func topUser(l Limits, canary arm, groups *Groups) *FewUsers {
	group, most, all := groups.top()
	all = max(all, canary.window.Judged)
	if all < l.leastN() || float64(most) <= fewShare*float64(all) {
		return nil
	}
	return &FewUsers{Share: ratio(most, all), Requests: all, Users: canary.Users.Seen.inGroup(group)}
}

// oneUsersDoing reports whether a canary fails by one user alone: because nearly all that was judged is that user's, or
// because only the error rate is broken, and not by the others. A user who asks in a loop has only a few requests judged,
// so that nobody can hold a failback for all others by asking a lot.
func (v *Verdict) oneUsersDoing(l Limits, canary arm) *FewUsers {
	if few := topUser(l, canary, &canary.Users.Judged); few != nil {
		return few
	}
	for _, c := range v.Checks {
		if c.Broken && c.Limit != errorRateLimit {
			return nil
		}
	}
	group, most, failures := canary.Users.Failures.top()
	others := canary.window.Judged - min(canary.window.Judged, canary.Users.Judged[group])
	failed := canary.window.Failures - min(canary.window.Failures, most)
	if most == 0 || ratio(failed, others) > l.MaxErrorRate {
		return nil
	}
	return &FewUsers{Share: ratio(most, max(failures, canary.window.Failures)), Requests: max(failures, canary.window.Failures),
		Users: canary.Users.Seen.inGroup(group), Failures: true}
}

// inGroup returns how many of the users are in a group; zero if they are too many to say.
func (d Distinct) inGroup(group int) int {
	n := 0
	for _, m := range d.few {
		if groupOf(m) == group {
			n++
		}
	}
	return n
}

// weighUsers says if the canary has but one user, and holds what would else be a result.
func (v *Verdict) weighUsers(l Limits, rule OnFewUsers, canary arm) {
	few := fewUsers(l, canary)
	if v.Result == Fail {
		few = v.oneUsersDoing(l, canary)
	}
	if few == nil {
		return
	}
	v.FewUsers = few
	v.Reason += "; " + few.String()
	if v.Result == Inconclusive || rule == FewUsersFailback {
		return
	}
	few.Held = v.Result == Fail
	v.Result = Inconclusive
	v.Reason += ", holding"
	if few.Held {
		v.Reason += "; `few_users failback` or a kill is the way out"
	}
}
