package rollout

import (
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// tallying counts what the present step of a plan sees, as the judge folds it. It is stored with what is said of the judge's
// state. Whoever takes that up folds some seconds again, as blocks were open; a sealed second is the same whoever folds it,
// so those that are in the tally are passed over: nothing is counted twice, and nothing is lost.
type tallying struct {
	Tally
	upTo int64 // the newest second that is in it, or that is before the step
	// reached is the second in which the step was reached. Requests of that one, and of those before it, are not the step's.
	reached int64
}

// begin sees to it that the tally is that of a step: another one begins at nothing, after the second in which it was reached.
func (t *tallying) begin(epoch uint64, step int, reached time.Time) {
	if t.Epoch != epoch || t.Step != step {
		*t = tallying{Tally: Tally{Epoch: epoch, Step: step}, upTo: reached.Unix()}
	}
	t.reached = reached.Unix()
}

// count counts a folded second, of which so many frames were heard. A request counts once, at the age of two seconds: what
// the first two seconds of a step have are requests that the step before it had.
func (t *tallying) count(second int64, sum *health.Second, frames int) {
	if second <= t.upTo {
		return
	}
	t.upTo = second
	if frames > 0 {
		t.Baked++
	}
	began := second - int64(health.AgeFast.Span()/time.Second)
	if began <= t.reached {
		return
	}
	n := requestsOf(sum, health.Canary)
	t.Requests += n
	t.Baseline += requestsOf(sum, health.Baseline)
	if n > 0 {
		t.RequestAt = began
	}
}

// requestsOf returns how many requests of an arm are judged for the first time in a second.
func requestsOf(sum *health.Second, arm int) (n uint64) {
	for i := range sum.Arms[arm][health.AgeFast] {
		n += uint64(sum.Arms[arm][health.AgeFast][i].N)
	}
	return n
}

// see notes how many users the canary is known to have had since the trial began. What instances knew that have ended, nobody
// knows any more: the count never falls.
func (t *tallying) see(users uint64) { t.Users = max(t.Users, users) }
