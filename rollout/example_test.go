package rollout_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// One proxy runs a split: requests decide by the attachment's View, people change it by the Controller.
func Example() {
	dir, err := os.MkdirTemp("", "switchback")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	c := rollout.New(rollout.Options{
		Instance: "proxy-1",
		Open:     func() (store.Store, error) { return embedded.Open(filepath.Join(dir, "store")) },
		Memory:   rollout.Snapshots{Dir: store.DirAt(filepath.Join(dir, "snapshots"))},
	})
	limits := health.DefaultLimits()
	at, err := c.Attach(rollout.Definition{
		Name: "assistant", Stable: "blue", Canary: "green",
		Variants: []rollout.Variant{{Name: "blue", Weight: splitter.Full}, {Name: "green"}},
		Policy:   rollout.Policy{Failback: &limits},
	}, "this configuration")
	if err != nil {
		panic(err)
	}
	if err := c.Start(); err != nil {
		panic(err)
	}

	ctx, by := context.Background(), rollout.By{Actor: "alice", Reason: "the new prompt"}
	half := map[string]splitter.Weight{"green": splitter.Full / 2}
	raised, err := c.SetWeights(ctx, "assistant", rollout.WeightChange{Weights: half}, by)
	if err != nil {
		panic(err)
	}
	fmt.Println("green has", raised.State.Weights()["green"], "in epoch", at.View().Epoch())

	if _, err := c.Kill(ctx, "assistant", rollout.KillRequest{Variant: "green"}, by); err != nil {
		panic(err)
	}
	placed := map[int]int{}
	for i := range 1000 {
		placed[at.View().Table.Decide(splitter.Request{Key: fmt.Sprintf("user-%d", i)}).Variant]++
	}
	fmt.Println("green is killed, blue gets", placed[0], "of 1000")

	c.Detach(at)
	if err := c.Close(); err != nil {
		panic(err)
	}
	// Output:
	// green has 50% in epoch 2
	// green is killed, blue gets 1000 of 1000
}

// The changes are pure: they take a State and return the next one.
func ExampleFailback() {
	def := rollout.Definition{
		Name: "assistant", Stable: "blue", Canary: "green",
		Variants: []rollout.Variant{{Name: "blue", Weight: 90 * percent}, {Name: "green", Weight: 10 * percent}},
		Policy:   rollout.Policy{Cooldown: health.Duration(15 * 60 * 1e9)},
	}
	first, err := rollout.Create(def, rollout.By{Actor: "alice"}, rollout.Seed{Now: noon, ID: "c1", Salt: "pepper"})
	if err != nil {
		panic(err)
	}
	v := health.Verdict{Result: health.Fail, Reason: "50% of 40 requests failed"}
	back, _, err := rollout.Failback(first.State, v, rollout.By{Actor: "switchback"}, rollout.Seed{Now: noon, ID: "c2"})
	if err != nil {
		panic(err)
	}
	fmt.Println(back.State.Weights(), back.State.Progress.Phase, "until", back.State.Cooldown.Until.Format("15:04"))
	// Output: map[blue:100%] failed_back until 12:15
}
