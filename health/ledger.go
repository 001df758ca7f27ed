package health

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// How much a ledger keeps.
const (
	// maxPerSecond is how many requests that arrive in one second at one variant of one instance are evidence, the first
	// that come: enough to see a canary that is 1 % worse within seconds, and a bound to everything that follows.
	maxPerSecond = 1024
	pageEntries  = 32 // 256 bytes: four lines of a processor's cache
	// ledgerSeconds is for how many seconds tables are kept: until the last age, and as long as a reader may be late.
	ledgerSeconds = 660
	// maxLate is how many seconds can mature after their time. What matured before those is lost.
	maxLate = 30
)

// The same in whole seconds.
const (
	lastSeconds   = 600 // AgeLong's
	minuteSeconds = 60
	firstMinute   = 120 + minuteSeconds // the first minute beyond AgeLate
)

// ledger holds one entry for each request of one variant in one epoch on this instance: for ten minutes, and of those that
// run longer for as long as they run. Requests write to it without a lock; it is read once a second, by [Window.Mature].
//
// A request costs 8 bytes, in pages of 32, and a second with requests 280 bytes beside: 0.4 MB for a window with one request
// a second, 6 MB for one with 1,024 or more. One that runs for more than ten minutes keeps its page, at most 256 bytes if
// it is alone there, and 8 to 32 for the list that it is in.
type ledger struct {
	slots [ledgerSeconds]atomic.Pointer[table] // by second of arrival

	mu   sync.Mutex // protects following fields, which no request touches
	next int64      // the second to mature next
	old  [minuteSeconds][]relic
}

// table holds the requests that arrived in one second.
type table struct {
	second int64 // never changes
	taken  atomic.Int64
	pages  [maxPerSecond / pageEntries]atomic.Pointer[page]
}

type page [pageEntries]entry

// relic is what is left of a table whose requests run for longer than ledgerSeconds. It is in the list of those that are
// looked at in the same second of each minute.
type relic struct {
	second int64
	pages  []*page
}

// claim gives an entry to a request that arrived in a second, and writes its group; nil if there is none left.
func (l *ledger) claim(second int64, group int) *entry {
	t := l.at(second)
	if t == nil {
		return nil
	}
	n := t.taken.Add(1) - 1
	if n >= maxPerSecond {
		return nil
	}
	e := &t.page(n / pageEntries)[n%pageEntries]
	e.word.Store(uint64(running(group)))
	return e
}

// at returns a second's table, a fresh one if there is none, and nil if its slot serves a newer second.
func (l *ledger) at(second int64) *table {
	slot := &l.slots[second%ledgerSeconds]
	for {
		t := slot.Load()
		switch {
		case t != nil && t.second == second:
			return t
		case t != nil && t.second > second:
			return nil
		}
		if fresh := (&table{second: second}); slot.CompareAndSwap(t, fresh) {
			return fresh
		}
	}
}

func (t *table) page(i int64) *page {
	if p := t.pages[i].Load(); p != nil {
		return p
	}
	t.pages[i].CompareAndSwap(nil, new(page))
	return t.pages[i].Load()
}

// find returns a second's table; nil if there is none.
func (l *ledger) find(second int64) *table {
	if second < 0 {
		return nil
	}
	if t := l.slots[second%ledgerSeconds].Load(); t != nil && t.second == second {
		return t
	}
	return nil
}

// fates goes over what is known of the requests of a second. A nil *table has none.
func (t *table) fates(yield func(fate)) {
	if t == nil {
		return
	}
	for i := range t.pages {
		if p := t.pages[i].Load(); p != nil {
			p.fates(yield)
		}
	}
}

func (p *page) fates(yield func(fate)) {
	for i := range p {
		if f := fate(p[i].word.Load()); f.state() != entryNone {
			yield(f)
		}
	}
}

// outlives reports whether the page has a request that had not ended when it was that old.
func (p *page) outlives(age time.Duration) (alive bool) {
	p.fates(func(f fate) { alive = alive || !f.endedBy(age) })
	return alive
}

// skip makes up for a reader that is late: seconds before the last maxLate do not mature any more. It returns how many
// those are. Requests that go on are kept all the same, as far as their tables are still there. Caller must hold l.mu.
func (l *ledger) skip(present int64) (lost int) {
	first := present - maxLate
	if first <= l.next {
		return 0
	}
	for second := max(l.next, present-ledgerSeconds); second < first; second++ {
		l.retire(second - lastSeconds)
	}
	lost = int(first - l.next)
	l.next = first
	return lost
}

// hasTables reports whether there are requests that reach an age within a second, or a table to be dropped then. Caller must
// hold l.mu.
func (l *ledger) hasTables(second int64) bool {
	for age := AgeFast; age < AgeMinute; age++ {
		if l.find(second-int64(age.Span()/time.Second)) != nil {
			return true
		}
	}
	for old := int64(firstMinute); old <= lastSeconds; old += minuteSeconds {
		if l.find(second-old) != nil {
			return true
		}
	}
	return len(l.old[max(second, 0)%minuteSeconds]) > 0
}

// mature adds what matures within a second: of each age the requests that reached it in that second. What they say of
// themselves is written by now, if the caller has waited for a moment. Caller must hold l.mu.
func (l *ledger) mature(second int64, ages *[NumAges]Cohort) {
	for age := AgeFast; age < AgeMinute; age++ {
		l.find(second - int64(age.Span()/time.Second)).fates(func(f fate) { ages[age].count(f, age) })
	}
	for old := int64(firstMinute); old <= lastSeconds; old += minuteSeconds {
		l.find(second - old).fates(func(f fate) { ages[AgeMinute].countMinute(f, time.Duration(old)*time.Second) })
	}
	l.sweep(second, &ages[AgeMinute])
	l.retire(second - lastSeconds)
}

// sweep counts the minute of requests that are older than the ledger's tables, and lets those go that have ended. Caller
// must hold l.mu.
func (l *ledger) sweep(reached int64, minute *Cohort) {
	list := &l.old[max(reached, 0)%minuteSeconds]
	for i := range *list {
		r := &(*list)[i]
		age := time.Duration(reached-r.second) * time.Second
		for _, p := range r.pages {
			p.fates(func(f fate) { minute.countMinute(f, age) })
		}
		r.pages = slices.DeleteFunc(r.pages, func(p *page) bool { return !p.outlives(age) })
	}
	*list = slices.DeleteFunc(*list, func(r relic) bool { return len(r.pages) == 0 })
	if len(*list) == 0 {
		*list = nil
	}
}

// retire drops the table of a second whose last age was looked at, but for the pages with requests that go on. Caller must
// hold l.mu.
func (l *ledger) retire(second int64) {
	t := l.find(second)
	if t == nil {
		return
	}
	r := relic{second: second}
	for i := range t.pages {
		if p := t.pages[i].Load(); p != nil && p.outlives(lastSeconds*time.Second) {
			r.pages = append(r.pages, p)
		}
	}
	if len(r.pages) > 0 {
		list := &l.old[second%minuteSeconds]
		*list = append(*list, r)
	}
	l.slots[second%ledgerSeconds].CompareAndSwap(t, nil)
}

// groupOfUser returns the group of a user, the same on every instance of a fleet; a request that is nobody's has one of its
// own. Users are hashed with another key than the split's, so that a group is no range of buckets.
func groupOfUser(user uint64) int {
	if user == 0 {
		return rand.IntN(userGroups)
	}
	return int(mark(user) % userGroups)
}
