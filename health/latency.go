package health

import "time"

// observation is one time that an outcome contributes, and how long before its end that time was known. A request that
// takes longer than a limit is known to break it at the moment it passes the limit, not when it ends at last: placed
// there, each request counts once for as long as the window is, whether it has ended or not, and neither slow nor
// quick ones are over-represented.
type observation struct {
	value time.Duration
	cell  int // of the histogram
	ago   time.Duration
	ok    bool // false: the outcome contributes nothing
}

// ttfbOf returns what an outcome says about the time to the first payload byte under a limit (zero: none).
//
// A failure says nothing. Whose client left before the answer is known only to have waited that long: it counts if
// that is longer than the limit, else not at all.
func ttfbOf(o Outcome, limit time.Duration) observation {
	value := o.TTFB
	if !o.Answered {
		value = o.Total
	}
	over := limit > 0 && value > limit
	if !timed(o) || !o.Answered && (o.Class == Success || !over) {
		return observation{}
	}
	x := observation{value: value, cell: cellOf(value), ok: true}
	if over {
		value = limit
	}
	x.ago = max(o.Total-value, 0)
	return x
}

// latencyOf returns what an outcome says about the time to the end of the answer under a limit (zero: none).
func latencyOf(o Outcome, limit time.Duration) observation {
	over := limit > 0 && o.Total > limit
	if !timed(o) || o.Upgraded || o.Class == Excluded && !over {
		return observation{}
	}
	x := observation{value: o.Total, cell: cellOf(o.Total), ok: true}
	if over {
		x.ago = o.Total - limit
	}
	return x
}

// timed reports whether an outcome's times mean anything: how quickly something failed does not.
func timed(o Outcome) bool {
	return o.Class == Success || o.Class == Excluded && (o.Cause == CauseClientLeft || o.Cause == CauseLeft)
}

// milliseconds rounds to the nearest, within what the histogram measures too.
func milliseconds(d time.Duration) uint64 {
	return uint64(min(max(d, 0), longest).Round(time.Millisecond) / time.Millisecond)
}
