package rollout

import (
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// What a step has seen are requests of its own: those of the step before it are judged in its first seconds.
func TestTallyCountsTheStepsOwnRequests(t *testing.T) {
	reached := time.Unix(1000, 900_000_000)
	second := func(n uint32) *health.Second {
		sum := new(health.Second)
		sum.Arms[health.Canary][health.AgeFast][0].N = n
		sum.Arms[health.Baseline][health.AgeFast][0].N = 2 * n
		return sum
	}
	var c tallying
	c.begin(7, 2, reached)
	for i, n := range []uint32{5, 5, 5, 0, 3, 0} { // of requests in the seconds 998 to 1003
		c.count(1000+int64(i), second(n), 1)
	}
	want := Tally{Epoch: 7, Step: 2, Baked: 5, Requests: 3, Baseline: 6, RequestAt: 1002}
	if c.Tally != want {
		t.Errorf("got %+v, want %+v", c.Tally, want)
	}

	var next advancing // of who folds on, and folds some seconds again
	next.takeUp(&account{Tally: c.Tally, UpTo: 1001})
	next.tally.begin(7, 2, reached)
	next.tally.count(1001, second(9), 1)
	next.tally.count(1002, second(9), 1)
	if next.tally.Requests != want.Requests {
		t.Errorf("whoever goes on counts %d requests, want %d", next.tally.Requests, want.Requests)
	}
}

// No time of a step passes while nobody can have the canary.
func TestKilledCanaryDoesNotBake(t *testing.T) {
	heard := map[store.MemberID]uint64{{Name: "proxy-1"}: 10}
	h := &hearing{split: &Split{}, trial: trial{state: &splitter.State{Stable: "blue", Canary: "green"}, plan: &Plan{}}}
	h.count(1, new(health.Second), heard)
	h.trial.state.Kills = []splitter.Kill{{Variant: "green"}}
	h.count(2, new(health.Second), heard)
	h.trial.state.Kills = nil
	h.count(3, new(health.Second), heard)
	if got := h.split.docket.advance.tally.Baked; got != 2 {
		t.Errorf("%d s were baked, want 2", got)
	}
}
