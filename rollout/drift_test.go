package rollout_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// beats lets another member say each second what it decides by, for so long.
func beats(t *testing.T, s *embedded.Store, id store.MemberID, v splitter.Version, d time.Duration) {
	t.Helper()
	for range int(d / time.Second) {
		_, err := s.Pulse(context.Background(), store.Beat{MemberID: id, Applied: map[string]splitter.Version{"assistant": v}})
		if err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
	}
}

// drift returns what a proxy's status says of members that decide by an old State.
func (p *proxy) drift(t testing.TB) []string {
	t.Helper()
	st, err := p.Status(context.Background(), "assistant")
	if err != nil {
		t.Fatal(err)
	}
	return st.Drift
}

func TestDrift(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, assistant(100, 0))
		old, late := stored(t, s).Version, store.MemberID{Name: "proxy-3", Boot: "b3"}
		beats(t, s, late, old, 30*time.Second)
		if got := fleet[0].drift(t); len(got) > 0 {
			t.Errorf("before a change: got %q, want nobody", got)
		}
		fleet[0].set(t, 5)
		beats(t, s, late, old, 10*time.Second)
		if got := fleet[0].drift(t); len(got) > 0 {
			t.Errorf("10 s after a change: got %q, want nobody", got)
		}
		beats(t, s, late, old, 20*time.Second)
		for _, p := range fleet {
			want := []string{"proxy-3 decides by revision 1, the state is at 2 since 30s"}
			if diff := cmp.Diff(want, p.drift(t)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", p.opts.Instance, diff)
			}
		}
		beats(t, s, late, old, time.Minute)
		wantDrifts(t, s, 1)

		fleet[1].set(t, 10)
		beats(t, s, late, old, 30*time.Second)
		wantDrifts(t, s, 2)
		beats(t, s, store.MemberID{Name: "proxy-3", Boot: "b4"}, splitter.Version{}, 30*time.Second)
		wantDrifts(t, s, 3)
		if got := fleet[0].drift(t); len(got) != 1 || !strings.HasPrefix(got[0], "proxy-3/b4 decides without the state") {
			t.Errorf("got %q, want the restarted one alone", got)
		}
		beats(t, s, store.MemberID{Name: "proxy-3", Boot: "b4"}, stored(t, s).Version, 30*time.Second)
		if got := fleet[0].drift(t); len(got) > 0 {
			t.Errorf("caught up: got %q, want nobody", got)
		}
		wantDrifts(t, s, 3)
	})
}

// wantDrifts expects so many events of members that decide by an old State.
func wantDrifts(t *testing.T, s store.Store, want int) {
	t.Helper()
	if got := len(slices.DeleteFunc(kinds(t, s), func(k string) bool { return k != rollout.KindDrift })); got != want {
		t.Errorf("got %d events of drift, want %d, in %v", got, want, kinds(t, s))
	}
}

// What cannot be recorded now is recorded once the store takes it.
func TestDriftIsRecordedLater(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", assistant(100, 0))
		old, late := stored(t, s).Version, store.MemberID{Name: "proxy-3", Boot: "b3"}
		p.set(t, 5)
		p.link.set(full)
		beats(t, s, late, old, 40*time.Second)
		wantDrifts(t, s, 0)
		p.link.set(none)
		beats(t, s, late, old, 5*time.Second)
		wantDrifts(t, s, 1)
	})
}

func TestDriftsIn(t *testing.T) {
	state := &splitter.State{Version: splitter.Version{Revision: 7, ID: "c7"}, Changed: splitter.Change{At: noon}}
	now := noon.Add(time.Minute)
	member := func(name string, revision uint64, id string, seen time.Time) store.Member {
		return store.Member{Seen: seen, Beat: store.Beat{MemberID: store.MemberID{Name: name, Boot: "b"},
			Applied: map[string]splitter.Version{"assistant": {Revision: revision, ID: id}}}}
	}
	other := member("other", 1, "c1", now)
	other.Applied = map[string]splitter.Version{"another": {}}
	p := store.Pulse{Now: now, Members: []store.Member{
		member("present", 7, "c7", now), member("ahead", 8, "c8", now), member("older", 6, "c6", now),
		member("forked", 7, "d7", now), member("silent", 6, "c6", now.Add(-store.SilentAfter)), member("none", 0, "", now), other,
	}}
	for _, tt := range []struct {
		changed time.Time
		want    []string
	}{
		{noon, []string{
			"older decides by revision 6, the state is at 7 since 1m0s",
			"forked decides by another revision 7 (d7) than the store has (c7) since 1m0s",
			"none decides without the state, which is at revision 7 since 1m0s",
		}},
		{now.Add(-10 * time.Second), nil},
	} {
		state.Changed.At = tt.changed
		if diff := cmp.Diff(tt.want, rollout.DriftTexts(p, "assistant", state)); diff != "" {
			t.Errorf("changed at %s (-want +got):\n%s", tt.changed, diff)
		}
	}
}
