package health

import "time"

// builder puts together the evidence of one moment from live slices and flights.
type builder struct {
	limits Limits
	at     time.Duration // the moment, from the window's origin
	width  time.Duration // of a coarse slice
	e      Evidence
	users  usersSum
}

func newBuilder(l Limits, at time.Duration) *builder {
	width, n := shape(l)
	b := &builder{limits: l, at: at, width: width}
	b.e.Terms = termsOf(l)
	b.e.Slices = make([]Slice, n)
	if width > fineWidth {
		b.e.Fine = make([]Slice, fineSlices)
	}
	b.e.Earlier = make([]Slice, earlierSlices)
	return b
}

func (b *builder) evidence() Evidence {
	b.e.Users = b.users.sum()
	b.e.Slices, b.e.Fine, b.e.Earlier = trimmed(b.e.Slices), trimmed(b.e.Fine), trimmed(b.e.Earlier)
	return b.e
}

// addWindow reads the fine slices before the coarse ones, which are written first, so that the fine are always a part of the
// coarse.
func (b *builder) addWindow(w *Window) {
	exact := w.limits.MaxTTFT.max() == b.limits.MaxTTFT.max() && w.limits.MaxLatency.max() == b.limits.MaxLatency.max()
	read := func(s *liveSlice) Slice {
		out := s.read()
		if !exact {
			b.recount(s, &out)
		}
		return out
	}
	w.earlier.each(b.at, func(age int, s *liveSlice) {
		if b.isEarlier(age) {
			b.e.Earlier[age] = read(s)
		}
	})
	if b.e.Fine != nil {
		w.fine.each(b.at, func(age int, s *liveSlice) {
			if age < len(b.e.Fine) {
				b.e.Fine[age] = read(s)
			}
		})
	}
	w.coarse.each(b.at, func(age int, s *liveSlice) {
		// The window's own slices may have another width than those asked for.
		if i := int(time.Duration(age) * w.coarse.width / b.width); i < len(b.e.Slices) {
			b.e.Slices[i] = b.e.Slices[i].plus(read(s))
			s.addCounts(&b.e)
			b.users.add(s.users.Load())
		}
	})
	w.trial.failed.addTo(&b.users.trialFailed)
	w.trial.seen.addTo(&b.users.trialSeen)
}

// recount counts requests over limits that the slice was not made for.
func (b *builder) recount(s *liveSlice, out *Slice) {
	var ttfb, latency Histogram
	s.ttfb.addTo(&ttfb)
	s.latency.addTo(&latency)
	out.TTFT = tallyOf(ttfb, b.limits.MaxTTFT.max())
	out.Latency = tallyOf(latency, b.limits.MaxLatency.max())
}

func tallyOf(h Histogram, limit time.Duration) Tally {
	t := Tally{N: h.Count()}
	if limit > 0 {
		t.Over = h.CountAbove(limit)
	}
	return t
}

// isEarlier reports whether a slice of 10 s lies wholly before the window, so that nothing counts twice.
func (b *builder) isEarlier(age int) bool {
	end := (b.at/earlierWidth - time.Duration(age) + 1) * earlierWidth
	begin := (b.at/b.width - time.Duration(len(b.e.Slices)) + 1) * b.width
	return end <= begin
}

// addFlight looks at a request in flight as if its client left this moment: what is known of it by now is the same.
//
// While it is unanswered, having passed a limit is news for as long as it lasts, and does not leave the window. Once
// it is answered it does: an agent may stream for ten minutes, and is then no more over the limit than one that took
// just too long.
func (b *builder) addFlight(f *Flight, now time.Time) {
	age := now.Sub(f.Start)
	if age < 0 {
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
	if !o.Upgraded { // which may live for days, and says nothing before its end
		b.each(age, func(s *Slice) { s.Running++ })
	}
	var waits bool
	if o.TTFB, o.Total, waits = f.Waited(now); !waits || o.Total < 0 {
		return
	}
	oldest := time.Duration(len(b.e.Slices)-1) * b.width
	place := func(x observation, to func(s *Slice)) bool {
		if !x.ok {
			return false
		}
		if !o.Answered {
			x.ago = min(x.ago, oldest)
		}
		return b.each(x.ago, to)
	}
	ttfb, latency := ttfbOf(o, b.limits.MaxTTFT.max()), latencyOf(o, b.limits.MaxLatency.max())
	if place(ttfb, func(s *Slice) { s.TTFT.add(ttfb.over) }) {
		b.e.TTFB.Record(ttfb.value)
	}
	if place(latency, func(s *Slice) { s.Latency.add(latency.over) }) {
		b.e.Latency.Record(latency.value)
	}
	place(latencyOf(o, time.Duration(b.limits.MaxMeanLatency)), func(s *Slice) { s.Mean.add(o.Total) })
}

// each calls f for every slice that holds the moment ago before now, and reports whether one in the window does.
func (b *builder) each(ago time.Duration, f func(s *Slice)) bool {
	if i := b.index(ago, fineWidth); i < len(b.e.Fine) {
		f(&b.e.Fine[i])
	}
	if i := b.index(ago, b.width); i < len(b.e.Slices) {
		f(&b.e.Slices[i])
		return true
	}
	if i := b.index(ago, earlierWidth); i < len(b.e.Earlier) && b.isEarlier(i) {
		f(&b.e.Earlier[i])
	}
	return false
}

// index returns the age in ticks of the slice that holds the moment ago before now.
func (b *builder) index(ago, width time.Duration) int {
	return int(b.at/width - max(b.at-ago, 0)/width)
}
