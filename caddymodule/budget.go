package caddymodule

import (
	"sync"
	"sync/atomic"
)

// budget bounds rescues to a share of the requests that stable gets anyway: each of those puts a part of a rescue by, and
// each rescue takes a whole one. It begins full, and what it holds is bounded, so that a quiet day does not pay for a
// thousand rescues at once. A nil *budget gives nothing. It takes no lock and reads no clock.
type budget struct {
	share atomic.Int64 // what a request of stable's puts by
	saved atomic.Int64
}

const (
	oneRescue = 1_000_000
	maxSaved  = 50 * oneRescue
)

func newBudget() *budget {
	b := new(budget)
	b.saved.Store(maxSaved)
	return b
}

// budgets are those of this process's splits: a reload must not fill them again.
var budgets sync.Map // split → *budget

// budgetOf returns a split's budget, of which each request of stable's pays for atMost of a rescue from now on.
func budgetOf(split string, atMost float64) *budget {
	kept, _ := budgets.LoadOrStore(split, newBudget())
	b := kept.(*budget)
	b.share.Store(int64(atMost * oneRescue))
	return b
}

// save takes note of a request that stable got. Two at once may save a little more than there is room for.
func (b *budget) save() {
	if b != nil && b.saved.Load() < maxSaved {
		b.saved.Add(b.share.Load())
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
