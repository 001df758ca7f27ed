package health

import (
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Flight is a request in progress. It is meant to be a field of whatever struct the server keeps per request. That
// struct must not be reused for another request (no sync.Pool): who looks over the flights may still hold it.
type Flight struct {
	// Window is where the outcome will be recorded; nil if it counts for no evidence. Set before Add.
	Window *Window
	// Variant names the variant that serves it. Set before Add.
	Variant string
	// Start is when the request arrived. Set before Add.
	Start time.Time
	// User is a keyed hash of who asked; zero if nobody knows. Set before Add, by Arrive.
	User uint64
	// Surplus is true if the request is no evidence, as its user has had enough. Set before Add, by Arrive.
	Surplus bool
	// Cancel ends the request with a cause. Set before Add; whoever finds the flight may call it.
	Cancel func(error)

	answered atomic.Int64 // nanoseconds from Start to the first payload byte, plus one; 0 is not yet
	uploaded atomic.Int64 // the same to the request's last byte; 0 is no body, uploading is not yet
	upgraded atomic.Bool
	ended    atomic.Bool
	entry    *entry                  // in the window's ledger; nil if it is no evidence, or one too many. Set by Arrive
	slot     *atomic.Pointer[Flight] // where it is registered; only for who added it
}

// Arrive says that the request's outcome will be recorded into w, counts its user there, and enters it among those that
// mature there: see [Window.Mature]. Call it once, when Start is set. A request that is decided anew because the State
// changed meanwhile has a new Flight, and the first one is withdrawn: so rare that its user may have one fewer for it.
func (f *Flight) Arrive(w *Window, user uint64) {
	f.Window, f.User, f.Surplus = w, user, !w.Arrive(f.Start, user)
	if !f.Surplus {
		f.entry = w.enter(f.Start, user)
	}
}

// Withdraw says that the request will not be recorded after all.
func (f *Flight) Withdraw() { f.entry.withdraw() }

// Record counts what became of the request, which ended now, into its window: see [Outcome]. Call it once, and only if
// there is a window. It allocates once per slice of time, not per request. Words that this release does not know (a class
// or cause out of range) are counted as an excluded request.
func (f *Flight) Record(now time.Time, o Outcome) {
	if int(o.Class) >= numClasses || int(o.Cause) >= numCauses {
		o.Class, o.Cause = Excluded, CauseNone
	}
	o.User, o.Surplus = f.User, f.Surplus
	f.entry.end(now.Sub(f.Start), o)
	f.Window.record(now, o)
}

// Answer says that the first payload byte was sent now. Only the first call counts.
func (f *Flight) Answer(now time.Time) {
	after := now.Sub(f.Start)
	if f.answered.Load() == 0 && f.answered.CompareAndSwap(0, int64(max(after, 0))+1) {
		f.entry.answer(after)
	}
}

// Answered returns how long after Start the first payload byte was sent, and whether it was.
func (f *Flight) Answered() (time.Duration, bool) {
	n := f.answered.Load()
	return time.Duration(max(n-1, 0)), n > 0
}

// uploading stands for a request whose body has not arrived whole.
const uploading = -1

// Upload says that the client still sends the request's body.
func (f *Flight) Upload() {
	f.uploaded.Store(uploading)
	f.entry.upload()
}

// Uploaded says that the request's body, which Upload announced, has arrived whole now. Only the first call counts.
func (f *Flight) Uploaded(now time.Time) {
	after := now.Sub(f.Start)
	if f.uploaded.CompareAndSwap(uploading, int64(max(after, 0))+1) {
		f.entry.uploaded(after)
	}
}

// Waited returns how long the client has waited by now for an agent to answer, in all and for the first payload byte,
// if that was sent. Waiting begins when the request has arrived whole, or with it if the agent answered before that, as
// both sides may talk at once. It reports false while the client still sends: who waits for whom is not known then.
func (f *Flight) Waited(now time.Time) (ttfb, total time.Duration, ok bool) {
	ttfb, answered := f.Answered()
	total = now.Sub(f.Start)
	switch arrived := f.uploaded.Load(); {
	case arrived == 0:
	case answered && (arrived == uploading || ttfb < time.Duration(arrived-1)):
	case arrived == uploading:
		return 0, 0, false
	default:
		ttfb, total = max(ttfb-time.Duration(arrived-1), 0), total-time.Duration(arrived-1)
	}
	return ttfb, total, true
}

// Upgrade says that the connection became a WebSocket or the like, whose length is no latency.
func (f *Flight) Upgrade() {
	f.upgraded.Store(true)
	f.entry.upgrade()
}

// FirstMessage says that the agent sent something over the upgraded connection now, for the first time. Only the first call
// counts, and only after Upgrade. Of a connection that nobody looks into, say so at once: else it counts as one whose client
// waits.
func (f *Flight) FirstMessage(now time.Time) { f.entry.firstMessage(now.Sub(f.Start)) }

// Upgraded reports whether Upgrade was called.
func (f *Flight) Upgraded() bool { return f.upgraded.Load() }

// End ends the request by Cancel, and notes it: an ended request stays among those in progress until its handler is done
// with it.
func (f *Flight) End(cause error) {
	f.ended.Store(true)
	f.Cancel(cause)
}

// Ended reports whether End was called.
func (f *Flight) Ended() bool { return f.ended.Load() }

// Flights holds the requests in progress. Its zero value is ready; all methods may be called concurrently and none
// takes a lock.
//
// It is a set of slots that are claimed at random: the set doubles when no free one is found in a few tries, so that it
// stays about half empty, and Add costs the same with ten flights as with a hundred thousand. It does not shrink.
type Flights struct {
	chunks atomic.Pointer[[]*chunk]
}

const (
	chunkSize = 64
	tries     = 24 // of a set that is half full, one addition in 2^24 doubles it for nothing
)

type chunk [chunkSize]atomic.Pointer[Flight]

// Add registers f. It must not be registered anywhere at that time.
func (s *Flights) Add(f *Flight) {
	for {
		chunks := s.chunks.Load()
		if chunks == nil || !claim(*chunks, f) {
			s.grow(chunks)
			continue
		}
		return
	}
}

// claim puts f into a free slot, and returns false if none was found. Each try is at random: neighbours of a full slot
// are more often full than others, as a set that has just doubled is full on one side and empty on the other.
func claim(chunks []*chunk, f *Flight) bool {
	for range tries {
		at := rand.Uint64N(uint64(len(chunks)) * chunkSize)
		slot := &chunks[at/chunkSize][at%chunkSize]
		if slot.Load() == nil {
			f.slot = slot
			if slot.CompareAndSwap(nil, f) {
				return true
			}
		}
	}
	f.slot = nil
	return false
}

// grow doubles the set, unless somebody else did since old was read. Slots keep their addresses.
func (s *Flights) grow(old *[]*chunk) {
	if s.chunks.Load() != old {
		return
	}
	var grown []*chunk
	if old != nil {
		grown = append(grown, *old...)
	}
	for range max(len(grown), 1) {
		grown = append(grown, new(chunk))
	}
	s.chunks.CompareAndSwap(old, &grown)
}

// Remove takes f out. A flight that is not registered is left as it is.
func (s *Flights) Remove(f *Flight) {
	if f.slot != nil {
		f.slot.CompareAndSwap(f, nil)
		f.slot = nil
	}
}

// All goes over the flights, in no order. One that is added or removed meanwhile may be seen or not; all others are
// seen once.
func (s *Flights) All() iter.Seq[*Flight] {
	return func(yield func(*Flight) bool) {
		chunks := s.chunks.Load()
		if chunks == nil {
			return
		}
		for _, c := range *chunks {
			for i := range c {
				if f := c[i].Load(); f != nil && !yield(f) {
					return
				}
			}
		}
	}
}

// AllFrom goes over the flights as All does, but begins at a place and comes to those before it at the end. With each
// flight it yields the place behind it, where a later round may go on. Any place from 0 on is one.
func (s *Flights) AllFrom(place int) iter.Seq2[int, *Flight] {
	return func(yield func(int, *Flight) bool) {
		chunks := s.chunks.Load()
		if chunks == nil {
			return
		}
		slots := len(*chunks) * chunkSize
		for i := range slots {
			at := (place%slots + i) % slots
			if f := (*chunks)[at/chunkSize][at%chunkSize].Load(); f != nil && !yield(at+1, f) {
				return
			}
		}
	}
}

// Len counts the flights, by looking at every slot.
func (s *Flights) Len() int {
	n := 0
	for range s.All() {
		n++
	}
	return n
}
