package health

import (
	"sync/atomic"
	"time"
)

// How much of one user is evidence.
const (
	quotaOf   = 5                // requests of a user, the first to arrive
	quotaSpan = 10 * time.Second // in each of these spans, by this instance's clock
	quotaSets = 2048
	quotaWays = 8 // 64 bytes, which is one line of the processor's cache
)

// The parts of a word in a quota: 36 bits of the user's hash, 24 of the span's number, 4 of how often it came.
const (
	countBits = 4
	tickBits  = 24
	tagBits   = 64 - countBits - tickBits
)

// quota says which requests are a user's first five of the present span. It is a table of 16,384 users in 128 KiB, set by
// their hashes; taking a place is one compare-and-swap, and nothing waits or is allocated. Its zero value is empty.
//
// When more than eight users of one span fall into one set, the further ones share a place, and its five, with one of them:
// of a crowd less is counted than could be, drawn by the users' hashes and not by how their requests end. At 5000 users in
// ten seconds that is one user in a thousand, at 10,000 one in fifteen. Two users of one hash (47 bits of it are compared)
// share a place too.
type quota [quotaSets][quotaWays]atomic.Uint64

// admit reports whether a request that arrived in the span tick is among its user's first five. One that comes late, when
// newer spans have taken the set, shares a place with them.
func (q *quota) admit(user uint64, tick int64) bool {
	set := &q[user%quotaSets]
	mine := user>>(64-tagBits)<<(countBits+tickBits) | uint64(tick)&(1<<tickBits-1)<<countBits
	for {
		way, old := find(set, mine)
		next := old + 1
		switch {
		case isOlder(old, mine):
			next = mine | 1
		case old&(1<<countBits-1) >= quotaOf:
			return false
		}
		if set[way].CompareAndSwap(old, next) {
			return true
		}
	}
}

// find returns the user's place in a set and what is in it: the one it has, else the first that no user of this span has,
// else one to share.
func find(set *[quotaWays]atomic.Uint64, mine uint64) (way int, word uint64) {
	free := -1
	var old uint64
	for i := range set {
		switch word := set[i].Load(); {
		case word>>countBits == mine>>countBits:
			return i, word
		case free < 0 && isOlder(word, mine):
			free, old = i, word
		}
	}
	if free >= 0 {
		return free, old
	}
	way = int(mine >> (countBits + tickBits) % quotaWays)
	return way, set[way].Load()
}

// isOlder reports whether a word is empty, or of a span before that of mine. Numbers of spans wrap around, once in five years.
func isOlder(word, mine uint64) bool {
	ahead := (mine>>countBits - word>>countBits) & (1<<tickBits - 1)
	return word == 0 || ahead != 0 && ahead < 1<<(tickBits-1)
}
