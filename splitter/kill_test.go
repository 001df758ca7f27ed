package splitter_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

func TestCutOf(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	requests := splitter.Kill{ID: "requests", Variant: "green", At: noon}
	cut := splitter.Kill{ID: "cut", Variant: "green", Level: splitter.KillCut, At: noon}
	slow := splitter.Kill{ID: "slow", Level: splitter.KillCut, At: noon, Rate: 10}
	faster := splitter.Kill{ID: "faster", Variant: "green", Level: splitter.KillCut, At: noon, Rate: 200}
	drain := splitter.Kill{ID: "drain", Variant: "green", Level: splitter.KillDrain, At: noon, Deadline: noon.Add(time.Minute)}
	bare := splitter.Kill{ID: "bare", Level: splitter.KillDrain, At: noon}
	for name, tt := range map[string]struct {
		kills   []splitter.Kill
		variant string
		after   time.Duration // since noon
		want    string        // id; empty if the request may go on
	}{
		"none":                       {nil, "green", time.Hour, ""},
		"requests never":             {[]splitter.Kill{requests}, "green", time.Hour, ""},
		"a cut at once":              {[]splitter.Kill{requests, cut}, "green", 0, "cut"},
		"a cut by another clock":     {[]splitter.Kill{cut}, "green", -time.Hour, "cut"},
		"another variant's":          {[]splitter.Kill{cut}, "blue", time.Hour, ""},
		"the split's":                {[]splitter.Kill{slow}, "blue", 0, "slow"},
		"a drain before its end":     {[]splitter.Kill{drain}, "green", time.Minute - 1, ""},
		"a drain at its end":         {[]splitter.Kill{drain}, "green", time.Minute, "drain"},
		"a drain without a deadline": {[]splitter.Kill{bare}, "green", splitter.DefaultDrain - 1, ""},
		"which has the default":      {[]splitter.Kill{bare}, "green", splitter.DefaultDrain, "bare"},
		"the faster one":             {[]splitter.Kill{slow, faster}, "green", 0, "faster"},
		"in either order":            {[]splitter.Kill{faster, slow}, "green", 0, "faster"},
		"where it is covered":        {[]splitter.Kill{faster, slow}, "blue", 0, "slow"},
		"no rate is the fastest":     {[]splitter.Kill{cut, faster}, "green", 0, "cut"},
		"a drain that waits":         {[]splitter.Kill{drain, slow}, "green", 0, "slow"},
		"a drain that is over":       {[]splitter.Kill{slow, drain}, "green", time.Hour, "drain"},
		"the first of equals":        {[]splitter.Kill{drain, cut}, "green", time.Hour, "drain"},
	} {
		got := ""
		if k := splitter.CutOf(tt.kills, tt.variant, noon.Add(tt.after)); k != nil {
			got = k.ID
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestRateText(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want splitter.Rate // 0: refused
	}{
		{"1/s", 1}, {"200/s", 200}, {"4294967295/s", 4294967295},
		{"", 0}, {"200", 0}, {"0/s", 0}, {"-1/s", 0}, {"+1/s", 0}, {"1.5/s", 0}, {"/s", 0}, {"200/m", 0}, {"200/S", 0},
		{"200 /s", 0}, {"4294967296/s", 0},
	} {
		var r splitter.Rate
		err := r.UnmarshalText([]byte(tt.in))
		if r != tt.want || (err == nil) != (tt.want != 0) {
			t.Errorf("%q: got %d, %v, want %d", tt.in, r, err, tt.want)
		}
		if err == nil && r.String() != tt.in {
			t.Errorf("%q is written as %s", tt.in, r)
		}
		if err != nil && !strings.Contains(err.Error(), "as in 200/s") {
			t.Errorf("%q: got error %v, want one that says how it is written", tt.in, err)
		}
	}
}

// A proxy of the first release knows no drain: it refuses new requests and cuts nothing, and keeps what it does not know.
func TestFirstReleaseReadsADrainAsRequests(t *testing.T) {
	s := trial(drained("k1", "green", time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)))
	first, err := frozenDecode(marshal(t, s))
	if err != nil {
		t.Fatal(err)
	}
	// The frozen copy has levels as texts: its enumeration knew two, and took all others for the first.
	if level := first.Kills[0].Level; level == "requests" || level == "cut" {
		t.Errorf("got level %q, want one that the first release does not know", level)
	}
	document, err := json.Marshal(first.kill("next", frozenKill{ID: "k2", Level: "cut", At: time.Unix(9, 0)}))
	if err != nil {
		t.Fatal(err)
	}
	after, err := splitter.Decode(document)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := marshal(t, after.Kills[0]), marshal(t, s.Kills[0]); string(got) != string(want) {
		t.Errorf("after a change by the first release: got %s, want %s", got, want)
	}
}
