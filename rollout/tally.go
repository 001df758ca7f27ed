package rollout

import (
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// tallying counts what the present step of a plan sees, as the judge folds it. It is stored with what is said of the judge's
// state. Whoever takes that up folds some seconds again, as blocks were open; a sealed second is the same whoever folds it,
// so those that are in the tally are passed over: nothing is counted twice, and nothing is lost.
type tallying struct {
	Tally
	upTo int64 // the newest second that is in it, or that is before the step
	// began is the second in which the step was reached, or began anew. Requests of that one, and of those before it, are not
	// the step's.
	began int64
}

// begin sees to it that the tally is that of the present step: another one, or one that begins anew, begins at nothing but the
// trial's users, after the second in which it was reached.
func (t *tallying) begin(s *splitter.State) {
	began := stepBegan(s.Progress).Unix()
	if !t.isOf(s) {
		*t = tallying{Tally: t.of(s), upTo: began}
	}
	t.began = began
}

// stepBegan returns since when the present step counts.
func stepBegan(p splitter.Progress) time.Time {
	if p.JudgedSince.After(p.Reached) {
		return p.JudgedSince
	}
	return p.Reached
}

// anew returns the second in which the present step began anew; 0 if it counts since it was reached.
func anew(p splitter.Progress) int64 {
	if p.JudgedSince.After(p.Reached) {
		return p.JudgedSince.Unix()
	}
	return 0
}

// isOf reports whether a tally is that of a State's step.
func (t Tally) isOf(s *splitter.State) bool {
	return t.Epoch == s.Epoch && t.Step == s.Progress.Step && t.Anew == anew(s.Progress)
}

// of returns what a tally says of a State's step: of another one it knows no more than the trial's users.
func (t Tally) of(s *splitter.State) Tally {
	if t.isOf(s) {
		return t
	}
	was := t
	t = Tally{Epoch: s.Epoch, Step: s.Progress.Step, Anew: anew(s.Progress)}
	if was.Epoch == s.Epoch {
		t.Users = was.Users
	}
	return t
}

// count counts a folded second, of which so many frames were heard. A request counts once, at the age of two seconds: what
// the first two seconds of a step have are requests that the step before it had. No time of a step passes before its first
// request, nor once the canary has had none for as long as idle.
func (t *tallying) count(second int64, sum *health.Second, frames int, idle time.Duration) {
	if second <= t.upTo {
		return
	}
	t.upTo = second
	age := int64(health.AgeFast.Span() / time.Second)
	if began := second - age; began > t.began {
		n := requestsOf(sum, health.Canary)
		if n > 0 && t.RequestAt == 0 && frames > 0 {
			t.Baked += age // which it took to be counted
		}
		if n > 0 {
			t.RequestAt = began
		}
		t.Requests += n
		t.Baseline += requestsOf(sum, health.Baseline)
	}
	if frames > 0 && t.RequestAt > 0 && second-age-t.RequestAt <= int64(idle/time.Second) {
		t.Baked++
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
