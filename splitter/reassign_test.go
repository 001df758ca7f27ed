package splitter_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

func TestReassign(t *testing.T) {
	tests := []struct {
		name string
		in   []splitter.Range
		want []splitter.Share
		out  []splitter.Range
	}{
		{"nothing changes",
			[]splitter.Range{{0, 1_000, "green"}, {1_000, splitter.Buckets, "blue"}},
			[]splitter.Share{{"blue", 99_000}, {"green", 1_000}},
			[]splitter.Range{{0, 1_000, "green"}, {1_000, splitter.Buckets, "blue"}}},
		{"canary begins at 0",
			[]splitter.Range{{0, splitter.Buckets, "blue"}},
			[]splitter.Share{{"blue", 99_999}, {"green", 1}},
			[]splitter.Range{{0, 1, "green"}, {1, splitter.Buckets, "blue"}}},
		{"canary grows",
			[]splitter.Range{{0, 1_000, "green"}, {1_000, splitter.Buckets, "blue"}},
			[]splitter.Share{{"blue", 90_000}, {"green", 10_000}},
			[]splitter.Range{{0, 10_000, "green"}, {10_000, splitter.Buckets, "blue"}}},
		{"canary gives up its highest",
			[]splitter.Range{{0, 10_000, "green"}, {10_000, splitter.Buckets, "blue"}},
			[]splitter.Share{{"blue", 95_000}, {"green", 5_000}},
			[]splitter.Range{{0, 5_000, "green"}, {5_000, splitter.Buckets, "blue"}}},
		{"failback: unnamed means 0 %",
			[]splitter.Range{{0, 10_000, "green"}, {10_000, splitter.Buckets, "blue"}},
			[]splitter.Share{{"blue", splitter.Full}},
			[]splitter.Range{{0, splitter.Buckets, "blue"}}},
		{"canary takes the lowest of what a third gives up",
			[]splitter.Range{{0, 1_000, "green"}, {1_000, 50_000, "blue"}, {50_000, splitter.Buckets, "grey"}},
			[]splitter.Share{{"blue", 49_000}, {"green", 2_000}, {"grey", 49_000}},
			[]splitter.Range{{0, 1_000, "green"}, {1_000, 50_000, "blue"}, {50_000, 51_000, "green"}, {51_000, splitter.Buckets, "grey"}}},
		{"canary gives up what it took last",
			[]splitter.Range{{0, 1_000, "green"}, {1_000, 50_000, "blue"}, {50_000, 51_000, "green"}, {51_000, splitter.Buckets, "grey"}},
			[]splitter.Share{{"blue", 49_000}, {"green", 1_000}, {"grey", 50_000}},
			[]splitter.Range{{0, 1_000, "green"}, {1_000, 50_000, "blue"}, {50_000, splitter.Buckets, "grey"}}},
		{"a border shifts",
			[]splitter.Range{{0, 1_000, "green"}, {1_000, 50_000, "blue"}, {50_000, splitter.Buckets, "grey"}},
			[]splitter.Share{{"blue", 60_000}, {"green", 1_000}, {"grey", 39_000}},
			[]splitter.Range{{0, 1_000, "green"}, {1_000, 61_000, "blue"}, {61_000, splitter.Buckets, "grey"}}},
		{"a newcomer leaves the canary its room",
			[]splitter.Range{{0, 1_000, "green"}, {1_000, splitter.Buckets, "blue"}},
			[]splitter.Share{{"blue", 79_000}, {"green", 1_000}, {"grey", 20_000}},
			[]splitter.Range{{0, 1_000, "green"}, {1_000, 80_000, "blue"}, {80_000, splitter.Buckets, "grey"}}},
		{"two newcomers, two givers",
			[]splitter.Range{{0, 50_000, "blue"}, {50_000, splitter.Buckets, "grey"}},
			[]splitter.Share{{"blue", 30_000}, {"grey", 40_000}, {"red", 20_000}, {"pink", 10_000}},
			[]splitter.Range{{0, 30_000, "blue"}, {30_000, 50_000, "red"}, {50_000, 90_000, "grey"}, {90_000, splitter.Buckets, "pink"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := append([]splitter.Range(nil), tt.in...)
			got, err := splitter.Reassign(tt.in, "green", tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.out, got); diff != "" {
				t.Errorf("ranges (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.in); diff != "" {
				t.Errorf("the input was modified (-before +after):\n%s", diff)
			}
		})
	}
}

func TestReassignRefusesBrokenRanges(t *testing.T) {
	want := []splitter.Share{{"blue", splitter.Full}}
	for _, in := range [][]splitter.Range{nil, {{0, 10, "blue"}}, {{10, splitter.Buckets, "blue"}}} {
		if got, err := splitter.Reassign(in, "green", want); err == nil {
			t.Errorf("Reassign(%v): got %v, want an error", in, got)
		}
	}
}

// Whatever the history, a change of weights gives valid ranges with just the weights wanted, moves no bucket that it
// need not move, and lets a canary that grows keep all it has and take the lowest of what is given up, one that
// shrinks give up its highest.
func TestReassignProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := variantNames(rapid.IntRange(2, 6).Draw(t, "variants"))
		ranges, err := splitter.Layout(drawShares(t, names), names[0])
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			canary := rapid.SampledFrom(append(names, "")).Draw(t, "canary")
			want := drawShares(t, names)
			next, err := splitter.Reassign(ranges, canary, want)
			if err != nil {
				t.Fatal(err)
			}
			checkRanges(t, next, want)
			checkMoves(t, ranges, next, want)
			checkCanary(t, ranges, next, canary)
			ranges = next
		}
	})
}

