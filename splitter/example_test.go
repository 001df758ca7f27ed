package splitter_test

import (
	"fmt"

	"github.com/switchback-proxy/switchback/splitter"
)

// Two users under a split that gives 10 % of them to green, before and after green is killed.
func Example() {
	variants := []string{"blue", "green"}
	ranges, err := splitter.Layout([]splitter.Share{{Variant: "blue", Weight: 90_000}, {Variant: "green", Weight: 10_000}}, "green")
	if err != nil {
		fmt.Println(err)
		return
	}
	state := &splitter.State{Salt: "5f2b9c0d1e3a4b67", Stable: "blue", Canary: "green", Ranges: ranges}
	show := func(s *splitter.State) {
		table := splitter.Compile(s, variants)
		for _, key := range []string{"user-1", "user-13"} {
			d := table.Decide(splitter.Request{Key: key})
			fmt.Println(key, variants[d.Variant], d.Reason, d.Bucket)
		}
	}
	show(state)

	killed := state.Clone()
	killed.Kills = []splitter.Kill{{ID: "k1", Variant: "green", Reason: "leaks its prompt"}}
	show(killed)
	// Output:
	// user-1 blue SPLIT 98025
	// user-13 green SPLIT 2793
	// user-1 blue SPLIT 98025
	// user-13 blue DEFAULT 2793
}

func ExampleReassign() {
	ranges := []splitter.Range{{From: 0, To: 1_000, Variant: "green"}, {From: 1_000, To: splitter.Buckets, Variant: "blue"}}
	want := []splitter.Share{{Variant: "blue", Weight: 75_000}, {Variant: "green", Weight: 25_000}}
	ranges, err := splitter.Reassign(ranges, "green", want)
	fmt.Println(ranges, err)
	fmt.Println(splitter.WeightsOf(ranges))
	// Output:
	// [{0 25000 green} {25000 100000 blue}] <nil>
	// map[blue:75% green:25%]
}

func ExampleParseWeight() {
	w, err := splitter.ParseWeight("0.5%")
	fmt.Println(uint32(w), w, err)
	_, err = splitter.ParseWeight("0.5")
	fmt.Println(err)
	// Output:
	// 500 0.5% <nil>
	// weight "0.5": the % sign is missing; it must be a percentage from 0% to 100% with at most three decimals, such as 0.5%
}
