package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

var judge = rollout.By{Actor: "switchback", Via: "judge"}

func probe(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.Probe(prev, failing, 2*time.Second, judge, later(n)))
	}
}

func endProbe(n int) change {
	return func(prev *splitter.State) (rollout.Changed, error) {
		return was(rollout.EndProbe(prev, "blue fails as often", judge, later(n)))
	}
}

// everybody is a State in which all are on green.
func everybody(t *testing.T) *splitter.State {
	t.Helper()
	return must(t, created(t, comparing(90, 10, noTrickle)), weigh(comparing(90, 10, noTrickle), 2, share(0, 100)))
}

// The users of green's highest buckets are lent, and come back.
func TestProbe(t *testing.T) {
	before := everybody(t)
	c, ok, err := rollout.Probe(before, failing, 2*time.Second, judge, later(3))
	if err != nil || !ok {
		t.Fatalf("Probe: got %v, %v", ok, err)
	}
	during := c.State
	want := []splitter.Range{{From: 0, To: 90_000, Variant: "green"}, {From: 90_000, To: splitter.Buckets, Variant: "blue"}}
	if d := cmp.Diff(want, during.Ranges); d != "" {
		t.Errorf("ranges: -want +got:\n%s", d)
	}
	p := during.RunningProbe()
	if p == nil || p.Until.Sub(p.Since) != 15*time.Second || p.Why != failing.Reason || p.Holds != 10_000 || p.Epoch != before.Epoch {
		t.Errorf("probe: got %+v, want one of 10%% for 15s", p)
	}
	if c.Event.Kind != "probe" || c.Event.Reason != failing.Reason || !strings.Contains(string(c.Event.Evidence), `"result"`) {
		t.Errorf("event: got %+v, want a probe with its verdict", c.Event)
	}
	after := must(t, during, endProbe(4))
	if d := cmp.Diff(before.Ranges, after.Ranges); d != "" {
		t.Errorf("ranges after it: -want +got:\n%s", d)
	}
	if after.Probe != nil || after.Progress.Phase != trial || after.Changed.Kind != "probe_ended" ||
		after.Changed.Reason != "blue fails as often" {
		t.Errorf("after it: got %+v, %+v, %+v, want the trial as it was", after.Probe, after.Progress, after.Changed)
	}
}

func TestProbeAmid(t *testing.T) {
	off := comparing(90, 10, noTrickle)
	green := func(n int, w splitter.Weight) change {
		return weigh(off, n, map[string]splitter.Weight{"green": w * percent})
	}
	exported := func(n int) change {
		return func(prev *splitter.State) (rollout.Changed, error) {
			return rollout.Import(nil, rollout.ImportRequest{State: prev}, alice, later(n))
		}
	}
	for name, tt := range map[string]struct {
		in     []change // while stable is lent 10 %
		want   splitter.Weight
		probes bool
		phase  splitter.Phase
	}{
		"failback":            {[]change{failback(5)}, splitter.Full, false, failedBack},
		"other weights":       {[]change{green(5, 50)}, 50_000, false, trial},
		"the same by people":  {[]change{green(5, 90)}, 10_000, false, trial},
		"as before it":        {[]change{green(5, 100)}, 0, false, trial},
		"another's weight":    {[]change{weigh(withRed(off), 5, map[string]splitter.Weight{"red": 0})}, 0, false, trial},
		"given up":            {[]change{green(5, 0)}, splitter.Full, false, idle},
		"kill":                {[]change{kill(5, "k1", "green")}, 10_000, true, trial},
		"policy":              {[]change{func(s *splitter.State) (rollout.Changed, error) { return rollout.ApplyPolicy(s, off, alice, later(5)) }}, 10_000, true, trial},
		"rename, and its end": {[]change{rename(5, "green", "emerald"), rename(6, "blue", "azure"), endProbe(7)}, 0, false, trial},
		"another version":     {[]change{declares(off, 5, "v2")}, 0, false, trial},
		"adopted":             {[]change{adopt(5, off, rollout.AdoptRequest{Stable: "blue", Canary: "green", Weights: share(0, 100)})}, 0, false, trial},
		"imported":            {[]change{exported(5)}, 0, false, trial},
	} {
		t.Run(name, func(t *testing.T) {
			s := must(t, must(t, everybody(t), probe(4)), tt.in...)
			got := s.Weights()[s.Stable]
			if probes := s.RunningProbe() != nil; got != tt.want || probes != tt.probes || s.Progress.Phase != tt.phase {
				t.Errorf("got %s on stable, probing %v, %s; want %s, %v, %s", got, probes, s.Progress.Phase, tt.want, tt.probes, tt.phase)
			}
		})
	}
}

