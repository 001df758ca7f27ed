package splitter_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

// spans lists spans by their ends.
func spans(ends ...uint32) []splitter.Span {
	var list []splitter.Span
	for i := 0; i < len(ends); i += 2 {
		list = append(list, splitter.Span{From: ends[i], To: ends[i+1]})
	}
	return list
}

// trickling is a State in which stable keeps 5 % and has another 10 % on loan.
func trickling() *splitter.State {
	s := trial()
	s.Progress.Phase = splitter.PhaseTrial
	s.Ranges = []splitter.Range{{From: 0, To: 85_000, Variant: "green"}, {From: 85_000, To: splitter.Buckets, Variant: "blue"}}
	s.Trickle = &splitter.Trickle{Epoch: 1, Keeps: 15_000, Then: 1_000}
	s.Probe = &splitter.Probe{Epoch: 1, Lent: spans(85_000, 95_000), Holds: 15_000}
	return s
}

func TestRunning(t *testing.T) {
	tests := []struct {
		name                      string
		change                    func(*splitter.State)
		running, trickles, probes bool
	}{
		{"as it began", func(*splitter.State) {}, true, true, true},
		{"nothing kept", func(s *splitter.State) { s.Trickle, s.Probe = nil, nil }, false, false, false},
		{"another trial", func(s *splitter.State) { s.Epoch++ }, false, false, false},
		{"failed back", func(s *splitter.State) { s.Progress.Phase = splitter.PhaseFailedBack }, false, false, false},
		{"weights changed since", func(s *splitter.State) { s.Ranges[0].To, s.Ranges[1].From = 84_000, 84_000 }, true, false, false},
		{"lent buckets taken", func(s *splitter.State) {
			s.Ranges = []splitter.Range{{From: 0, To: 15_000, Variant: "blue"}, {From: 15_000, To: splitter.Buckets, Variant: "green"}}
		}, true, true, false},
	}
	for _, tt := range tests {
		s := trickling()
		tt.change(s)
		running, trickles, probes := s.RunningTrickle() != nil, s.IsTrickling(), s.RunningProbe() != nil
		if running != tt.running || trickles != tt.trickles || probes != tt.probes {
			t.Errorf("%s: got running %v, trickling %v, probing %v; want %v, %v, %v", tt.name, running, trickles, probes,
				tt.running, tt.trickles, tt.probes)
		}
	}
}

func TestGrant(t *testing.T) {
	ranges := []splitter.Range{{From: 0, To: 10, Variant: "green"}, {From: 10, To: 20, Variant: "blue"},
		{From: 20, To: splitter.Buckets, Variant: "green"}}
	tests := []struct {
		name  string
		spans []splitter.Span
		want  []splitter.Range
	}{
		{"nothing", nil, ranges},
		{"the middle of one", spans(12, 15), []splitter.Range{{From: 0, To: 10, Variant: "green"}, {From: 10, To: 12, Variant: "blue"},
			{From: 12, To: 15, Variant: "red"}, {From: 15, To: 20, Variant: "blue"}, {From: 20, To: splitter.Buckets, Variant: "green"}}},
		{"two in one", spans(0, 2, 4, 6), []splitter.Range{{From: 0, To: 2, Variant: "red"}, {From: 2, To: 4, Variant: "green"},
			{From: 4, To: 6, Variant: "red"}, {From: 6, To: 10, Variant: "green"}, {From: 10, To: 20, Variant: "blue"},
			{From: 20, To: splitter.Buckets, Variant: "green"}}},
		{"over a border", spans(5, 25), []splitter.Range{{From: 0, To: 5, Variant: "green"}, {From: 5, To: 25, Variant: "red"},
			{From: 25, To: splitter.Buckets, Variant: "green"}}},
		{"all", spans(0, splitter.Buckets), []splitter.Range{{From: 0, To: splitter.Buckets, Variant: "red"}}},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, splitter.Grant(ranges, tt.spans, "red")); d != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, d)
		}
	}
}

// What a shrinking canary gives up can be given back to it, to the bucket.
func TestGrantUndoesTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"blue", "green", "grey"}
		before, err := splitter.Layout(drawShares(t, names), "green")
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			canary := rapid.SampledFrom(names).Draw(t, "canary")
			if before, err = splitter.Reassign(before, canary, drawShares(t, names)); err != nil {
				t.Fatal(err)
			}
		}
		w := splitter.WeightsOf(before)
		lent := splitter.Weight(rapid.Uint32Range(0, uint32(w["green"])).Draw(t, "lent"))
		after, err := splitter.Reassign(before, "green", []splitter.Share{
			{Variant: "blue", Weight: w["blue"] + lent}, {Variant: "green", Weight: w["green"] - lent}, {Variant: "grey", Weight: w["grey"]},
		})
		if err != nil {
			t.Fatal(err)
		}
		back := splitter.Grant(after, splitter.Taken(before, after, "green"), "green")
		if d := cmp.Diff(before, back, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("-before +given back:\n%s", d)
		}
	})
}
