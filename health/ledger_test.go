package health

import (
	"math"
	"testing"
	"time"
)

// held counts the tables, and of requests older than those the lists and their pages.
func (l *ledger) held() (tables, relics, pages int) {
	for i := range l.slots {
		if l.slots[i].Load() != nil {
			tables++
		}
	}
	for _, list := range l.old {
		for _, r := range list {
			relics++
			pages += len(r.pages)
		}
	}
	return tables, relics, pages
}

// What a ledger keeps is bounded by what can still matter: ten minutes, and pages of which a request runs.
func TestLedgerForgets(t *testing.T) {
	w := NewWindow(DefaultLimits(), nil)
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w.Mature(start)
	for i := range 3 * pageEntries {
		f := &Flight{Start: start}
		f.Arrive(w, 0)
		if i != pageEntries && i != pageEntries+1 { // two in the second page run for longer
			f.Record(start.Add(time.Second), Outcome{Class: Success})
		}
	}
	running := w.ledger.Load().find(int64(2 * maxWindow / time.Second)).pages[1].Load()
	for _, tt := range []struct {
		at                    time.Duration
		end                   int // which of the two ends then, from 1
		tables, relics, pages int
	}{
		{600 * time.Second, 0, 1, 0, 0},
		{603 * time.Second, 1, 0, 1, 1},
		{20 * time.Minute, 0, 0, 1, 1},
		{20*time.Minute + 90*time.Second, 2, 0, 1, 1},
		{20*time.Minute + 200*time.Second, 0, 0, 0, 0},
	} {
		for at := time.Duration(0); at < tt.at; at += maxLate * time.Second {
			w.Mature(start.Add(at))
		}
		w.Mature(start.Add(tt.at))
		if tables, relics, pages := w.ledger.Load().held(); tables != tt.tables || relics != tt.relics || pages != tt.pages {
			t.Errorf("after %s: %d tables, %d lists, %d pages, want %d, %d, %d", tt.at, tables, relics, pages, tt.tables, tt.relics, tt.pages)
		}
		if tt.end > 0 {
			running[tt.end-1].end(tt.at, Outcome{Class: Failure})
		}
	}
}

// A reader that comes much too late still drops what is old, and keeps those that go on where it can.
func TestLedgerOfALateReader(t *testing.T) {
	w := NewWindow(DefaultLimits(), nil)
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w.Mature(start)
	f := &Flight{Start: start}
	f.Arrive(w, 0)
	w.Mature(start.Add(590 * time.Second))
	if _, lost := w.Mature(start.Add(650 * time.Second)); lost != 30 {
		t.Errorf("%d seconds are lost, want 30", lost)
	}
	if tables, relics, pages := w.ledger.Load().held(); tables != 0 || relics != 1 || pages != 1 {
		t.Errorf("%d tables, %d lists, %d pages, want 0, 1, 1", tables, relics, pages)
	}
	f.Record(start.Add(655*time.Second), Outcome{Class: Failure})
	broken := uint32(0)
	for at := 660; at < 680; at++ {
		seconds, _ := w.Mature(start.Add(time.Duration(at) * time.Second))
		for i := range seconds {
			for _, cell := range seconds[i].Ages[AgeMinute] {
				broken += cell.Broken
			}
		}
	}
	if broken != 1 {
		t.Errorf("%d requests broke, want 1", broken)
	}
}

// An end is never put before an age that it came after, however long that took.
func TestTotalsRoundUp(t *testing.T) {
	for _, tt := range []struct{ in, want time.Duration }{
		{-time.Second, 0},
		{0, 0},
		{1, time.Millisecond},
		{2 * time.Second, 2 * time.Second},
		{2*time.Second + 1, 2*time.Second + time.Millisecond},
		{exactTotal * time.Millisecond, exactTotal * time.Millisecond},
		{exactTotal*time.Millisecond + 1, (exactTotal + 1024) * time.Millisecond},
		{(exactTotal + 1025) * time.Millisecond, (exactTotal + 2048) * time.Millisecond},
		{math.MaxInt64, (exactTotal + (exactTotal-1)*1024) * time.Millisecond},
	} {
		if got := fate(0).withTotal(tt.in).total(); got != tt.want {
			t.Errorf("%d is kept as %s, want %s", tt.in, got, tt.want)
		}
	}
}

// What is said of a request that has ended changes nothing.
func TestEntriesEndOnce(t *testing.T) {
	e := new(entry)
	e.word.Store(uint64(running(63)))
	e.end(time.Second, Outcome{Class: Failure})
	want := e.word.Load()
	e.upload()
	e.uploaded(time.Second)
	e.answer(time.Second)
	e.upgrade()
	e.firstMessage(time.Second)
	e.end(time.Minute, Outcome{Class: Success})
	if got := fate(e.word.Load()); got != fate(want) || got.group() != 63 || got.state() != entryFailed {
		t.Errorf("the entry is %#x, want %#x: group 63, failed", uint64(got), want)
	}
}
