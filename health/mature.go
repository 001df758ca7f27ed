package health

import "time"

// Matured is what matured in one window within one second: the cohorts that reached each of the ages.
type Matured struct {
	// Start is when that second began, by the clock of the now that Mature was called with.
	Start time.Time
	// Ages must not be written to.
	Ages *[NumAges]Cohort
}

// noCohorts is what matures in most seconds of a window that few use: all of those share it.
var noCohorts [NumAges]Cohort

// IsNothing reports whether no request was there to mature. That some were does not mean that they are counted.
func (m *Matured) IsNothing() bool { return m.Ages == &noCohorts }

// Mature returns what matured in each second that has ended since the last call, oldest first; of a window that nothing
// has touched before, nothing. No second is returned twice. A caller that is late gets the last 30 seconds, and how many
// earlier ones are lost.
//
// Seconds are this instance's own, counted by its monotonic clock: see [Window.Align]. Call it a moment after one has ended,
// so that what requests say of themselves at its end is written.
func (w *Window) Mature(now time.Time) (seconds []Matured, lost int) {
	at := max(w.moment(now), 0)
	present := int64(at / time.Second)
	l := w.ledgerFrom(present)
	l.mu.Lock()
	defer l.mu.Unlock()
	lost = l.skip(present)
	for ; l.next < present; l.next++ {
		m := Matured{now.Add(time.Duration(l.next)*time.Second - at), &noCohorts}
		if l.hasTables(l.next) {
			m.Ages = new([NumAges]Cohort)
			l.mature(l.next, m.Ages)
		}
		seconds = append(seconds, m)
	}
	return seconds, lost
}

// Align lets the window's seconds begin at a moment, as those of all others do that were aligned to it. It has no effect
// once the window has met a request, or a reader.
func (w *Window) Align(origin time.Time) {
	first := origin.Add(-2 * maxWindow)
	w.origin.CompareAndSwap(nil, &first)
}

// enter gives a request that arrived at start its entry; nil if there is none left.
func (w *Window) enter(start time.Time, user uint64) *entry {
	second := int64(max(w.moment(start), 0) / time.Second)
	return w.ledgerFrom(second).claim(second, groupOfUser(user))
}

// ledgerFrom returns the ledger. A fresh one begins with a second.
func (w *Window) ledgerFrom(second int64) *ledger {
	if l := w.ledger.Load(); l != nil {
		return l
	}
	w.ledger.CompareAndSwap(nil, &ledger{next: second})
	return w.ledger.Load()
}

// count adds what a request came to by one of the ages that are reached once.
func (c *Cohort) count(f fate, age Age) {
	span := age.Span()
	ended, state, cell := f.endedBy(span), f.state(), &c[f.group()]
	if ended && state == entryExcluded {
		return
	}
	failed := ended && state == entryFailed
	cell.N++
	if failed {
		cell.Failed++
	}
	if age == AgeLate && !f.endedBy(AgeSlow.Span()) {
		cell.live(failed)
	}
	if (age == AgeSlow || age == AgeLate) && ended && state == entryLeft {
		cell.Left++
	}
	if !age.HasTimes() || failed {
		return
	}
	if latency, ttfb, ok := f.times(span); ok {
		cell.Latency = addBin(cell.Latency, Bin{latency, 1})
		cell.TTFB = addBin(cell.TTFB, Bin{ttfb, 1})
	}
}

// countMinute adds what became of a request in the minute before it was that old.
func (c *Cohort) countMinute(f fate, age time.Duration) {
	ended := f.endedBy(age)
	if f.endedBy(age-AgeMinute.Span()) || ended && f.state() == entryExcluded {
		return
	}
	c[f.group()].live(ended && f.state() == entryFailed)
}

// live counts a request that was in progress at the age before, and whether it failed since.
func (c *Cell) live(failed bool) {
	c.Alive++
	if failed {
		c.Broken++
	}
}
