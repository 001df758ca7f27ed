package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// evidence is what the store holds of one split's evidence and of its judge.
type evidence struct {
	seconds map[secondKey]*second
	windows map[windowKey]window
	judge   store.JudgeState
	lease   lease
}

// secondKey names a second of an epoch.
type secondKey struct {
	epoch  uint64
	second int64
}

// second is the frames of one second, and its seal.
type second struct {
	frames   map[store.MemberID][]byte
	isSealed bool
	missing  []store.MemberID
	late     int
}

// windowKey says whose window it is.
type windowKey struct {
	epoch uint64
	from  store.MemberID
}

// window is what a member shows.
type window struct {
	data []byte
	at   time.Time
}

// lease says who holds a split's evidence.
type lease struct {
	holder store.MemberID
	until  time.Time
	epoch  uint64
}

// evidenceOf returns what there is of a split. Caller must hold s.mu.
func (s *Store) evidenceOf(name string) *evidence {
	e := s.evidence[name]
	if e == nil {
		e = &evidence{seconds: map[secondKey]*second{}, windows: map[windowKey]window{}}
		s.evidence[name] = e
	}
	return e
}

// PutFrames keeps frames in memory: a restart forgets them.
func (s *Store) PutFrames(ctx context.Context, from store.MemberID, frames []store.Frame) ([]store.Seat, error) {
	if err := s.guard(ctx); err != nil {
		return make([]store.Seat, len(frames)), err
	}
	now := time.Now()
	seats, errs := make([]store.Seat, len(frames)), make([]error, len(frames))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range frames {
		if errs[i] = store.CheckFrame(f); errs[i] == nil {
			seats[i] = s.evidenceOf(f.Split).put(from, f, now)
		}
	}
	return seats, errors.Join(errs...)
}

// put puts a frame and returns what its member learns.
func (e *evidence) put(from store.MemberID, f store.Frame, now time.Time) store.Seat {
	e.dropOld(now)
	seat := store.Seat{Version: e.judge.Version, Summary: slices.Clone(e.judge.Summary)}
	if f.Epoch < e.judge.Epoch {
		seat.Late = true
		if f.Data != nil {
			e.judge.Late++
		}
		return seat
	}
	seat.Late = f.Data != nil && !e.take(from, f, now)
	if f.Window != nil {
		e.windows[windowKey{f.Epoch, from}] = window{slices.Clone(f.Window), now}
	}
	seat.Holder = e.lease.take(from, f.Epoch, now)
	return seat
}

// take takes a frame if its second is open; false if the frame is late. One that the seal counted and that comes again is
// not.
func (e *evidence) take(from store.MemberID, f store.Frame, now time.Time) bool {
	key := secondKey{f.Epoch, f.Second}
	sec := e.seconds[key]
	isSealed := sec != nil && sec.isSealed
	switch {
	case e.isFolded(key), !isSealed && !store.InReach(f.Second, now):
		e.judge.Late++
		return false
	case isSealed:
		have, wasCounted := sec.frames[from]
		if wasCounted && bytes.Equal(have, f.Data) {
			return true
		}
		sec.late++
		e.judge.Late++
		return false
	case sec == nil:
		sec = &second{frames: map[store.MemberID][]byte{}}
		e.seconds[key] = sec
	}
	sec.frames[from] = slices.Clone(f.Data)
	return true
}

// isFolded reports whether a second is in the judge's state, or belongs to an epoch that it has left.
func (e *evidence) isFolded(key secondKey) bool {
	return key.epoch < e.judge.Epoch || key.epoch == e.judge.Epoch && key.second <= e.judge.Folded
}

// dropOld drops seconds and windows that nobody asks for any more.
func (e *evidence) dropOld(now time.Time) {
	maps.DeleteFunc(e.seconds, func(key secondKey, _ *second) bool {
		return now.Unix()-key.second > int64(store.EvidenceKept/time.Second)
	})
	maps.DeleteFunc(e.windows, func(_ windowKey, w window) bool { return now.Sub(w.at) > store.WindowKept })
}

// take gives the lease to a member if it is free, the member's own, or that of one at an earlier epoch, which would fold
// what is over.
func (l *lease) take(from store.MemberID, epoch uint64, now time.Time) bool {
	isHeld := l.holder != from && now.Before(l.until)
	if isHeld && epoch <= l.epoch {
		return false
	}
	*l = lease{from, now.Add(store.LeaseFor), epoch}
	return true
}

