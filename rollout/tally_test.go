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
	state := &splitter.State{Epoch: 7, Progress: splitter.Progress{Step: 2, Reached: reached}}
	c.begin(state)
	for i, n := range []uint32{5, 5, 5, 0, 3, 0} { // of requests in the seconds 998 to 1003
		c.count(1000+int64(i), second(n), 1, time.Minute)
	}
	want := Tally{Epoch: 7, Step: 2, Baked: 4, Requests: 3, Baseline: 6, RequestAt: 1002}
	if c.Tally != want {
		t.Errorf("got %+v, want %+v", c.Tally, want)
	}

	var next advancing // of who folds on, and folds some seconds again
	next.takeUp(&account{Tally: c.Tally, UpTo: 1001})
	next.tally.begin(state)
	next.tally.count(1001, second(9), 1, time.Minute)
	next.tally.count(1002, second(9), 1, time.Minute)
	if next.tally.Requests != want.Requests {
		t.Errorf("whoever goes on counts %d requests, want %d", next.tally.Requests, want.Requests)
	}
}

// No time of a step passes while nobody can have the canary.
func TestKilledCanaryDoesNotBake(t *testing.T) {
	heard := map[store.MemberID]uint64{{Name: "proxy-1"}: 10}
	h := &hearing{split: &Split{}, trial: trial{state: &splitter.State{Stable: "blue", Canary: "green"}, plan: &Plan{NoTraffic: health.Duration(time.Minute)}}}
	asked := new(health.Second)
	asked.Arms[health.Canary][health.AgeFast][0].N = 1
	h.count(3, asked, heard)
	h.trial.state.Kills = []splitter.Kill{{Variant: "green"}}
	h.count(4, new(health.Second), heard)
	h.trial.state.Kills = nil
	h.count(5, new(health.Second), heard)
	if got := h.split.docket.advance.tally.Baked; got != 4 {
		t.Errorf("%d s were baked, want 4", got)
	}
}

// Nor before the canary's first request of the step, nor once it has had none for as long as the plan says.
func TestSilenceDoesNotBake(t *testing.T) {
	var c tallying
	c.begin(&splitter.State{Epoch: 7, Progress: splitter.Progress{Step: 2, Reached: time.Unix(1000, 0)}})
	for second := int64(1001); second <= 1400; second++ {
		sum := new(health.Second)
		if began := second - 2; began == 1100 || began == 1160 || began == 1300 {
			sum.Arms[health.Canary][health.AgeFast][0].N = 1
		}
		c.count(second, sum, 1, time.Minute)
	}
	if want := int64(1162 - 1100 + 1 + 60 + 1302 - 1302 + 1 + 60); c.Baked != want {
		t.Errorf("%d s were baked, want %d", c.Baked, want)
	}
}

// A step that is resumed after its canary has failed begins anew, but for the trial's users; so does the next one.
func TestStepBeginsAnew(t *testing.T) {
	state := &splitter.State{Epoch: 7, Progress: splitter.Progress{Step: 2, Reached: time.Unix(1000, 0)}}
	c := tallying{Tally: Tally{Epoch: 7, Step: 2, Baked: 50, Requests: 70, Baseline: 90, Users: 12, RequestAt: 1049}, upTo: 1051}
	c.begin(state)
	if !c.isOf(state) || c.Baked != 50 {
		t.Errorf("it begins anew for nothing: %+v", c)
	}
	state.Progress.JudgedSince = time.Unix(1060, 0)
	if got := (Tally{Epoch: 7, Step: 2, Users: 12, Anew: 1060}); c.of(state) != got {
		t.Errorf("of a step that begins anew it says %+v, want %+v", c.of(state), got)
	}
	c.begin(state)
	c.begin(state)
	if want := (tallying{Tally: Tally{Epoch: 7, Step: 2, Users: 12, Anew: 1060}, upTo: 1060, began: 1060}); c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
	state.Progress.Step, state.Progress.Reached = 3, time.Unix(1100, 0)
	c.begin(state)
	if want := (tallying{Tally: Tally{Epoch: 7, Step: 3, Users: 12}, upTo: 1100, began: 1100}); c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}
