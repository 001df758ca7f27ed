package health

import (
	"iter"
	"sync/atomic"
	"time"
)

// The resolutions of a window besides its own slices.
const (
	slicesPerWindow = 60
	fineWidth       = time.Second // the shortest slice
	fineSlices      = 10          // what "the last 10 s" is made of
	earlierWidth    = 10 * time.Second
	earlierSlices   = 30 // 5 minutes: how far back a sparse baseline is remembered
)

// Window gathers the outcomes of one variant in one epoch on this instance. All methods may be called concurrently. None
// takes a lock but Mature, which no request waits for.
type Window struct {
	limits Limits
	totals *Totals
	origin atomic.Pointer[time.Time] // moments are counted from it; set by the first call that brings a now

	coarse  *ring   // the window, in up to 60 slices
	fine    *ring   // the last 10 s in slices of a second; the same as coarse if those are a second wide
	earlier *ring   // the last 5 minutes in slices of 10 s
	rings   []*ring // each of the above once

	trial struct{ seen, failed liveDistinct } // users since the window began, which is the epoch
	quota atomic.Pointer[quota]               // nil until the first user arrives

	ledger atomic.Pointer[ledger] // nil until the first request arrives, or somebody asks what has matured
}

// NewWindow returns an empty window shaped by l: as long as l.Window, in slices of a sixtieth of it but at least a
// second, with requests over l's latency limits counted exactly. Outcomes are counted into totals too, unless that is
// nil.
func NewWindow(l Limits, totals *Totals) *Window {
	width, n := shape(l)
	w := &Window{limits: l, totals: totals,
		coarse: newRing(width, n), earlier: newRing(earlierWidth, earlierSlices)}
	w.fine = w.coarse
	w.rings = []*ring{w.coarse, w.earlier}
	if width > fineWidth {
		w.fine = newRing(fineWidth, fineSlices)
		w.rings = append(w.rings, w.fine)
	}
	return w
}

// shape returns the width and number of a window's slices. A window that was not validated is brought into range.
func shape(l Limits) (width time.Duration, n int) {
	window := min(max(time.Duration(l.Window), minWindow), maxWindow)
	if l.Window == 0 {
		window = time.Duration(DefaultLimits().Window)
	}
	width = max(fineWidth, window/slicesPerWindow)
	return width, int((window + width - 1) / width)
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
	w.coarse.at(at).crowd().arrive(m)
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
	w.recordUser(at, o)
	if o.Surplus {
		return
	}
	ttfb := ttfbOf(o, w.limits.MaxTTFT.max())
	latency := latencyOf(o, w.limits.MaxLatency.max())
	mean := latencyOf(o, time.Duration(w.limits.MaxMeanLatency))
	for _, r := range w.rings {
		s := r.at(at)
		s.count(o)
		if ttfb.ok {
			r.before(at, ttfb.ago, s).addTTFB(ttfb)
		}
		if latency.ok {
			r.before(at, latency.ago, s).addLatency(latency)
		}
		if mean.ok {
			r.before(at, mean.ago, s).addMean(mean)
		}
	}
}

// SawFailure says that a user saw a failure after all, now, whom an outcome said to be rescued.
func (w *Window) SawFailure(now time.Time, user uint64) {
	if user == 0 {
		return
	}
	m := mark(user)
	w.coarse.at(w.moment(now)).crowd().saw(m)
	w.trial.failed.add(m)
}

// recordUser counts whom an outcome hit.
func (w *Window) recordUser(at time.Duration, o Outcome) {
	if o.User == 0 {
		return
	}
	m := mark(o.User)
	w.coarse.at(at).crowd().end(m, o)
	if o.seen() {
		w.trial.failed.add(m)
	}
}

// Evidence returns what the window holds now, and what those flights say that belong to it (nil: none). What is older
// than l.Window has expired, however long nothing was recorded.
//
// l is normally what the window was made with. If its latency limits are others, requests over them are counted from
// the histograms, as if they were up to 10 % longer; if its Window is longer, what was not kept is not there.
func (w *Window) Evidence(now time.Time, l Limits, flights iter.Seq[*Flight]) Evidence {
	b := newBuilder(l, w.moment(now))
	b.addWindow(w)
	if flights != nil {
		for f := range flights {
			if f.Window == w {
				b.addFlight(f, now)
			}
		}
	}
	return b.evidence()
}
