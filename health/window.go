package health

import (
	"iter"
	"sync/atomic"
	"time"
)

// How a window is divided.
const (
	slicesPerWindow = 60
	shortestSlice   = time.Second
)

// Window gathers the outcomes of one variant in one epoch on this instance: recent ones for people to look at, and what a
// [Judge] is told of each request. All methods may be called concurrently. None takes a lock but Mature, which no request
// waits for.
type Window struct {
	ttfbLimit, latencyLimit time.Duration // from which on a request that has not ended is shown; zero: none is
	totals                  *Totals
	origin                  atomic.Pointer[time.Time] // moments are counted from it; set by the first call that brings a now

	length time.Duration // ring covers as much, or a little more
	ring   *ring
	trial  struct{ seen, failed liveDistinct } // users since the window began, which is the epoch
	quota  atomic.Pointer[quota]               // nil until the first user arrives

	ledger atomic.Pointer[ledger] // nil until the first request arrives, or somebody asks what has matured
}

// NewWindow returns an empty window: as long as l.Window, in slices of a sixtieth of it but at least a second. Outcomes are
// counted into totals too, unless that is nil.
func NewWindow(l Limits, totals *Totals) *Window {
	length := lengthOf(l)
	return &Window{totals: totals, length: length, ring: newRing(shape(length)),
		ttfbLimit: l.MaxTTFT.max(), latencyLimit: shorter(l.MaxLatency.max(), time.Duration(l.MaxMeanLatency))}
}

// lengthOf returns how long a window is. One that was not validated is brought into range.
func lengthOf(l Limits) time.Duration {
	if l.Window == 0 {
		return time.Duration(DefaultLimits().Window)
	}
	return min(max(time.Duration(l.Window), minWindow), maxWindow)
}

// shape returns the width and number of a window's slices.
func shape(length time.Duration) (width time.Duration, n int) {
	width = max(shortestSlice, length/slicesPerWindow)
	return width, int((length + width - 1) / width)
}

// shorter returns the shorter of two limits, of which zero is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// moment returns how long after the window's origin now is. The origin lies well before the first now, so that what
// another goroutine timed a little earlier, or what became known before that, has a moment too.
func (w *Window) moment(now time.Time) time.Duration {
	origin := w.origin.Load()
	if origin == nil {
		w.Align(now)
		origin = w.origin.Load()
	}
	return now.Sub(*origin)
}

// Arrive counts a request that arrived now with its user (a keyed hash, zero if nobody knows), and reports whether it is
// evidence: one of the user's first five in ten seconds, so that nobody can make a verdict alone. It is chosen by arrival,
// never by how it ends. Requests without a user are each their own. It allocates once per slice of time, not per request.
func (w *Window) Arrive(now time.Time, user uint64) bool {
	if user == 0 {
		return true
	}
	at, m := w.moment(now), mark(user)
	w.ring.at(at).crowd().met(m)
	w.trial.seen.add(m)
	q := w.quota.Load()
	if q == nil {
		w.quota.CompareAndSwap(nil, new(quota))
		q = w.quota.Load()
	}
	return q.admit(user, int64(max(at, 0)/quotaSpan))
}

// record counts what became of a request that ended now.
func (w *Window) record(now time.Time, o Outcome) {
	if w.totals != nil {
		w.totals.Record(o)
	}
	at := w.moment(now)
	slice := w.ring.at(at)
	w.recordUser(slice, o)
	if o.Surplus {
		return
	}
	slice.count(o)
	if x := ttfbOf(o, w.ttfbLimit); x.ok {
		w.ring.before(at, x.ago, slice).addTTFB(x)
	}
	if x := latencyOf(o, w.latencyLimit); x.ok {
		w.ring.before(at, x.ago, slice).addLatency(x)
	}
}

// SawFailure says that a user saw a failure after all, now, whom an outcome said to be rescued.
func (w *Window) SawFailure(now time.Time, user uint64) {
	if user == 0 {
		return
	}
	m := mark(user)
	w.ring.at(w.moment(now)).crowd().letDown(m)
	w.trial.failed.add(m)
}

// recordUser counts whom an outcome hit.
func (w *Window) recordUser(slice *liveSlice, o Outcome) {
	if o.User == 0 {
		return
	}
	m, users := mark(o.User), slice.crowd()
	users.met(m)
	if o.seen() {
		users.letDown(m)
		w.trial.failed.add(m)
	}
}

// Evidence returns what the window holds now, and what those flights say that belong to it (nil: none). What is older
// than the window has expired, however long nothing was recorded.
func (w *Window) Evidence(now time.Time, flights iter.Seq[*Flight]) Evidence {
	b := builder{window: w, at: w.moment(now)}
	b.addSlices()
	if flights != nil {
		for f := range flights {
			if f.Window == w {
				b.addFlight(f, now)
			}
		}
	}
	return b.evidence()
}
