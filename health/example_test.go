package health_test

import (
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// A canary at a tenth of the traffic answers every second request with an error; stable is well.
func Example() {
	settings := health.DefaultSettings()
	judge := health.NewJudge()
	judge.Begin(health.Trial{Epoch: 1, Settings: &settings})
	for second := range int64(60) {
		var sum health.Second
		for user := range 50 { // each in a group of its own, a request a second
			sum.Arms[health.Baseline][health.AgeFast][user] = health.Cell{N: 1}
		}
		for user := range 6 {
			sum.Arms[health.Canary][health.AgeFast][50+user] = health.Cell{N: 1, Failed: uint32(user % 2)}
		}
		judge.Fold(second, time.Second, &sum)
		if v := judge.Verdict(); v.Result == health.Fail {
			fmt.Printf("after %d s: %s\n", second+1, v.Reason)
			return
		}
	}
	// Output:
	// after 4 s: errors: canary 50% of 24 requests, stable 0% of 198; chance does this to at most one harmless canary in 2961
}
