package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// link is one process's way to the store that it shares with others. What it does not name works always: it does no I/O.
type link struct {
	*history

	mu    sync.Mutex // protects the following fields
	fault Fault
	ended bool // the process is dead: nothing gets through any more
	skew  time.Duration
}

var _ store.Store = (*link)(nil)

// set changes a link.
func (l *link) set(change func(*link)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *link) now() (Fault, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault, l.skew
}

// pass lets a call through or not.
func (l *link) pass(ctx context.Context) error {
	fault, _ := l.now()
	if err := l.alive(); err != nil {
		return err
	}
	if err := fault.pass(ctx); err != nil {
		return err
	}
	return l.alive() // it may have ended meanwhile
}

// passAtOnce is pass for Load and Swap.
func (l *link) passAtOnce() error {
	fault, _ := l.now()
	if err := l.alive(); err != nil {
		return err
	}
	return fault.passAtOnce()
}

func (l *link) alive() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return store.Unavailable(errEnded)
	}
	return nil
}

// answer is what a process hears of what it wrote.
func (l *link) answer(err error) error {
	fault, _ := l.now()
	return fault.answer(err)
}

// Load reads, if it gets through.
func (l *link) Load(ctx context.Context, split string) (*splitter.State, error) {
	if err := l.passAtOnce(); err != nil {
		return nil, err
	}
	return l.history.Load(ctx, split)
}

// Swap writes, if it gets through.
func (l *link) Swap(ctx context.Context, prev splitter.Version, next *splitter.State, ev store.Event) error {
	if err := l.passAtOnce(); err != nil {
		return err
	}
	if fault, _ := l.now(); fault == ReadOnly {
		return store.Unavailable(fmt.Errorf("%w: %w", store.ErrNotWritten, errFault))
	}
	isDoomed := l.dooms(next)
	err := l.history.Swap(ctx, prev, next, ev)
	if isDoomed && err == nil {
		l.spare()
		l.set(func(l *link) { l.ended = true })
		return store.Unavailable(errEnded)
	}
	return l.answer(err)
}

// Record records, if it gets through.
func (l *link) Record(ctx context.Context, ev store.Event) (bool, error) {
	if err := l.pass(ctx); err != nil {
		return false, err
	}
	isNew, err := l.history.Record(ctx, ev)
	if err = l.answer(err); err != nil {
		return false, err
	}
	return isNew, nil
}

// Claim claims, if it gets through.
func (l *link) Claim(ctx context.Context, ask store.ClaimAsk) ([]store.Delivery, error) {
	if err := l.pass(ctx); err != nil {
		return nil, err
	}
	claimed, err := l.history.Claim(ctx, ask)
	if err = l.answer(err); err != nil {
		return nil, err
	}
	return claimed, nil
}

// Acknowledge acknowledges, if it gets through.
func (l *link) Acknowledge(ctx context.Context, group string, receipts []string) error {
	if err := l.pass(ctx); err != nil {
		return err
	}
	return l.answer(l.history.Acknowledge(ctx, group, receipts))
}

// EventsAfter reads, if it gets through.
func (l *link) EventsAfter(ctx context.Context, split, cursor string, limit int) ([]store.Event, error) {
	if err := l.pass(ctx); err != nil {
		return nil, err
	}
	return l.history.EventsAfter(ctx, split, cursor, limit)
}

// Events reads, if it gets through.
func (l *link) Events(ctx context.Context, split string, limit int) ([]store.Event, error) {
	if err := l.pass(ctx); err != nil {
		return nil, err
	}
	return l.history.Events(ctx, split, limit)
}

// List reads, if it gets through.
func (l *link) List(ctx context.Context) ([]string, error) {
	if err := l.pass(ctx); err != nil {
		return nil, err
	}
	return l.history.List(ctx)
}

// Pulse beats, if it gets through. The clock that it tells is off by the link's skew.
func (l *link) Pulse(ctx context.Context, beat store.Beat) (store.Pulse, error) {
	if err := l.pass(ctx); err != nil {
		return store.Pulse{}, err
	}
	p, err := l.history.Pulse(ctx, beat)
	fault, skew := l.now()
	if fault == ReadOnly {
		p.Refused = errFault.Error()
	}
	p.Now = p.Now.Add(skew)
	return p, err
}

// Leave says goodbye, if it gets through.
func (l *link) Leave(ctx context.Context, id store.MemberID) error {
	if err := l.pass(ctx); err != nil {
		return err
	}
	return l.history.Leave(ctx, id)
}

// Watch hears what is announced, as long as it gets through.
func (l *link) Watch(ctx context.Context, notify func(store.Notice)) error {
	return l.history.Watch(ctx, func(n store.Notice) {
		fault, _ := l.now()
		if l.alive() == nil && !l.isMuffled(n.State) && fault != Deaf && fault != Away && fault != Hung {
			notify(n)
		}
	})
}

// Announce announces, if it gets through.
func (l *link) Announce(ctx context.Context, n store.Notice) error {
	if err := l.pass(ctx); err != nil {
		return err
	}
	return l.history.Announce(ctx, n)
}

// PutFrames puts frames, if it gets through.
func (l *link) PutFrames(ctx context.Context, from store.MemberID, frames []store.Frame) ([]store.Seat, error) {
	if err := l.pass(ctx); err != nil {
		return nil, err
	}
	seats, err := l.history.PutFrames(ctx, from, frames)
	if err = l.answer(err); err != nil {
		return nil, err
	}
	return seats, nil
}

// Seal seals, if it gets through.
func (l *link) Seal(ctx context.Context, asks []store.SealAsk) ([][]store.Sealed, error) {
	if err := l.pass(ctx); err != nil {
		return nil, err
	}
	sealed, err := l.history.Seal(ctx, asks)
	if err = l.answer(err); err != nil {
		return nil, err
	}
	return sealed, nil
}

// LoadJudge reads, if it gets through.
func (l *link) LoadJudge(ctx context.Context, split string) (store.JudgeState, error) {
	if err := l.pass(ctx); err != nil {
		return store.JudgeState{}, err
	}
	return l.history.LoadJudge(ctx, split)
}

// SwapJudges writes, if it gets through.
func (l *link) SwapJudges(ctx context.Context, swaps []store.JudgeSwap) []error {
	if err := l.pass(ctx); err != nil {
		return slices.Repeat([]error{err}, len(swaps))
	}
	errs := l.history.SwapJudges(ctx, swaps)
	for i := range errs {
		errs[i] = l.answer(errs[i])
	}
	return errs
}

// Windows reads, if it gets through.
func (l *link) Windows(ctx context.Context, split string, epoch uint64) (map[store.MemberID][]byte, error) {
	if err := l.pass(ctx); err != nil {
		return nil, err
	}
	return l.history.Windows(ctx, split, epoch)
}

// KeepPins writes, if it gets through.
func (l *link) KeepPins(ctx context.Context, split string, pins []store.Pin) error {
	if err := l.pass(ctx); err != nil {
		return err
	}
	return l.answer(l.history.KeepPins(ctx, split, pins))
}

// FindPin reads, if it gets through.
func (l *link) FindPin(ctx context.Context, split string, ids ...string) (splitter.Pin, bool, error) {
	if err := l.pass(ctx); err != nil {
		return splitter.Pin{}, false, err
	}
	return l.history.FindPin(ctx, split, ids...)
}

// Secret asks, if it gets through.
func (l *link) Secret(ctx context.Context, proposed string) (string, error) {
	if err := l.pass(ctx); err != nil {
		return "", err
	}
	return l.history.Secret(ctx, proposed)
}

// Close leaves the shared store open.
func (l *link) Close() error { return nil }
