package splitter_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// moved returns a trial of which these buckets were taken at noon.
func moved(moves ...splitter.Move) *splitter.State {
	s := trial()
	s.Moved = moves
	return s
}

func move(from, to uint32, variant string, minutes int) splitter.Move {
	return splitter.Move{Range: splitter.Range{From: from, To: to, Variant: variant}, At: noon.Add(time.Duration(minutes) * time.Minute)}
}

// next returns a State that gives the variants other shares, minutes after noon.
func next(t rapid.TB, prev *splitter.State, minutes int, want []splitter.Share) *splitter.State {
	t.Helper()
	n := prev.Clone()
	var err error
	if n.Ranges, err = splitter.Reassign(prev.Ranges, prev.Canary, want); err != nil {
		t.Fatal(err)
	}
	n.Changed.At = noon.Add(time.Duration(minutes) * time.Minute)
	n.Remember(prev)
	return n
}

func TestRemember(t *testing.T) {
	begin := trial()
	begin.Ranges = []splitter.Range{{From: 0, To: 50_000, Variant: "green"}, {From: 50_000, To: splitter.Buckets, Variant: "blue"}}
	less := next(t, begin, 0, []splitter.Share{{Variant: "blue", Weight: 90_000}, {Variant: "green", Weight: 10_000}})
	back := next(t, less, 5, []splitter.Share{{Variant: "blue", Weight: 70_000}, {Variant: "green", Weight: 30_000}})
	again := next(t, back, 9, []splitter.Share{{Variant: "blue", Weight: 80_000}, {Variant: "green", Weight: 20_000}})
	late := next(t, again, 24*60+7, []splitter.Share{{Variant: "blue", Weight: 81_000}, {Variant: "green", Weight: 19_000}})
	for _, tt := range []struct {
		name string
		in   *splitter.State
		want []splitter.Move
	}{
		{"the canary shrinks", less, []splitter.Move{move(10_000, 50_000, "green", 0)}},
		{"and grows again", back, []splitter.Move{move(10_000, 30_000, "blue", 5), move(10_000, 50_000, "green", 0)}},
		{"the last time counts", again, []splitter.Move{
			move(10_000, 30_000, "blue", 5), move(10_000, 20_000, "green", 0), move(20_000, 30_000, "green", 9), move(30_000, 50_000, "green", 0),
		}},
		{"a day later the rest is gone", late, []splitter.Move{
			move(19_000, 20_000, "green", 24*60+7), move(20_000, 30_000, "green", 9),
		}},
	} {
		if diff := cmp.Diff(tt.want, tt.in.Moved); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A failback lets go of all that the canary ever lost: those who stayed on it when its share shrank as well.
func TestFailedMoves(t *testing.T) {
	n := next(t, moved(move(1_000, 2_000, "green", 0), move(0, 7, "grey", 1)), 5, []splitter.Share{
		{Variant: "blue", Weight: 80_000}, {Variant: "grey", Weight: 10_000}, {Variant: "red", Weight: 10_000},
	})
	n.Progress.Phase = splitter.PhaseFailedBack
	n.Moved = nil
	n.Remember(moved(move(1_000, 2_000, "green", 0), move(0, 7, "grey", 1)))
	now, before := move(0, 1_000, "green", 5), move(1_000, 2_000, "green", 0)
	now.Failed, before.Failed = true, true
	if diff := cmp.Diff([]splitter.Move{now, before, move(0, 7, "grey", 1)}, n.Moved); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
}

// A promotion that is taken back lets go of all as well: the variant that was rolled back is the canary by then.
func TestRolledBackMoves(t *testing.T) {
	promoted := trial()
	promoted.Stable, promoted.Canary = "green", "blue"
	promoted.Ranges = []splitter.Range{{From: 0, To: splitter.Buckets, Variant: "green"}}
	n := promoted.Clone()
	n.Stable, n.Canary = "blue", "green"
	n.Ranges = []splitter.Range{{From: 0, To: splitter.Buckets, Variant: "blue"}}
	n.Progress.Ended, n.Changed.At = splitter.EndRolledBack, noon
	n.Remember(promoted)
	want := move(0, splitter.Buckets, "green", 0)
	want.Failed = true
	if diff := cmp.Diff([]splitter.Move{want}, n.Moved); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
}

func TestMovesUnderAnotherSalt(t *testing.T) {
	all := trial()
	all.Ranges = []splitter.Range{{From: 0, To: splitter.Buckets, Variant: "blue"}}
	all.Moved = []splitter.Move{move(0, 9, "green", 0)}
	salted := next(t, all, 1, []splitter.Share{{Variant: "blue", Weight: 99_000}, {Variant: "green", Weight: 1_000}})
	salted.Salt, salted.Moved = "another", nil
	salted.Remember(all)
	old := move(0, 9, "green", 0)
	old.Salt = all.Salt
	if diff := cmp.Diff([]splitter.Move{move(0, 1_000, "blue", 1), old}, salted.Moved); diff != "" {
		t.Errorf("of one variant that had all (-want +got):\n%s", diff)
	}

	// Back under the first salt, all users of the other are scattered.
	back := all.Clone()
	back.Changed.At, back.Moved = noon.Add(2*time.Minute), nil
	back.Remember(salted)
	blue, green, wasBlue := move(1_000, splitter.Buckets, "blue", 2), move(0, 1_000, "green", 2), move(0, 1_000, "blue", 1)
	blue.Salt, green.Salt, wasBlue.Salt = "another", "another", "another"
	if diff := cmp.Diff([]splitter.Move{move(0, 9, "green", 0), wasBlue, blue, green}, back.Moved); diff != "" {
		t.Errorf("of two variants (-want +got):\n%s", diff)
	}
}

// Of too many moves, the newest stay.
func TestMovesAreBounded(t *testing.T) {
	s := trial()
	s.Ranges = []splitter.Range{{From: 0, To: splitter.Buckets, Variant: "blue"}}
	for i := range 200 {
		w := splitter.Weight(i + 1)
		s = next(t, s, i, []splitter.Share{{Variant: "blue", Weight: splitter.Full - w}, {Variant: "green", Weight: w}})
	}
	if len(s.Moved) != 64 || s.Moved[0].From != 200-64 || s.Moved[63].To != 200 {
		t.Errorf("got %d moves from %v to %v, want the last 64", len(s.Moved), s.Moved[0], s.Moved[len(s.Moved)-1])
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func TestAKillLeavesMovesAsTheyAre(t *testing.T) {
	before := moved(move(5, 6, "green", -60*48)) // too old: of a newer release that knows why
	after := before.Clone()
	after.Kills = append(after.Kills, kill("k", "", 0, 0))
	after.Remember(before)
	if diff := cmp.Diff(before.Moved, after.Moved); diff != "" {
		t.Errorf("moves (-before +after):\n%s", diff)
	}
}

// lastLeft is the plain way to say when each bucket left each variant last.
type lastLeft map[uint32]map[string]time.Time

func (l lastLeft) note(before, after *splitter.State) {
	for _, bucket := range l.buckets() {
		if from := owner(before, bucket); from != owner(after, bucket) {
			l[bucket][from] = after.Changed.At
		}
	}
}

func (l lastLeft) buckets() []uint32 {
	var all []uint32
	for bucket := range l {
		all = append(all, bucket)
	}
	return all
}

func owner(s *splitter.State, bucket uint32) string {
	for _, r := range s.Ranges {
		if r.From <= bucket && bucket < r.To {
			return r.Variant
		}
	}
	return ""
}

// A pin to a variant holds if, and only if, the bucket left that variant within the time to hold, whatever moved since,
// and the variant still serves.
func TestPinsHoldExactlyWhatMoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := trial()
		hasher, plain, keys := splitter.NewHasher(s.Salt), lastLeft{}, map[uint32]string{}
		for i := range 200 {
			key := strconv.Itoa(i)
			plain[hasher.Bucket(key)], keys[hasher.Bucket(key)] = map[string]time.Time{}, key
		}
		names, minute := []string{"blue", "green", "grey", "red"}, 0
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			minute += rapid.IntRange(0, 40).Draw(t, "minutes")
			n := next(t, s, minute, drawShares(t, names))
			plain.note(s, n)
			s = n
		}
		if rapid.Bool().Draw(t, "is killed") {
			s.Kills = []splitter.Kill{kill("k", "green", 0, 0)}
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		table := splitter.Compile(s, known)
		since := noon.Add(time.Duration(minute-30) * time.Minute)
		for bucket, key := range keys {
			checkPins(t, table, s, plain[bucket], splitter.Request{Key: key}, splitter.Hold{Since: since})
		}
	})
}

func checkPins(t *rapid.T, table *splitter.Table, s *splitter.State, left map[string]time.Time, r splitter.Request, h splitter.Hold) {
	byBucket, mayBe := table.Decide(r), false
	for i, name := range known {
		at, hasLeft := left[name]
		holds := hasLeft && !at.Before(h.Since) && s.KillOf(name) == nil
		mayBe = mayBe || holds
		pin := splitter.Pin{Variant: name, Epoch: s.Epoch}
		want := byBucket
		if holds && i != byBucket.Variant {
			want = splitter.Decision{Variant: i, Reason: splitter.ReasonPin, Bucket: table.BucketOf(r.Key), Current: true}
		}
		if got := table.DecidePinned(r, pin, h); got != want {
			t.Fatalf("%s, pinned to %s, left %v: got %+v, want %+v", fmt.Sprint(s.Ranges), name, left, got, want)
		}
	}
	if got := table.MayBePinned(r, h); got != mayBe {
		t.Fatalf("may be pinned: got %t, want %t; left %v", got, mayBe, left)
	}
}

func TestPins(t *testing.T) {
	failed := move(0, splitter.Buckets, "grey", 0)
	failed.Failed = true
	unsure := move(0, splitter.Buckets, "green", 0)
	unsure.Salt = "another"
	s := moved(unsure, failed, move(0, splitter.Buckets, "red", 0))
	late, finish := splitter.Hold{Since: noon.Add(1)}, splitter.Hold{Finish: true}
	pin := func(variant string, epoch uint64) splitter.Pin { return splitter.Pin{Variant: variant, Epoch: epoch} }
	for _, tt := range []struct {
		name     string
		in       splitter.Request
		pin      splitter.Pin
		hold     splitter.Hold
		kills    []splitter.Kill
		variant  int
		reason   splitter.Reason
		evidence bool
	}{
		{"to where it began", byKey("blue"), pin("green", 1), splitter.Hold{Since: noon}, nil, green, splitter.ReasonPin, true},
		{"in an earlier epoch", byKey("blue"), pin("green", 0), splitter.Hold{}, nil, green, splitter.ReasonPin, false},
		{"to where the bucket is", byKey("blue"), pin("blue", 0), splitter.Hold{}, nil, blue, splitter.ReasonSplit, true},
		{"to one that is unknown here", byKey("blue"), pin("red", 1), splitter.Hold{}, nil, blue, splitter.ReasonSplit, true},
		{"to a failed one", byKey("blue"), pin("grey", 1), splitter.Hold{}, nil, blue, splitter.ReasonSplit, true},
		{"to a failed one, to finish", byKey("blue"), pin("grey", 1), finish, nil, grey, splitter.ReasonPin, true},
		{"moved too long ago", byKey("blue"), pin("green", 1), late, nil, blue, splitter.ReasonSplit, true},
		{"without a key", splitter.Request{}, pin("green", 1), splitter.Hold{}, nil, blue, splitter.ReasonDefault, false},
		{"overridden", byOverride(grey), pin("green", 1), splitter.Hold{}, nil, grey, splitter.ReasonTargetingMatch, false},
		{"killed", byKey("blue"), pin("green", 1), splitter.Hold{}, []splitter.Kill{kill("k", "green", 0, 0)}, blue,
			splitter.ReasonSplit, true},
		{"all killed", byKey("blue"), pin("green", 1), finish, []splitter.Kill{kill("k", "", 0, 0)}, nobody,
			splitter.ReasonDisabled, false},
	} {
		s.Kills = tt.kills
		d := splitter.Compile(s, known).DecidePinned(tt.in, tt.pin, tt.hold)
		if d.Variant != tt.variant || d.Reason != tt.reason || d.IsEvidence() != tt.evidence {
			t.Errorf("%s: got %+v, evidence %t, want variant %d by %s, evidence %t", tt.name, d, d.IsEvidence(), tt.variant,
				tt.reason, tt.evidence)
		}
	}
}

func TestPinsDoNotAllocate(t *testing.T) {
	table := splitter.Compile(moved(move(0, splitter.Buckets, "green", 0)), known)
	r, h := byKey("blue"), splitter.Hold{}
	decide := func() { table.MayBePinned(r, h); table.DecidePinned(r, splitter.Pin{Variant: "green"}, h) }
	if got := testing.AllocsPerRun(1000, decide); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
