package health_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// userOf returns the hash of the nth user.
func userOf(n int) uint64 { return uint64(n+1) * 0x9e3779b97f4a7c15 }

// serve lets a user's requests arrive and end at one moment.
func serve(w *health.Window, now time.Time, user uint64, requests int, o health.Outcome) {
	for range requests {
		o.User, o.Surplus = user, !w.Arrive(now, user)
		record(w, now, o)
	}
}

// counts are the numbers of a summary that are about users.
type counts struct{ users, failed, trial, trialFailed uint64 }

func usersIn(e health.Evidence) counts {
	s := health.Summarize(e)
	return counts{s.Users, s.UsersFailed, s.TrialUsers, s.TrialUsersFailed}
}

func TestUsersOfAWindow(t *testing.T) {
	w := health.NewWindow(health.DefaultLimits(), nil)
	serve(w, epoch, userOf(1), 3, success(time.Second, time.Second))
	serve(w, epoch, userOf(1), 1, failure())
	serve(w, epoch.Add(30*time.Second), userOf(2), 2, success(time.Second, time.Second))
	serve(w, epoch.Add(30*time.Second), 0, 5, failure()) // nobody knows who
	for _, tt := range []struct {
		after time.Duration
		want  counts
	}{
		{0, counts{1, 1, 2, 1}}, // the trial's are of all time
		{30 * time.Second, counts{2, 1, 2, 1}},
		{61 * time.Second, counts{1, 0, 2, 1}},
		{91 * time.Second, counts{0, 0, 2, 1}},
	} {
		if got := usersIn(w.Evidence(epoch.Add(tt.after), nil)); got != tt.want {
			t.Errorf("after %s: got %+v, want %+v", tt.after, got, tt.want)
		}
	}
}

func TestUsersAreAddedOverInstances(t *testing.T) {
	l := health.DefaultLimits()
	var sum health.Evidence
	for instance := range 3 {
		w := health.NewWindow(l, nil)
		for n := range 20 {
			serve(w, epoch, userOf(10*instance+n), 1, success(time.Second, time.Second)) // half of them on the next one too
		}
		serve(w, epoch, userOf(5), 1, failure())
		doc, err := json.Marshal(w.Evidence(epoch, nil))
		if err != nil {
			t.Fatal(err)
		}
		var sent health.Evidence
		if err := json.Unmarshal(doc, &sent); err != nil {
			t.Fatal(err)
		}
		sum = sum.Merge(sent)
	}
	if got, want := usersIn(sum), (counts{40, 1, 40, 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A user's sixth request in ten seconds is counted among the totals, and its user is told of; it is no evidence.
func TestSurplusIsNoEvidence(t *testing.T) {
	totals := new(health.Totals)
	w := health.NewWindow(strictLimits(), totals)
	serve(w, epoch, userOf(1), 5, success(time.Second, time.Second))
	serve(w, epoch, userOf(1), 20, failure())
	e := w.Evidence(epoch, nil)
	if got, want := shownIn(e), (shown{5, 0, 5, 5, 5000}); got != want {
		t.Errorf("the window holds %+v, want %+v", got, want)
	}
	if s := totals.Snapshot(); s.Counts.Of(health.Failure) != 20 || s.Counts.Of(health.Success) != 5 {
		t.Errorf("the totals hold %+v, want all 25", s.Counts)
	}
	if got, want := usersIn(e), (counts{1, 1, 1, 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	serve(w, epoch.Add(10*time.Second), userOf(1), 20, failure())
	if got := shownIn(w.Evidence(epoch.Add(10*time.Second), nil)); got.judged != 10 || got.failures != 5 {
		t.Errorf("ten seconds later: %+v, want 5 failures among 10", got)
	}
}

// Which requests count is settled when they arrive: slow ones that came first are among them, whatever comes to its end
// before.
func TestEvidenceIsChosenByArrival(t *testing.T) {
	w := health.NewWindow(strictLimits(), nil)
	var flights health.Flights
	open := make([]*health.Flight, 8)
	for i := range open {
		open[i] = &health.Flight{Start: epoch}
		open[i].Arrive(w, userOf(1))
		flights.Add(open[i])
	}
	if got := shownIn(w.Evidence(epoch.Add(4*time.Second), flights.All())); got.ttfb != 5 {
		t.Errorf("%d requests in flight are shown as slow, want 5", got.ttfb)
	}
	for i, f := range open {
		if want := i >= 5; f.Surplus != want {
			t.Errorf("request %d: surplus %t, want %t", i+1, f.Surplus, want)
		}
	}
	if got := usersIn(w.Evidence(epoch.Add(5*time.Minute), flights.All())); got.users != 1 {
		t.Errorf("minutes later %d users are in flight, want 1", got.users)
	}
}

func TestArriveAllocatesOncePerSlice(t *testing.T) {
	w := health.NewWindow(strictLimits(), nil)
	serve(w, epoch, userOf(1), 1, failure())
	n := 0
	if got := testing.AllocsPerRun(1000, func() {
		n++
		serve(w, epoch.Add(time.Duration(n)*10*time.Millisecond), userOf(n), 1, failure())
	}); got != 0 {
		t.Errorf("a request of a new user allocates %g times, want 0 on average", got)
	}
}

// The numbers that travel: what a frame grows by.
func TestUsersAreSmall(t *testing.T) {
	for _, tt := range []struct{ users, most int }{{3, 120}, {60, 800}, {10_000, 3500}} {
		w := health.NewWindow(health.DefaultLimits(), nil)
		for n := range tt.users {
			o := success(time.Second, time.Second)
			if n%20 == 0 {
				o = failure()
			}
			serve(w, epoch, userOf(n), 1, o)
		}
		doc, err := json.Marshal(w.Evidence(epoch, nil).Users)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d users are %d bytes of JSON", tt.users, len(doc))
		if len(doc) > tt.most {
			t.Errorf("%d users are %d bytes of JSON, want at most %d", tt.users, len(doc), tt.most)
		}
	}
}