// Seal seals in memory.
func (s *Store) Seal(ctx context.Context, asks []store.SealAsk) ([][]store.Sealed, error) {
	sealed, errs := make([][]store.Sealed, len(asks)), make([]error, len(asks))
	if err := s.guard(ctx); err != nil {
		return sealed, err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, ask := range asks {
		if errs[i] = store.CheckSeal(ask); errs[i] != nil {
			continue
		}
		for _, number := range ask.Seconds {
			if one, ok := s.evidenceOf(ask.Split).seal(ask, number, now); ok {
				sealed[i] = append(sealed[i], one)
			}
		}
	}
	return sealed, errors.Join(errs...)
}

// seal seals one second if it is time; false if it is not sealed, or was folded.
func (e *evidence) seal(ask store.SealAsk, number int64, now time.Time) (store.Sealed, bool) {
	e.dropOld(now)
	key := secondKey{ask.Epoch, number}
	if e.isFolded(key) {
		return store.Sealed{}, false
	}
	sec := e.seconds[key]
	if sec == nil {
		sec = &second{}
	}
	if !sec.isSealed && !sec.close(ask, time.Unix(number+1, 0), now) {
		return store.Sealed{}, false
	}
	e.seconds[key] = sec
	frames := make(map[store.MemberID][]byte, len(sec.frames))
	for id, data := range sec.frames {
		frames[id] = slices.Clone(data)
	}
	return store.Sealed{Second: number, Frames: frames, Missing: slices.Clone(sec.missing), Late: sec.late}, true
}

// close seals the second if it is complete or patience has passed since its end.
func (sec *second) close(ask store.SealAsk, end, now time.Time) bool {
	var missing []store.MemberID
	for _, id := range ask.Expected {
		if _, ok := sec.frames[id]; !ok {
			missing = append(missing, id)
		}
	}
	isComplete := len(missing) == 0 && len(ask.Expected) > 0
	if !isComplete && now.Before(end.Add(ask.Patience)) {
		return false
	}
	sec.isSealed, sec.missing = true, missing
	return true
}

// Windows returns what is kept in memory and not too old.
func (s *Store) Windows(ctx context.Context, split string, epoch uint64) (map[store.MemberID][]byte, error) {
	if err := s.guard(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	windows := map[store.MemberID][]byte{}
	if e := s.evidence[split]; e != nil {
		e.dropOld(now)
		for key, w := range e.windows {
			if key.epoch == epoch {
				windows[key.from] = slices.Clone(w.data)
			}
		}
	}
	return windows, nil
}

// LoadJudge returns a judge's state from memory.
func (s *Store) LoadJudge(ctx context.Context, split string) (store.JudgeState, error) {
	if err := s.guard(ctx); err != nil {
		return store.JudgeState{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.evidence[split]
	if e == nil || e.judge.Version == 0 {
		return store.JudgeState{}, nil
	}
	state := e.judge
	state.Doc, state.Summary = slices.Clone(state.Doc), slices.Clone(state.Summary)
	return state, nil
}

// SwapJudges swaps in memory and then writes files. One that cannot be written costs a restart what the judge knew, and
// Describe says so.
func (s *Store) SwapJudges(ctx context.Context, swaps []store.JudgeSwap) []error {
	errs := make([]error, len(swaps))
	if err := s.lockWriting(ctx); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer s.unlockWriting()
	for i, swap := range swaps {
		if errs[i] = store.CheckJudge(swap); errs[i] != nil {
			continue
		}
		var next store.JudgeState
		if next, errs[i] = s.swapJudge(swap); errs[i] == nil {
			s.noteUnsaved(swap.Split, s.disk.writeJudge(swap.Split, next))
		}
	}
	return errs
}

// swapJudge swaps in memory, and returns what is stored then.
func (s *Store) swapJudge(swap store.JudgeSwap) (store.JudgeState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.evidenceOf(swap.Split)
	have, next := e.judge, swap.Next
	isNext := have.Version == next.Version && have.Epoch == next.Epoch && have.Folded == next.Folded &&
		bytes.Equal(have.Doc, next.Doc)
	if isNext {
		return have, nil
	}
	if !swap.Follows(have) {
		return have, store.JudgeConflict(swap, have)
	}
	next.Doc, next.Summary, next.Late = slices.Clone(next.Doc), bytesOrNil(next.Summary), have.Late
	e.judge = next
	maps.DeleteFunc(e.seconds, func(key secondKey, _ *second) bool { return e.isFolded(key) })
	return next, nil
}

// bytesOrNil returns a copy, where nothing is none.
func bytesOrNil(data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	return slices.Clone(data)
}

// noteUnsaved notes why a judge's state is not on disk; nil if it is.
func (s *Store) noteUnsaved(split string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.unsaved, split); err != nil {
		s.unsaved[split] = fmt.Sprintf("what the judge of %q knows is kept in memory only: %v", split, err)
	}
}

// forget drops what was gathered on a split that is given up. Caller must hold s.writing.
func (s *Store) forget(split string) {
	s.mu.Lock()
	delete(s.evidence, split)
	s.mu.Unlock()
	s.noteUnsaved(split, s.disk.removeJudge(split))
}
