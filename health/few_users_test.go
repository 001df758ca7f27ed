package health_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// crowd is some users with so many requests each, one in two seconds: no more than are evidence.
type crowd struct {
	users, requests int
	fail            bool
}

// canaryOf returns what a canary's window holds of crowds, each of other users than the rest.
func canaryOf(l health.Limits, crowds ...crowd) health.Evidence {
	w := health.NewWindow(l, nil)
	first := 0
	for _, c := range crowds {
		o := success(time.Second, time.Second)
		if c.fail {
			o = failure()
		}
		for n := range c.users {
			for i := range c.requests {
				serve(w, epoch.Add(time.Duration(i)*2*time.Second), userOf(first+n), 1, o)
			}
		}
		first += c.users
	}
	return w.Evidence(epoch.Add(58*time.Second), l, nil)
}

func TestFewUsers(t *testing.T) {
	failback := func(l *health.Limits) { l.FewUsers = health.FewUsersFailback }
	for _, tt := range []struct {
		name   string
		canary []crowd
		limits func(*health.Limits)
		want   health.Result
		few    bool
		held   bool
		reason string
	}{
		{"one user fails", []crowd{{1, 30, true}}, nil, health.Inconclusive, true, true,
			"one user makes 100% of the canary's 30 requests: version and user cannot be told apart, holding; `few_users failback` or a kill"},
		{"one user fails, and that may count", []crowd{{1, 30, true}}, failback, health.Fail, true, false, "one user makes 100%"},
		{"one user is fine", []crowd{{1, 30, false}}, nil, health.Inconclusive, true, false, "no limit is broken"},
		{"one user is fine, and that may count", []crowd{{1, 30, false}}, failback, health.Pass, true, false, "one user makes"},
		{"one user among others", []crowd{{1, 30, true}, {3, 1, true}}, nil, health.Inconclusive, true, true, "one user makes 90.91% of the canary's 33"},
		{"exactly 90 %", []crowd{{1, 27, true}, {3, 1, true}}, nil, health.Fail, false, false, ""},
		{"two users", []crowd{{2, 20, true}}, nil, health.Fail, false, false, ""},
		{"many users", []crowd{{500, 1, true}}, nil, health.Fail, false, false, ""},
		{"one user among many", []crowd{{1, 30, true}, {150, 1, false}}, nil, health.Inconclusive, true, true,
			"one user has 100% of the canary's 30 failures, and the others keep the limit"},
		{"one of several", []crowd{{1, 30, true}, {150, 1, false}, {20, 1, true}}, nil, health.Fail, false, false, ""},
		{"below the least", []crowd{{1, 19, true}}, nil, health.Inconclusive, false, false, "19 requests judged"},
	} {
		l := health.DefaultLimits()
		if tt.limits != nil {
			tt.limits(&l)
		}
		v := health.JudgeLimits(l, canaryOf(l, tt.canary...), canaryOf(l, crowd{100, 2, false}))
		if v.Result != tt.want || (v.FewUsers != nil) != tt.few || tt.few && v.FewUsers.Held != tt.held || !strings.Contains(v.Reason, tt.reason) {
			t.Errorf("%s: got %s, few users %+v, %q\nwant %s, few users %t (held %t), %q",
				tt.name, v.Result, v.FewUsers, v.Reason, tt.want, tt.few, tt.held, tt.reason)
		}
	}
}

// Two users whose hashes fall into one group are told apart from one as long as there are few.
// A user who asks in a loop cannot hold a failback for the others: that is what clients do whose canary fails at once.
func TestLoopHoldsNoFailback(t *testing.T) {
	l := health.DefaultLimits()
	w := health.NewWindow(l, nil)
	for n := range 60 {
		serve(w, epoch, userOf(n), 5, failure())
	}
	for range 5000 {
		serve(w, epoch, userOf(60), 1, failure())
	}
	v := health.JudgeLimits(l, w.Evidence(epoch.Add(time.Second), l, nil), health.Evidence{})
	if v.Result != health.Fail || v.FewUsers != nil {
		t.Errorf("got %v, %q; want fail", v.Result, v.Reason)
	}
}

func TestFewUsersSaysHowMany(t *testing.T) {
	l := health.DefaultLimits()
	w := health.NewWindow(l, nil)
	for i := range 30 {
		serve(w, epoch.Add(time.Duration(i)*time.Second), uint64(1+i%2)<<40, 1, failure())
	}
	v := health.JudgeLimits(l, w.Evidence(epoch.Add(30*time.Second), l, nil), health.Evidence{})
	if want := "2 users make 100% of the canary's 30 requests"; v.FewUsers == nil || v.FewUsers.Users != 2 || !strings.Contains(v.Reason, want) {
		t.Errorf("got %+v, %q, want %q", v.FewUsers, v.Reason, want)
	}
}

// Requests that no group counts, as those of an older release, are not taken for the one user's.
func TestFewUsersBesideAnOlderRelease(t *testing.T) {
	l := health.DefaultLimits()
	older := canaryOf(l, crowd{30, 1, true})
	older.Users = health.Users{}
	v := health.JudgeLimits(l, canaryOf(l, crowd{1, 30, true}).Merge(older), health.Evidence{})
	if v.Result != health.Fail || v.FewUsers != nil {
		t.Errorf("got %s, %+v, want fail and nothing of few users", v.Result, v.FewUsers)
	}
}

// Answers that take longer than the window have arrived before it: their user is known by what was judged.
func TestFewUsersOfLongAnswers(t *testing.T) {
	l := health.DefaultLimits()
	w := health.NewWindow(l, nil)
	for i := range 30 {
		start := epoch.Add(time.Duration(i) * 2 * time.Second)
		o := failure()
		o.User, o.Surplus = userOf(1), !w.Arrive(start, userOf(1))
		record(w, start.Add(3*time.Minute), o)
	}
	v := health.JudgeLimits(l, w.Evidence(epoch.Add(4*time.Minute), l, nil), health.Evidence{})
	if v.FewUsers == nil || !v.FewUsers.Held {
		t.Errorf("got %s, %+v, %q, want it held", v.Result, v.FewUsers, v.Reason)
	}
}

func TestFewUsersJSON(t *testing.T) {
	for word, want := range map[string]health.OnFewUsers{"": health.FewUsersHold, "hold": health.FewUsersHold, "failback": health.FewUsersFailback} {
		doc := `{}`
		if word != "" {
			doc = `{"few_users":"` + word + `"}`
		}
		var l health.Limits
		if err := json.Unmarshal([]byte(doc), &l); err != nil || l.FewUsers != want {
			t.Errorf("%s: got %s, %v, want %s", doc, l.FewUsers, err, want)
		}
	}
	if err := json.Unmarshal([]byte(`{"few_users":"perhaps"}`), new(health.Limits)); err == nil {
		t.Error("few_users perhaps was accepted, want an error")
	}
	doc, err := json.Marshal(health.DefaultLimits())
	if err != nil || strings.Contains(string(doc), "few_users") {
		t.Errorf("the default is written as %s, %v, want it left out: older releases compare", doc, err)
	}
}