func TestNothingToProbe(t *testing.T) {
	all := everybody(t)
	passing := health.Verdict{Result: health.Pass}
	for name, tt := range map[string]struct {
		in *splitter.State
		v  health.Verdict
	}{
		"passes":              {all, passing},
		"is compared already": {created(t, comparing(90, 10)), failing},
		"has no canary":       {created(t, assistant(100, 0)), failing},
		"failed back":         {must(t, all, failback(3)), failing},
		"probes":              {must(t, all, probe(3)), failing},
		"stable is killed":    {must(t, all, kill(3, "k1", "blue")), failing},
	} {
		if c, ok, err := rollout.Probe(tt.in, tt.v, 2*time.Second, judge, later(9)); ok || err != nil {
			t.Errorf("%s: got %+v, %v, want no probe", name, c.State, err)
		}
		if tt.in.Probe == nil {
			if c, ok, err := rollout.EndProbe(tt.in, "", judge, later(9)); ok || err != nil {
				t.Errorf("%s: got %+v, %v, want nothing to end", name, c.State, err)
			}
		}
	}
}

// A probe on top of a trickle leaves it as it was, and its watch does not end meanwhile.
func TestProbeOverATrickle(t *testing.T) {
	before := must(t, created(t, comparing(90, 10)), weigh(comparing(90, 10), 2, share(0, 100)))
	during := must(t, before, probe(16))
	if w := during.Weights()["blue"]; w != 10_000 || during.IsTrickling() {
		t.Errorf("got %s, trickling %v; want 10%%, and no trickle", w, during.IsTrickling())
	}
	if _, ok, err := rollout.EndWatch(during, judge, later(18)); ok || err != nil {
		t.Errorf("the watch: got %v, %v, want it to go on", ok, err)
	}
	if d := cmp.Diff(before.Ranges, must(t, during, endProbe(19)).Ranges); d != "" {
		t.Errorf("after it: -want +got:\n%s", d)
	}
	if got := keptOf(must(t, during, endProbe(19), watched(20))).Stable; got != 1_000 {
		t.Errorf("after the watch: got %s, want 1%%", got)
	}
}

// However ranges came to be, a probe gives back just what it took.
func TestProbeGivesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		def := withRed(comparing(90, 10, noTrickle))
		s := created(t, def)
		for n := range rapid.IntRange(0, 4).Draw(t, "changes") {
			blue := rapid.Uint32Range(0, splitter.Buckets).Draw(t, "blue")
			green := rapid.Uint32Range(0, splitter.Buckets-blue).Draw(t, "green")
			r := rollout.AdoptRequest{Force: true, Stable: "blue", Canary: "green", Weights: map[string]splitter.Weight{
				"blue": splitter.Weight(blue), "green": splitter.Weight(green), "red": splitter.Full - splitter.Weight(blue+green)}}
			if rapid.Bool().Draw(t, "other roles") {
				r.Stable, r.Canary = "red", "blue"
			}
			c, err := rollout.Adopt(s, def, r, alice, later(n))
			if err != nil {
				t.Fatal(err)
			}
			s = c.State
		}
		c, ok, err := rollout.Probe(s, failing, 2*time.Second, judge, later(8))
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		w := c.State.Weights()
		if w[s.Stable] > w[s.Canary] || w[s.Stable] <= s.Weights()[s.Stable] || c.State.RunningProbe() == nil {
			t.Fatalf("from %v: got %v and %+v", s.Weights(), w, c.State.Probe)
		}
		after, ok, err := rollout.EndProbe(c.State, "", judge, later(9))
		if err != nil || !ok || !cmp.Equal(after.State.Ranges, s.Ranges) {
			t.Errorf("given back: got %v, %v, %v, want %v", after.State, ok, err, s.Ranges)
		}
	})
}
