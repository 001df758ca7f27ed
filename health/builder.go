package health

import "time"

// builder puts together the evidence of one moment from live slices and flights.
type builder struct {
	window *Window
	at     time.Duration // the moment, from the window's origin
	e      Evidence
	users  usersSum
}

func (b *builder) evidence() Evidence {
	b.e.Users = b.users.sum()
	return b.e
}

// addSlices reads what has been recorded.
func (b *builder) addSlices() {
	w := b.window
	b.e.Window = Duration(w.length)
	w.ring.each(b.at, func(s *liveSlice) {
		s.addTo(&b.e)
		b.users.add(s.users.Load())
	})
	w.trial.failed.addTo(&b.users.trialFailed)
	w.trial.seen.addTo(&b.users.trialSeen)
}

// addFlight looks at a request in flight as if its client left this moment: what is known of it by now is the same.
//
// While it is unanswered, having passed a limit is news for as long as it lasts, and does not leave the window. Once
// it is answered it does: an agent may stream for ten minutes, and is then no more over the limit than one that took
// just too long.
func (b *builder) addFlight(f *Flight, now time.Time) {
	if now.Before(f.Start) {
		return
	}
	if f.User != 0 {
		b.users.seen.add(mark(f.User))
	}
	if f.Surplus {
		return
	}
	o := Outcome{Class: Excluded, Cause: CauseClientLeft, Upgraded: f.upgraded.Load()}
	_, o.Answered = f.Answered()
	var waits bool
	if o.TTFB, o.Total, waits = f.Waited(now); !waits || o.Total < 0 {
		return
	}
	if x := ttfbOf(o, b.window.ttfbLimit); b.holds(x, o) {
		b.e.TTFB.Record(x.value)
	}
	if x := latencyOf(o, b.window.latencyLimit); b.holds(x, o) {
		b.e.Latency.Record(x.value)
		b.e.LatencySum += milliseconds(x.value)
	}
}

// holds reports whether what a flight says is of the window.
func (b *builder) holds(x observation, o Outcome) bool {
	return x.ok && (!o.Answered || b.window.ring.holds(b.at, b.at-x.ago))
}
