package rollout_test

import (
	"context"
	"maps"
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
		beats(t, s, late, old, 30*time.Second)
		for _, p := range fleet {
			if got := p.drift(t); len(got) != 1 || !strings.HasPrefix(got[0], "proxy-3 decides by revision 1, the state is at 2, for over ") {
				t.Errorf("%s: got %q, want proxy-3", p.opts.Instance, got)
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
		beats(t, s, late, old, 30*time.Second)
		wantDrifts(t, s, 1)
	})
}

func TestLaggards(t *testing.T) {
	state := &splitter.State{Version: splitter.Version{Revision: 7, ID: "c7"}, Changed: splitter.Change{At: noon}}
	// listed says at which revision members were heard, so long after noon.
	listed := func(after time.Duration, at map[string]splitter.Version, silent ...string) store.Pulse {
		p := store.Pulse{Now: noon.Add(after)}
		for _, name := range slices.Sorted(maps.Keys(at)) {
			seen := p.Now
			if slices.Contains(silent, name) {
				seen = seen.Add(-store.SilentAfter)
			}
			p.Members = append(p.Members, store.Member{Seen: seen, Beat: store.Beat{MemberID: store.MemberID{Name: name, Boot: "b"},
				Applied: map[string]splitter.Version{"assistant": at[name]}}})
		}
		return p
	}
	v := func(revision uint64, id string) splitter.Version { return splitter.Version{Revision: revision, ID: id} }
	all := map[string]splitter.Version{"ahead": v(8, "c8"), "forked": v(7, "d7"), "none": {}, "older": v(6, "c6"), "present": v(7, "c7")}
	older, newer := map[string]splitter.Version{"older": v(5, "c5")}, map[string]splitter.Version{"older": v(6, "c6")}
	for _, tt := range []struct {
		name   string
		listed []store.Pulse
		want   []string
	}{
		{"for 12 s", []store.Pulse{listed(time.Second, all), listed(13*time.Second, all)}, []string{
			"forked decides by another revision 7 (d7) than the store has (c7), for over 12s",
			"none decides without the state, which is at revision 7, for over 12s",
			"older decides by revision 6, the state is at 7, for over 12s",
		}},
		{"seen once", []store.Pulse{listed(time.Hour, all)}, nil},
		{"for 9 s", []store.Pulse{listed(time.Second, newer), listed(10*time.Second, newer)}, nil},
		{"first seen before the state was written", []store.Pulse{listed(-time.Second, newer), listed(9*time.Second, newer)}, nil},
		{"moves on", []store.Pulse{listed(time.Second, older), listed(time.Minute, newer)}, nil},
		{"was silent", []store.Pulse{listed(time.Second, newer), listed(time.Minute, newer, "older"), listed(65*time.Second, newer)}, nil},
		{"is silent", []store.Pulse{listed(time.Second, newer), listed(time.Minute, newer, "older")}, nil},
		{"runs another split", []store.Pulse{{Now: noon.Add(time.Second), Members: []store.Member{{Seen: noon.Add(time.Second)}}},
			{Now: noon.Add(time.Minute), Members: []store.Member{{Seen: noon.Add(time.Minute)}}}}, nil},
	} {
		if diff := cmp.Diff(tt.want, rollout.DriftTexts("assistant", state, tt.listed...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
