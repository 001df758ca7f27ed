package splitter_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/switchback-proxy/switchback/splitter"
)

// The variants that the instance of these tests can serve. The State of [trial] has one more, red.
const (
	blue = iota
	green
	grey
	nobody = -1
)

var known = []string{"blue", "green", "grey"}

// trial returns a State with green on trial against blue, and grey and red beside them.
func trial(kills ...splitter.Kill) *splitter.State {
	return &splitter.State{
		Schema:  splitter.Schema,
		Split:   "assistant",
		Version: splitter.Version{Revision: 1, ID: "c1"},
		Epoch:   1,
		Salt:    "5f2b9c0d1e3a4b67",
		Stable:  "blue",
		Canary:  "green",
		Ranges: []splitter.Range{
			{From: 0, To: 1_000, Variant: "green"},
			{From: 1_000, To: 80_000, Variant: "blue"},
			{From: 80_000, To: 90_000, Variant: "grey"},
			{From: 90_000, To: splitter.Buckets, Variant: "red"},
		},
		Kills: kills,
	}
}

func kill(id, variant string, level splitter.KillLevel, minute int) splitter.Kill {
	return splitter.Kill{ID: id, Variant: variant, Level: level, At: time.Date(2026, 5, 1, 12, minute, 0, 0, time.UTC)}
}

// answer is a Decision as the tables write it.
type answer struct {
	variant int
	reason  splitter.Reason
	kill    string // id
}

func answerOf(d splitter.Decision) answer {
	a := answer{variant: d.Variant, reason: d.Reason}
	if d.Kill != nil {
		a.kill = d.Kill.ID
	}
	return a
}

// Keys whose buckets are in the range of each variant, found by search.
var keyIn = func() map[string]string {
	h, keys := splitter.NewHasher(trial().Salt), map[string]string{}
	for i := 0; len(keys) < len(trial().Ranges); i++ {
		key := "user-" + strconv.Itoa(i)
		for _, r := range trial().Ranges {
			if b := h.Bucket(key); r.From <= b && b < r.To {
				keys[r.Variant] = key
			}
		}
	}
	return keys
}()

func byKey(variant string) splitter.Request { return splitter.Request{Key: keyIn[variant]} }

func byOverride(variant int) splitter.Request {
	return splitter.Request{Key: keyIn["blue"], Override: splitter.OverrideTo(variant)}
}

