package health

import (
	"sync/atomic"
	"time"
)

// entry is what a ledger holds of one request, in one word that readers see whole. The request writes it, from whichever
// of its goroutines has something to say; once it says that the request has ended it does not change. As it holds how long
// everything took since the request's arrival, it tells at any later time what was known at any age. A nil *entry takes
// writes and forgets them. Its zero value is of no request.
type entry struct{ word atomic.Uint64 }

// fate is the value of an entry:
//
//	bits  0–26  the time from the arrival to the end, in milliseconds rounded up: an end after an age is never put before it
//	bits 27–46  the same to the last byte of the request's body, rounded down, or 0 if the client waited from the arrival on;
//	            of an upgraded connection, the bucket of the agent's first message, plus one
//	bits 47–53  the bucket of how long the client waited for the first payload byte, plus one; 0 is not yet
//	bits 54–59  the group of users
//	bit  60     whether the connection was upgraded
//	bits 61–63  the state
//
// A failure's age counts from the arrival, but how long a client waited counts as [Flight.Waited] has it: from when the
// request had arrived whole, unless the agent answered before that. While it is sent, unanswered, it says nothing of time.
type fate uint64

const (
	totalAt, totalBits       = 0, 27
	uploadAt, uploadBits     = 27, 20
	ttfbAt, ttfbBits         = 47, 7
	groupAt, groupBits       = 54, 6
	upgradedAt, upgradedBits = 60, 1
	stateAt, stateBits       = 61, 3
)

// The states of an entry.
const (
	entryNone      = iota
	entryRunning   // all others have ended
	entrySuccess   //
	entryFailed    //
	entryExcluded  // nobody's doing
	entryLeft      // its client left before the first payload byte
	entryLeftLater // its client left in the middle of the answer
)

const (
	// entryUploading stands for a body that has not arrived whole. A body that takes longer than can be noted, 17 minutes,
	// is older than all ages that have times.
	entryUploading = 1<<uploadBits - 1
	// exactTotal is up to how many milliseconds, 18 hours, the time to the end is kept as it is. Beyond, where connections
	// live for days, it is in units of 1.024 s, up to two years.
	exactTotal  = 1 << (totalBits - 1)
	coarseTotal = 1024
)

func (f fate) get(at, bits int) uint64 { return uint64(f) >> at & (1<<bits - 1) }

func (f fate) with(at, bits int, n uint64) fate {
	return f&^((1<<bits-1)<<at) | fate(n)<<at
}

func (f fate) state() uint64    { return f.get(stateAt, stateBits) }
func (f fate) group() int       { return int(f.get(groupAt, groupBits)) }
func (f fate) isUpgraded() bool { return f.get(upgradedAt, upgradedBits) == 1 }

// total returns how long after its arrival the request ended.
func (f fate) total() time.Duration {
	ms := f.get(totalAt, totalBits)
	if ms > exactTotal {
		ms = exactTotal + (ms-exactTotal)*coarseTotal
	}
	return time.Duration(ms) * time.Millisecond
}

func (f fate) withTotal(d time.Duration) fate {
	ms := (uint64(max(d, 0)) + uint64(time.Millisecond) - 1) / uint64(time.Millisecond)
	if ms > exactTotal {
		ms = min(exactTotal+(ms-exactTotal+coarseTotal-1)/coarseTotal, 1<<totalBits-1)
	}
	return f.with(totalAt, totalBits, ms)
}

// endedBy reports whether the request had ended when it was that old.
func (f fate) endedBy(age time.Duration) bool { return f.state() != entryRunning && f.total() <= age }

// running is the fate of a request that begins.
func running(group int) fate {
	return fate(0).with(stateAt, stateBits, entryRunning).with(groupAt, groupBits, uint64(group))
}

// change changes a running entry; a change that returns what it was given is none. An entry that has ended stays so.
func (e *entry) change(to func(fate) fate) {
	if e == nil {
		return
	}
	for {
		old := fate(e.word.Load())
		if old.state() != entryRunning {
			return
		}
		if next := to(old); next == old || e.word.CompareAndSwap(uint64(old), uint64(next)) {
			return
		}
	}
}

// upload notes that the client still sends.
func (e *entry) upload() {
	e.change(func(f fate) fate { return f.with(uploadAt, uploadBits, entryUploading) })
}

// uploaded notes that the request has arrived whole.
func (e *entry) uploaded(after time.Duration) {
	ms := min(uint64(max(after, 0)/time.Millisecond), entryUploading-1)
	e.change(func(f fate) fate {
		if f.isUpgraded() || f.get(uploadAt, uploadBits) != entryUploading {
			return f
		}
		return f.with(uploadAt, uploadBits, ms)
	})
}

// answer notes the first payload byte.
func (e *entry) answer(after time.Duration) {
	e.change(func(f fate) fate {
		wait := max(after, 0)
		if !f.isUpgraded() {
			if upload := f.get(uploadAt, uploadBits); upload == entryUploading {
				f = f.with(uploadAt, uploadBits, 0) // both sides talk at once
			} else {
				wait = max(wait-time.Duration(upload)*time.Millisecond, 0)
			}
		}
		return f.with(ttfbAt, ttfbBits, uint64(BucketOf(wait))+1)
	})
}

// upgrade notes that the connection became a WebSocket or the like.
func (e *entry) upgrade() {
	e.change(func(f fate) fate { return f.with(uploadAt, uploadBits, 0).with(upgradedAt, upgradedBits, 1) })
}

// firstMessage notes the agent's first message on an upgraded connection.
func (e *entry) firstMessage(after time.Duration) {
	e.change(func(f fate) fate {
		if !f.isUpgraded() || f.get(uploadAt, uploadBits) != 0 {
			return f
		}
		return f.with(uploadAt, uploadBits, uint64(BucketOf(after))+1)
	})
}

// end notes what became of the request.
func (e *entry) end(after time.Duration, o Outcome) {
	e.change(func(f fate) fate { return f.withTotal(after).with(stateAt, stateBits, stateOf(o)) })
}

// withdraw takes the request out of the ledger, as if it had never been there.
func (e *entry) withdraw() { e.end(0, Outcome{}) }

func stateOf(o Outcome) uint64 {
	switch {
	case o.Class == Success:
		return entrySuccess
	case o.Class == Failure:
		return entryFailed
	case o.Cause == CauseLeft:
		return entryLeft
	case o.Cause == CauseClientLeft:
		return entryLeftLater
	}
	return entryExcluded
}

// times returns the buckets of how long the client had waited, when the request was that old, for the end and for the
// first payload byte; false if that is not known.
func (f fate) times(age time.Duration) (latency, ttfb uint8, ok bool) {
	waited, upload := age, f.get(uploadAt, uploadBits)
	if f.endedBy(age) {
		waited = f.total()
	}
	switch {
	case f.isUpgraded():
	case upload == entryUploading || time.Duration(upload)*time.Millisecond > waited:
		return 0, 0, false
	default:
		waited -= time.Duration(upload) * time.Millisecond
	}
	bucket := BucketOf(waited)
	latency, ttfb = bucket, earlier(f.get(ttfbAt, ttfbBits), bucket)
	if f.isUpgraded() {
		latency = earlier(upload, bucket)
	}
	return latency, ttfb, true
}

// earlier returns the bucket of what has been seen, or that of how long it was waited for, whichever is less. Seen is a
// bucket plus one; 0 is never.
func earlier(seen uint64, waited uint8) uint8 {
	if seen == 0 {
		return waited
	}
	return min(uint8(seen-1), waited)
}
