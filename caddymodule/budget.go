package caddymodule

import "sync/atomic"

// budget bounds rescues to a share of the requests that stable gets anyway: each of those puts a part of a rescue by, and
// each rescue takes a whole one. It begins full, and what it holds is bounded, so that a quiet day does not pay for a
// thousand rescues at once. A nil *budget gives nothing. It takes no lock and reads no clock.
type budget struct {
	share int64 // what a request of stable's puts by
	saved atomic.Int64
}

const (
	oneRescue = 1_000_000
	maxSaved  = 50 * oneRescue
)

func newBudget(atMost float64) *budget {
	b := &budget{share: int64(atMost * oneRescue)}
	b.saved.Store(maxSaved)
	return b
}

// save takes note of a request that stable got. Two at once may save a little more than there is room for.
func (b *budget) save() {
	if b != nil && b.saved.Load() < maxSaved {
		b.saved.Add(b.share)
	}
}

// spend takes a rescue, and reports false if there is none.
func (b *budget) spend() bool {
	if b == nil {
		return false
	}
	for {
		saved := b.saved.Load()
		if saved < oneRescue {
			return false
		}
		if b.saved.CompareAndSwap(saved, saved-oneRescue) {
			return true
		}
	}
}

// refund gives a rescue back that did not come about.
func (b *budget) refund() { b.saved.Add(oneRescue) }
