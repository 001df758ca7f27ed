package health

import "sync/atomic"

// liveDistinct is a Distinct that many goroutines count into without a lock. It allocates once, when it has more than
// 64 users: those it has stay in the list, all others go to the registers. Its zero value has counted nobody.
type liveDistinct struct {
	few   [ExactUsers]atomic.Uint32 // a hash table without deletions; 0 is free
	ranks atomic.Pointer[liveRanks]
}

// liveRanks holds four registers a word.
type liveRanks [registers / 4]atomic.Uint32

// add counts a user by its mark.
func (d *liveDistinct) add(mark uint32) {
	ranks := d.ranks.Load()
	if ranks == nil {
		if d.keep(mark) {
			return
		}
		d.ranks.CompareAndSwap(nil, new(liveRanks))
		ranks = d.ranks.Load()
	}
	ranks.raise(mark)
}

// keep finds the user's place in the list, or one for it; false if there is none. All look for a user in the same order,
// so that none is listed twice.
func (d *liveDistinct) keep(mark uint32) bool {
	for i := range uint32(ExactUsers) {
		slot := &d.few[(mark+i)%ExactUsers]
		if there := slot.Load(); there == mark {
			return true
		} else if there != 0 {
			continue
		}
		if slot.CompareAndSwap(0, mark) || slot.Load() == mark {
			return true
		}
	}
	return false
}

func (r *liveRanks) raise(mark uint32) {
	register, rank := rankOf(mark)
	word, shift := &r[register/4], register%4*8
	for {
		old := word.Load()
		if uint8(old>>shift) >= rank {
			return
		}
		if word.CompareAndSwap(old, old&^(0xff<<shift)|uint32(rank)<<shift) {
			return
		}
	}
}

// addTo adds what was counted so far to sum.
func (d *liveDistinct) addTo(sum *distinctSum) {
	if ranks := d.ranks.Load(); ranks != nil {
		sum.spread()
		for i := range ranks {
			word := ranks[i].Load()
			for j := range 4 {
				at := &sum.ranks[i*4+j]
				*at = max(*at, uint8(word>>(8*j)))
			}
		}
	}
	for i := range d.few {
		if mark := d.few[i].Load(); mark != 0 {
			sum.add(mark)
		}
	}
}