// Raising the canary step by step, as a rollout does, among any other changes that leave it as it is, never moves
// anybody off it.
func TestRaisingTheCanaryMovesNobodyBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := variantNames(rapid.IntRange(2, 5).Draw(t, "variants"))
		ranges, err := splitter.Layout([]splitter.Share{{Variant: names[1], Weight: splitter.Full}}, names[0])
		if err != nil {
			t.Fatal(err)
		}
		weight := splitter.Weight(0)
		for range rapid.IntRange(1, 10).Draw(t, "raises") {
			weight = splitter.Weight(rapid.Uint32Range(uint32(weight), uint32(splitter.Full)).Draw(t, "raised to"))
			want := append(drawSum(t, names[1:], splitter.Full-weight), splitter.Share{Variant: names[0], Weight: weight})
			next, err := splitter.Reassign(ranges, names[0], want)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range passages(ranges, next) {
				if p.from == names[0] && p.to != names[0] {
					t.Fatalf("raised to %v: %d buckets from %d on went from the canary to %s", weight, p.size, p.low, p.to)
				}
			}
			ranges = next
		}
	})
}

// Ranges stay few over long histories: of weights drawn anew each time, and of many small exchanges between two, the
// canary's role changing hands. Measured: at most 3 N for the former, 1.4 N² for the latter.
func TestFragmentationIsBounded(t *testing.T) {
	const changes = 3_000
	for n := 2; n <= 8; n++ {
		names, random := variantNames(n), rand.New(rand.NewPCG(1, uint64(n)))
		afresh := func([]splitter.Share) []splitter.Share { return randomShares(random, names) }
		little := func(old []splitter.Share) []splitter.Share { return exchanged(random, old, 500) }
		if got, want := mostRanges(t, random, names, changes, 0, afresh), 4*n; got > want {
			t.Errorf("%d variants, weights drawn anew: got %d ranges, want at most %d", n, got, want)
		}
		if got, want := mostRanges(t, random, names, changes, 0.1, little), 2*n*n; got > want {
			t.Errorf("%d variants, small exchanges: got %d ranges, want at most %d", n, got, want)
		}
	}
}

// mostRanges runs a history of changes and returns the greatest number of ranges in it; with the probability given a
// change is made with another canary.
func mostRanges(t *testing.T, random *rand.Rand, names []string, changes int, otherCanary float64,
	next func([]splitter.Share) []splitter.Share,
) int {
	shares := randomShares(random, names)
	ranges, err := splitter.Layout(shares, names[0])
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for range changes {
		canary := names[0]
		if random.Float64() < otherCanary {
			canary = names[random.IntN(len(names))]
		}
		shares = next(shares)
		if ranges, err = splitter.Reassign(ranges, canary, shares); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(ranges))
	}
	return most
}

