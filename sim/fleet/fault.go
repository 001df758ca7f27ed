package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// Fault is what is wrong with the way between one instance and the store. The zero value is Healthy.
type Fault int

// The faults.
const (
	Healthy     Fault = iota
	Away              // every call fails at once
	Hung              // no call is answered until its deadline
	LostAnswers       // what is written is written, and the answer is lost
	Slow              // each call takes 300 ms
	Deaf              // announcements do not arrive
	ReadOnly          // what changes a State is refused, all else works
)

// Faults lists all but Healthy.
var Faults = []Fault{Away, Hung, LostAnswers, Slow, Deaf, ReadOnly}

// String names the fault.
func (f Fault) String() string {
	return [...]string{"healthy", "away", "hung", "lost answers", "slow", "deaf", "read-only"}[f]
}

// slowness is how long a call takes where calls are slow: within all deadlines.
const slowness = 300 * time.Millisecond

var (
	errFault = errors.New("a fault of the simulation")
	errEnded = errors.New("the process has ended")
)

// pass waits as long as a fault makes a call wait, and returns why it does not get through.
func (f Fault) pass(ctx context.Context) error {
	switch f {
	case Away:
		return store.Unavailable(errFault)
	case Hung:
		<-ctx.Done()
		return store.Unavailable(ctx.Err())
	case Slow:
		select {
		case <-ctx.Done():
			return store.Unavailable(ctx.Err())
		case <-time.After(slowness):
		}
	}
	return nil
}

// passAtOnce is pass for calls that a Controller makes under a lock. Virtual time stands still while somebody waits for a
// lock, so these do not wait: what hangs has failed by the time that they ask, and what is slow is not.
func (f Fault) passAtOnce() error {
	if f == Away || f == Hung {
		return store.Unavailable(errFault)
	}
	return nil
}

// answer is what becomes of the answer to a write.
func (f Fault) answer(err error) error {
	if err == nil && f == LostAnswers {
		return store.Unavailable(errFault)
	}
	return err
}
