package splitter_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

// drilling returns a State that sends two test users to a variant.
func drilling(variant string, kills ...splitter.Kill) *splitter.State {
	s := trial(kills...)
	s.Drill = &splitter.Drill{ID: "d1", Variant: variant, Users: []string{"hash-1", "hash-2"}, Until: noon}
	return s
}

// byUser returns a request of a user of the drill whose bucket is blue's.
func byUser(user string) splitter.Request { return splitter.Request{Key: keyIn["blue"], User: user} }

func TestDecideInADrill(t *testing.T) {
	forced := byUser("hash-1")
	forced.Override = splitter.OverrideTo(grey)
	kill := func(variant string) splitter.Kill { return kill("k", variant, splitter.KillRequests, 0) }
	for _, tt := range []struct {
		name  string
		state *splitter.State
		known []string
		in    splitter.Request
		want  answer
	}{
		{"its user", drilling("green"), known, byUser("hash-2"), answer{green, splitter.ReasonTargetingMatch, ""}},
		{"its user without a key", drilling("green"), known, splitter.Request{User: "hash-1"},
			answer{green, splitter.ReasonTargetingMatch, ""}},
		{"before an override", drilling("green"), known, forced, answer{green, splitter.ReasonTargetingMatch, ""}},
		{"another user", drilling("green"), known, byUser("hash-3"), answer{blue, splitter.ReasonSplit, ""}},
		{"user not told", drilling("green"), known, byUser(""), answer{blue, splitter.ReasonSplit, ""}},
		{"no drill", trial(), known, byUser("hash-1"), answer{blue, splitter.ReasonSplit, ""}},
		{"its variant is unknown here", drilling("red"), known, byUser("hash-1"), answer{blue, splitter.ReasonDefault, ""}},
		{"its variant is killed", drilling("green", kill("green")), known, byUser("hash-1"), answer{blue, splitter.ReasonDefault, ""}},
		{"stable is killed", drilling("green", kill("blue")), known, byUser("hash-1"), answer{green, splitter.ReasonTargetingMatch, ""}},
		{"both are killed", drilling("green", kill("green"), kill("blue")), known, byUser("hash-1"),
			answer{nobody, splitter.ReasonDisabled, "k"}},
		{"the split is killed", drilling("green", kill("")), known, byUser("hash-1"), answer{nobody, splitter.ReasonDisabled, "k"}},
		{"stable is unknown here", drilling("red"), []string{"green"}, byUser("hash-1"), answer{nobody, splitter.ReasonError, ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := answerOf(splitter.Compile(tt.state, tt.known).Decide(tt.in)); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestDrilling(t *testing.T) {
	for _, tt := range []struct {
		name  string
		table *splitter.Table
		want  bool
	}{
		{"no drill", splitter.Compile(trial(), known), false},
		{"drill", splitter.Compile(drilling("green"), known), true},
		{"drill of a killed split", splitter.Compile(drilling("green", kill("k", "", 0, 0)), known), false},
		{"blind", splitter.Blind(known, blue, nil), false},
	} {
		if got := tt.table.Drilling(); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
}

// A drill places its users and nobody else, makes no evidence, and when it is gone everybody is where they were.
func TestADrillMovesItsUsersOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var err error
		s := moved(move(0, splitter.Buckets, "grey", 0))
		if s.Ranges, err = splitter.Layout(drawShares(t, []string{"blue", "green", "grey"}), "green"); err != nil {
			t.Fatal(err)
		}
		before := splitter.Compile(s, known)
		during := s.Clone()
		during.Drill = drilling("green").Drill
		table := splitter.Compile(during, known)
		pin, hold := splitter.Pin{Variant: "grey", Epoch: 1}, splitter.Hold{}
		for i := range 50 {
			r := splitter.Request{Key: strconv.Itoa(i), Override: splitter.Override(rapid.IntRange(-1, 4).Draw(t, "override"))}
			inside := r
			inside.User = "hash-1"
			d := table.DecidePinned(inside, pin, hold)
			if d.Variant != green || d.IsEvidence() || table.MayBePinned(inside, hold) {
				t.Fatalf("user of the drill: got %+v, evidence %t", d, d.IsEvidence())
			}
			r.User = rapid.SampledFrom([]string{"", "hash-3"}).Draw(t, "user")
			if got, want := table.DecidePinned(r, pin, hold), before.DecidePinned(r, pin, hold); got != want {
				t.Fatalf("another user: got %+v, want %+v", got, want)
			}
		}
		during.Drill = nil
		if diff := cmp.Diff(s, during, whole); diff != "" {
			t.Fatalf("after the drill (-want +got):\n%s", diff)
		}
	})
}

// What failed before a drill passed is over, also where a release took it along that does not know of it.
func TestLatestDrillFailed(t *testing.T) {
	for _, tt := range []struct {
		name           string
		passed, failed time.Time
		want           bool
	}{
		{"no drill", time.Time{}, time.Time{}, false},
		{"none has failed", noon, time.Time{}, false},
		{"none has passed", time.Time{}, noon, true},
		{"passed, then failed", noon, noon.Add(time.Minute), true},
		{"failed, then passed", noon.Add(time.Minute), noon, false},
	} {
		s := trial()
		s.Drilled, s.DrillFailed = splitter.Drilled{At: tt.passed}, splitter.FailedDrill{At: tt.failed, Step: "start"}
		if got, failed := s.LatestDrillFailed(); failed != tt.want || failed != (got == s.DrillFailed && got.Step != "" && !got.At.IsZero()) {
			t.Errorf("%s: got %+v, %t; want %t", tt.name, got, failed, tt.want)
		}
	}
}

func TestADrillDoesNotAllocate(t *testing.T) {
	table := splitter.Compile(drilling("green"), known)
	for _, in := range []splitter.Request{byUser("hash-2"), byUser("hash-3"), byUser("")} {
		if got := testing.AllocsPerRun(1000, func() { table.Decide(in) }); got != 0 {
			t.Errorf("%+v: got %v allocations, want 0", in, got)
		}
	}
}

func BenchmarkDecideInADrill(b *testing.B) {
	s := drilling("green")
	s.Drill.Users = nil
	for i := range 20 {
		s.Drill.Users = append(s.Drill.Users, strings.Repeat("0", 30)+strconv.Itoa(10+i))
	}
	table := splitter.Compile(s, known)
	in := byUser(strings.Repeat("0", 30) + "99")
	b.ReportAllocs()
	for b.Loop() {
		table.Decide(in)
	}
}
