package control

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// A silent run is replaced by one that began after it was last seen; two that lived side by side are two proxies.
func TestReplacedAndTwins(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	run := func(boot string, started, unseen time.Duration) store.Member {
		return store.Member{Seen: now.Add(-unseen), Beat: store.Beat{
			MemberID: store.MemberID{Name: "proxy-1", Boot: boot}, Started: now.Add(-started),
		}}
	}
	type verdict struct{ Replaced, Duplicate bool }
	tests := []struct {
		name string
		in   []store.Member // what becomes of the first
		want verdict
	}{
		{"alone", []store.Member{run("a", time.Hour, time.Minute)}, verdict{}},
		{"restarted", []store.Member{run("a", time.Hour, time.Minute), run("b", 50*time.Second, 0)}, verdict{Replaced: true}},
		{"restarted, its clock is a second behind", []store.Member{run("a", time.Hour, time.Minute), run("b", 61*time.Second, 0)},
			verdict{Replaced: true}},
		{"lived side by side for two seconds", []store.Member{run("a", time.Hour, time.Minute), run("b", 62*time.Second, 0)},
			verdict{Duplicate: true}},
		{"lived side by side", []store.Member{run("a", time.Hour, time.Minute), run("b", 30*time.Minute, 0)}, verdict{Duplicate: true}},
		{"silent, the older one lives", []store.Member{run("a", time.Hour, time.Minute), run("b", 2*time.Hour, 0)}, verdict{Duplicate: true}},
		{"both silent", []store.Member{run("a", time.Hour, time.Minute), run("b", 50*time.Second, 10*time.Second)}, verdict{}},
		{"both live", []store.Member{run("a", time.Hour, 0), run("b", 50*time.Second, 0)}, verdict{Duplicate: true}},
		{"lives, the other is silent", []store.Member{run("a", time.Hour, 0), run("b", time.Hour, time.Minute)}, verdict{}},
		{"a twin and a next run", []store.Member{run("a", time.Hour, time.Minute), run("b", 2*time.Hour, 0), run("c", 50*time.Second, 0)},
			verdict{Replaced: true}},
	}
	for _, tt := range tests {
		first := instancesOf(tt.in, now, nil).Instances[0]
		if got := (verdict{first.Replaced, first.Duplicate}); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// What is told of a missing instance is told of a run of the split, not of a namesake that has nothing to do with it.
func TestLaggardRunsTheSplit(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	run := func(boot, split string, unseen time.Duration) store.Member {
		return store.Member{Seen: now.Add(-unseen), Beat: store.Beat{
			MemberID: store.MemberID{Name: "proxy-1", Boot: boot}, Started: now.Add(-time.Hour),
			Applied: map[string]splitter.Version{split: {Revision: 1, ID: "a"}},
		}}
	}
	members := []store.Member{run("a", "assistant", time.Minute), run("b", "concierge", 0)}
	unseen := health.Duration(time.Minute)
	for _, name := range []string{"proxy-1", "proxy-1/a"} {
		want := Laggard{Name: name, Unseen: &unseen, Silent: true, Duplicate: true}
		if diff := cmp.Diff(want, laggardOf(name, "assistant", members, now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(Laggard{Name: "proxy-1/b"}, laggardOf("proxy-1/b", "assistant", members, now)); diff != "" {
		t.Errorf("one that does not run the split (-want +got):\n%s", diff)
	}
}