func TestDecideOrder(t *testing.T) {
	split := kill("k0", "", splitter.KillRequests, 0)
	killed := func(variant string) *splitter.State { return trial(kill("k1", variant, splitter.KillRequests, 1)) }
	tests := []struct {
		name  string
		state *splitter.State
		known []string
		in    splitter.Request
		want  answer
	}{
		{"bucket of the canary", trial(), known, byKey("green"), answer{green, splitter.ReasonSplit, ""}},
		{"bucket of stable", trial(), known, byKey("blue"), answer{blue, splitter.ReasonSplit, ""}},
		{"bucket of another", trial(), known, byKey("grey"), answer{grey, splitter.ReasonSplit, ""}},
		{"bucket of an unknown one", trial(), known, byKey("red"), answer{blue, splitter.ReasonDefault, ""}},
		{"no key", trial(), known, splitter.Request{}, answer{blue, splitter.ReasonDefault, ""}},
		{"override", trial(), known, byOverride(green), answer{green, splitter.ReasonTargetingMatch, ""}},
		{"override without a key", trial(), known, splitter.Request{Override: splitter.OverrideTo(green)}, answer{green, splitter.ReasonTargetingMatch, ""}},
		{"override to stable", trial(), known, byOverride(blue), answer{blue, splitter.ReasonTargetingMatch, ""}},
		{"override to nothing", trial(), known, byOverride(7), answer{blue, splitter.ReasonDefault, ""}},
		{"override below nothing", trial(), known, splitter.Request{Override: -3}, answer{blue, splitter.ReasonDefault, ""}},

		{"split killed, bucket", trial(split), known, byKey("blue"), answer{nobody, splitter.ReasonDisabled, "k0"}},
		{"split killed, override", trial(split), known, byOverride(green), answer{nobody, splitter.ReasonDisabled, "k0"}},
		{"split killed, no key", trial(split), known, splitter.Request{}, answer{nobody, splitter.ReasonDisabled, "k0"}},
		{"canary killed, its bucket", killed("green"), known, byKey("green"), answer{blue, splitter.ReasonDefault, ""}},
		{"canary killed, override to it", killed("green"), known, byOverride(green), answer{blue, splitter.ReasonDefault, ""}},
		{"canary killed, bucket of stable", killed("green"), known, byKey("blue"), answer{blue, splitter.ReasonSplit, ""}},
		{"stable killed, its bucket", killed("blue"), known, byKey("blue"), answer{nobody, splitter.ReasonDisabled, "k1"}},
		{"stable killed, override to it", killed("blue"), known, byOverride(blue), answer{nobody, splitter.ReasonDisabled, "k1"}},
		{"stable killed, no key", killed("blue"), known, splitter.Request{}, answer{nobody, splitter.ReasonDisabled, "k1"}},
		{"stable killed, bucket of an unknown one", killed("blue"), known, byKey("red"), answer{nobody, splitter.ReasonDisabled, "k1"}},
		{"stable killed, bucket of the canary", killed("blue"), known, byKey("green"), answer{green, splitter.ReasonSplit, ""}},

		{"stable unknown, its bucket", trial(), []string{"green"}, byKey("blue"), answer{nobody, splitter.ReasonError, ""}},
		{"stable unknown, no key", trial(), []string{"green"}, splitter.Request{}, answer{nobody, splitter.ReasonError, ""}},
		{"stable unknown, bucket of the canary", trial(), []string{"green"}, byKey("green"), answer{0, splitter.ReasonSplit, ""}},
		{"stable unknown and killed", killed("blue"), []string{"green"}, byKey("blue"), answer{nobody, splitter.ReasonDisabled, "k1"}},
		{"nothing known", trial(), nil, byKey("green"), answer{nobody, splitter.ReasonError, ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := answerOf(splitter.Compile(tt.state, tt.known).Decide(tt.in)); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestBlind(t *testing.T) {
	tests := []struct {
		name  string
		kills []splitter.Kill
		want  answer
	}{
		{"no kill", nil, answer{blue, splitter.ReasonStatic, ""}},
		{"another killed", []splitter.Kill{kill("k", "green", 0, 0)}, answer{blue, splitter.ReasonStatic, ""}},
		{"stable killed", []splitter.Kill{kill("k", "blue", 0, 0)}, answer{nobody, splitter.ReasonDisabled, "k"}},
		{"split killed", []splitter.Kill{kill("k", "", 0, 0)}, answer{nobody, splitter.ReasonDisabled, "k"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := splitter.Blind(known, blue, tt.kills)
			for _, in := range []splitter.Request{{}, byKey("green"), byOverride(green)} {
				if got := answerOf(table.Decide(in)); got != tt.want {
					t.Errorf("%+v: got %+v, want %+v", in, got, tt.want)
				}
			}
		})
	}
}

func TestKillOf(t *testing.T) {
	requests, drain, cut := splitter.KillRequests, splitter.KillDrain, splitter.KillCut
	tests := []struct {
		name    string
		kills   []splitter.Kill
		variant string
		want    string // id, empty for none
	}{
		{"none", nil, "green", ""},
		{"its own", []splitter.Kill{kill("a", "green", requests, 0)}, "green", "a"},
		{"another's", []splitter.Kill{kill("a", "blue", requests, 0)}, "green", ""},
		{"the split's", []splitter.Kill{kill("a", "", requests, 0)}, "green", "a"},
		{"split asked, a variant killed", []splitter.Kill{kill("a", "green", requests, 0)}, "", ""},
		{"earliest", []splitter.Kill{kill("a", "green", requests, 5), kill("b", "", requests, 3)}, "green", "b"},
		{"strictest", []splitter.Kill{kill("a", "green", requests, 0), kill("b", "green", cut, 5)}, "green", "b"},
		{"drain between the two", []splitter.Kill{kill("a", "", requests, 0), kill("b", "", drain, 5)}, "green", "b"},
		{"cut above a drain", []splitter.Kill{kill("a", "", drain, 0), kill("b", "green", cut, 5)}, "green", "b"},
		{"earliest of the strictest", []splitter.Kill{kill("a", "green", cut, 9), kill("b", "green", cut, 5), kill("c", "green", requests, 1)}, "green", "b"},
		{"first of equals", []splitter.Kill{kill("a", "green", cut, 9), kill("b", "green", cut, 9)}, "green", "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if k := trial(tt.kills...).KillOf(tt.variant); k != nil {
				got = k.ID
			}
			if got != tt.want {
				t.Errorf("got kill %q, want %q", got, tt.want)
			}
		})
	}
}

// VariantOf, BucketOf and Decide are three views of one thing.
func TestViewsAgree(t *testing.T) {
	table := splitter.Compile(trial(kill("k", "grey", 0, 0)), known)
	edges := map[uint32]int{0: green, 999: green, 1_000: blue, 79_999: blue, 80_000: blue, 90_000: blue, splitter.Buckets - 1: blue}
	got := map[uint32]int{}
	for bucket := range edges {
		got[bucket] = table.VariantOf(bucket)
	}
	if diff := cmp.Diff(edges, got); diff != "" {
		t.Errorf("variants of buckets (-want +got):\n%s", diff)
	}
	for _, key := range keyIn {
		want := splitter.Decision{Variant: table.VariantOf(table.BucketOf(key)), Bucket: table.BucketOf(key)}
		d := table.Decide(splitter.Request{Key: key})
		if diff := cmp.Diff(want, d, cmpopts.IgnoreFields(d, "Reason")); diff != "" {
			t.Errorf("key %q (-want +got):\n%s", key, diff)
		}
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	for name, state := range map[string]*splitter.State{"trial": trial(), "killed": trial(kill("k", "", 0, 0))} {
		table := splitter.Compile(state, known)
		for _, in := range []splitter.Request{{}, byKey("green"), byKey("blue"), byOverride(green)} {
			if got := testing.AllocsPerRun(1000, func() { table.Decide(in) }); got != 0 {
				t.Errorf("%s, %+v: got %v allocations, want 0", name, in, got)
			}
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	table := splitter.Compile(trial(), known)
	for name, in := range map[string]splitter.Request{
		"key":      {Key: "user-123456"},
		"uuid":     {Key: "3f2504e0-4f89-41d3-9a0c-0305e82c3301"},
		"override": byOverride(green),
		"no key":   {},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Decide(in)
			}
		})
	}
}