func checkRanges(t *rapid.T, ranges []splitter.Range, want []splitter.Share) {
	s := trial()
	s.Ranges = ranges
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	weights := map[string]splitter.Weight{}
	for _, share := range want {
		if share.Weight > 0 {
			weights[share.Variant] = share.Weight
		}
	}
	if diff := cmp.Diff(weights, splitter.WeightsOf(ranges)); diff != "" {
		t.Fatalf("weights (-want +got):\n%s", diff)
	}
}

// checkMoves compares the buckets moved with half the sum of the absolute differences of weight.
func checkMoves(t *rapid.T, before, after []splitter.Range, want []splitter.Share) {
	weights, sum := splitter.WeightsOf(before), 0
	for _, share := range want {
		difference := int(share.Weight) - int(weights[share.Variant])
		sum += max(difference, -difference)
	}
	moved := 0
	for _, p := range passages(before, after) {
		if p.from != p.to {
			moved += int(p.size)
		}
	}
	if moved != sum/2 {
		t.Fatalf("got %d buckets moved, want %d\nbefore %v\nafter %v", moved, sum/2, before, after)
	}
}

func checkCanary(t *rapid.T, before, after []splitter.Range, canary string) {
	var endTaken, endKept uint32
	lowestOther, lowestGiven := uint32(splitter.Buckets), uint32(splitter.Buckets)
	for _, p := range passages(before, after) {
		switch {
		case p.from == canary && p.to == canary:
			endKept = p.low + p.size
		case p.from == canary:
			lowestGiven = min(lowestGiven, p.low)
		case p.to == canary:
			endTaken = p.low + p.size
		case p.from != p.to:
			lowestOther = min(lowestOther, p.low)
		}
	}
	if endTaken > lowestOther {
		t.Fatalf("the canary took bucket %d, and another the lower %d", endTaken-1, lowestOther)
	}
	if endKept > lowestGiven {
		t.Fatalf("the canary kept bucket %d and gave up the lower %d", endKept-1, lowestGiven)
	}
}

// passage says whose some neighbouring buckets were and are.
type passage struct {
	from, to  string
	low, size uint32
}

// passages compares two layouts, from bucket 0 upwards.
func passages(before, after []splitter.Range) []passage {
	var all []passage
	for low, i, j := uint32(0), 0, 0; low < splitter.Buckets; {
		end := min(before[i].To, after[j].To)
		all = append(all, passage{before[i].Variant, after[j].Variant, low, end - low})
		if before[i].To == end {
			i++
		}
		if after[j].To == end {
			j++
		}
		low = end
	}
	return all
}

func variantNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("v%d", i)
	}
	return names
}

func drawShares(t *rapid.T, names []string) []splitter.Share {
	return drawSum(t, names, splitter.Full)
}

// drawSum draws shares that add up to sum.
func drawSum(t *rapid.T, names []string, sum splitter.Weight) []splitter.Share {
	draw := func(rest splitter.Weight) splitter.Weight {
		return splitter.Weight(rapid.Uint32Range(0, uint32(rest)).Draw(t, "weight"))
	}
	return sharesOf(rapid.Permutation(names).Draw(t, "order"), sum, draw)
}

func randomShares(random *rand.Rand, names []string) []splitter.Share {
	order := append([]string(nil), names...)
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return sharesOf(order, splitter.Full, func(rest splitter.Weight) splitter.Weight {
		return splitter.Weight(random.Uint32N(uint32(rest) + 1))
	})
}

// sharesOf draws a share of what is left for each but the last, which gets the rest.
func sharesOf(names []string, sum splitter.Weight, draw func(rest splitter.Weight) splitter.Weight) []splitter.Share {
	shares := make([]splitter.Share, len(names))
	for i, name := range names {
		weight := sum
		if i < len(names)-1 {
			weight = draw(sum)
		}
		shares[i] = splitter.Share{Variant: name, Weight: weight}
		sum -= weight
	}
	return shares
}

// exchanged returns the shares after two variants exchanged at most so much.
func exchanged(random *rand.Rand, old []splitter.Share, most uint32) []splitter.Share {
	shares := append([]splitter.Share(nil), old...)
	from, to := random.IntN(len(shares)), random.IntN(len(shares))
	amount := min(splitter.Weight(random.Uint32N(most)), shares[from].Weight)
	shares[from].Weight -= amount
	shares[to].Weight += amount
	return shares
}
