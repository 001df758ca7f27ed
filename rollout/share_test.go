package rollout_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// gets lets that many new users arrive at a variant of a proxy.
func gets(p *proxy, variant, users int) {
	w, random := p.at.View().Windows[variant], rand.New(rand.NewPCG(uint64(variant), uint64(users)))
	for range users {
		w.Arrive(time.Now(), random.Uint64())
	}
}

// sees returns a proxy's status.
func (p *proxy) sees(t testing.TB) rollout.Status {
	t.Helper()
	st, err := p.Status(context.Background(), "assistant")
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// shareOf counts the events that say of users that they are not shared as they should be.
func shareEvents(t *testing.T, s *embedded.Store) int {
	t.Helper()
	return len(slices.DeleteFunc(kinds(t, s), func(k string) bool { return k != rollout.KindShare }))
}

// Users of all instances are added up; that they are not shared as the weights say is told of once, by whichever instance.
func TestUsersThatAreNotShared(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, strict(75, 25))
		elapse(2 * time.Second)
		gets(fleet[0], 0, 3_000)
		gets(fleet[0], 1, 500)
		gets(fleet[1], 0, 2_000)
		elapse(20 * time.Minute)
		for _, p := range fleet {
			st := p.sees(t)
			if len(st.Shares) != 2 || !strings.Contains(st.ShareWarning, "which is fewer than its share of 25% by") {
				t.Fatalf("%s: got shares %+v, warning %q", p.opts.Instance, st.Shares, st.ShareWarning)
			}
			want := []rollout.ShareStatus{
				{Variant: "blue", Weight: 75 * percent, Users: 5_000, UserShare: 0.91},
				{Variant: "green", Weight: 25 * percent, Users: 500, UserShare: 0.09},
			}
			if diff := cmp.Diff(want, st.Shares, cmpopts.EquateApprox(0, 0.02), cmp.Comparer(nearly)); diff != "" {
				t.Errorf("%s: shares (-want +got):\n%s", p.opts.Instance, diff)
			}
		}
		if got := shareEvents(t, s); got != 1 {
			t.Errorf("got %d events, want 1, in %v", got, kinds(t, s))
		}

		// Once weights have changed, users may have met both.
		fleet[0].set(t, 50)
		elapse(time.Minute)
		st := fleet[1].sees(t)
		if st.ShareWarning != "" || st.Shares[0].Users != 0 || st.Shares[1].Weight != 50*percent {
			t.Errorf("after a change of weights: got %+v, %q; want nothing said of users", st.Shares, st.ShareWarning)
		}
	})
}

// nearly reports whether two counts are the same but for the error of counting users.
func nearly(a, b uint64) bool { return max(a, b)-min(a, b) <= max(a, b)/8 }

// As the weights say, nothing is said.
func TestUsersThatAreShared(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", strict(75, 25))
		gets(p, 0, 3_000)
		gets(p, 1, 1_000)
		elapse(20 * time.Minute)
		if st := p.sees(t); st.ShareWarning != "" || shareEvents(t, s) != 0 {
			t.Errorf("got %q, %v; want nothing said", st.ShareWarning, kinds(t, s))
		}
	})
}

func TestShareStatus(t *testing.T) {
	evidence := func(users, requests int) health.Evidence {
		e := health.NewWindow(health.DefaultLimits(), nil)
		for i := range users {
			e.Arrive(noon, uint64(i+1)<<32)
		}
		for range requests {
			f := health.Flight{Start: noon}
			f.Arrive(e, 0)
			f.Record(noon, fine)
		}
		return e.Evidence(noon, nil)
	}
	all := map[string]health.Evidence{"blue": evidence(30, 300), "green": evidence(10, 100)}
	lately, window := noon.Add(time.Minute), time.Duration(all["blue"].Window)
	moved := func(at time.Time) []splitter.Move {
		return []splitter.Move{{Range: splitter.Range{To: 1, Variant: "blue"}, At: at}}
	}
	tally := rollout.Tally{Epoch: 1, Step: 2, Requests: 5, Baseline: 15}
	planned := func(s *splitter.State) {
		s.Progress.Step, s.Progress.Reached, s.Moved = 2, lately, moved(lately)
	}
	for _, tt := range []struct {
		name     string
		state    func(*splitter.State)
		after    time.Duration
		requests [2]uint64
		users    [2]uint64
	}{
		{"undisturbed", nil, window, [2]uint64{300, 100}, [2]uint64{30, 10}},
		{"its window is not full yet", nil, window - 1, [2]uint64{}, [2]uint64{30, 10}},
		{"weights changed", func(s *splitter.State) { s.Moved = moved(lately) }, window, [2]uint64{}, [2]uint64{}},
		{"weights changed before the window", func(s *splitter.State) { s.Moved = moved(lately) }, window + time.Minute, [2]uint64{300, 100}, [2]uint64{}},
		{"weights changed as it began", func(s *splitter.State) { s.Moved = moved(noon) }, window, [2]uint64{300, 100}, [2]uint64{30, 10}},
		{"something is killed", func(s *splitter.State) { s.Kills = []splitter.Kill{{ID: "k", Variant: "green"}} }, window,
			[2]uint64{300, 100}, [2]uint64{}},
		{"something was killed", func(s *splitter.State) { s.Revived = []splitter.Revival{{ID: "k", At: lately}} }, window,
			[2]uint64{300, 100}, [2]uint64{}},
		{"something was killed before", func(s *splitter.State) { s.Revived = []splitter.Revival{{ID: "k", At: noon.Add(-1)}} }, window,
			[2]uint64{300, 100}, [2]uint64{30, 10}},
		{"a step", planned, 0, [2]uint64{15, 5}, [2]uint64{}},
		{"weights changed within a step", func(s *splitter.State) { planned(s); s.Moved = moved(lately.Add(1)) }, 0, [2]uint64{}, [2]uint64{}},
		{"another step is counted", func(s *splitter.State) { planned(s); s.Progress.Step = 3 }, 0, [2]uint64{}, [2]uint64{}},
	} {
		s := created(t, assistant(75, 25))
		if tt.state != nil {
			tt.state(s)
		}
		got, _ := rollout.SharesOf(s, tally, all, noon.Add(tt.after))
		want := []rollout.ShareStatus{
			{Variant: "blue", Weight: 75 * percent, Requests: tt.requests[0], Users: tt.users[0]},
			{Variant: "green", Weight: 25 * percent, Requests: tt.requests[1], Users: tt.users[1]},
		}
		for i := range want {
			if tt.requests[0] > 0 {
				want[i].RequestShare = []float64{0.75, 0.25}[i]
			}
			if tt.users[0] > 0 {
				want[i].UserShare = []float64{0.75, 0.25}[i]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	for name, s := range map[string]*splitter.State{"no state": nil, "no trial": created(t, assistant(100, 0))} {
		if got, warning := rollout.SharesOf(s, tally, all, noon); got != nil || warning != "" {
			t.Errorf("%s: got %+v, %q; want nothing", name, got, warning)
		}
	}
}
