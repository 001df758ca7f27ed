package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// fault is what is wrong with the way between one instance and the store.
type fault int

const (
	none     fault = iota
	away           // every call fails at once
	hung           // no call is answered until its context ends
	full           // what writes is refused, but for announcements
	muted          // announcements do not arrive
	slow           // calls are answered after 700 ms
	twisted        // changes are carried out and their answer is lost
	locked         // changes are refused, all else works
	readable       // changes and beats are refused, and it says so
	unjudged       // evidence is refused, all else works
	unsealed       // nothing is sealed, all else works
	unread         // States can neither be read nor heard of, all else works
)

var errFault = errors.New("a fault of the test")

// link is one instance's way to a store that it shares with others.
type link struct {
	mu    sync.Mutex // protects the following fields
	store store.Store
	fault fault
	swaps int // changes that were sent
	looks int // how often the outbox was looked into
	inbox *inbox
	ahead time.Duration // how far the store's clock is ahead of this instance's
	jump  time.Duration // how far it has jumped since
	last  int64         // the newest second of which a frame was put
	seals []sealed      // seconds that were sealed for this instance, in that order
}

// sealed is a second, and how long after its end it was sealed.
type sealed struct {
	store.Sealed
	after time.Duration
}

// sets changes a link.
func (l *link) sets(change func(*link)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// put returns the newest second of which a frame was put.
func (l *link) put() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// sealed returns the seconds that were sealed for this instance.
func (l *link) sealed() []sealed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seals)
}

// mishears returns an error while evidence is refused.
func (l *link) mishears() error {
	if _, f := l.now(); f == unjudged {
		return store.Unavailable(errFault)
	}
	return nil
}

// inbox is a break-glass inbox that several links share; the embedded store has none.
type inbox struct {
	mu     sync.Mutex
	orders map[string]string
}

// put does what redis-cli does; an empty order evicts what is there.
func (i *inbox) put(split, order string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if delete(i.orders, split); order != "" {
		i.orders[split] = order
	}
}

// take takes an order out if it is still there.
func (i *inbox) take(split, order string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	isThere := i.orders[split] == order
	if isThere {
		delete(i.orders, split)
	}
	return isThere
}

func (i *inbox) all() map[string]string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.orders)
}

func (l *link) set(f fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
}

// replace puts another store at the other end, as a failover does.
func (l *link) replace(s store.Store) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store = s
}

func (l *link) now() (store.Store, fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store, l.fault
}

// sent returns how many changes were sent, whether or not they arrived.
func (l *link) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.swaps
}

// looked returns how often the outbox was looked into.
func (l *link) looked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looks
}

// gate lets a call through or not.
func (l *link) gate(ctx context.Context, writes bool) (store.Store, error) {
	s, f := l.now()
	switch {
	case f == away || f == full && writes:
		return nil, store.Unavailable(errFault)
	case f == hung:
		<-ctx.Done()
		return nil, store.Unavailable(ctx.Err())
	case f == slow:
		select {
		case <-ctx.Done():
			return nil, store.Unavailable(ctx.Err())
		case <-time.After(700 * time.Millisecond):
		}
	}
	return s, nil
}

func (l *link) Load(ctx context.Context, split string) (*splitter.State, error) {
	s, err := l.gate(ctx, false)
	if err != nil {
		return nil, err
	}
	if _, f := l.now(); f == unread {
		return nil, store.Unavailable(errFault)
	}
	return s.Load(ctx, split)
}

func (l *link) Swap(ctx context.Context, prev splitter.Version, next *splitter.State, ev store.Event) error {
	l.mu.Lock()
	l.swaps++
	l.mu.Unlock()
	s, err := l.gate(ctx, true)
	if err != nil {
		return err
	}
	switch _, f := l.now(); {
	case f == locked:
		return store.Unavailable(errFault)
	case f == readable:
		return store.Unavailable(fmt.Errorf("%w: %w", store.ErrNotWritten, errFault))
	case ev.Order != "" && !l.inbox.take(next.Split, ev.Order):
		return store.ErrOrderGone
	}
	ev.Order = "" // the store behind has no inbox
	if err := s.Swap(ctx, prev, next, ev); err != nil {
		return err
	}
	if _, f := l.now(); f == twisted {
		return store.Unavailable(errFault)
	}
	return nil
}

func (l *link) Events(ctx context.Context, split string, limit int) ([]store.Event, error) {
	s, err := l.gate(ctx, false)
	if err != nil {
		return nil, err
	}
	return s.Events(ctx, split, limit)
}

func (l *link) EventsAfter(ctx context.Context, split, cursor string, limit int) ([]store.Event, error) {
	s, err := l.gate(ctx, false)
	if err != nil {
		return nil, err
	}
	return s.EventsAfter(ctx, split, cursor, limit)
}

func (l *link) Record(ctx context.Context, ev store.Event) (bool, error) {
	s, err := l.gate(ctx, true)
	if err != nil {
		return false, err
	}
	return s.Record(ctx, ev)
}

func (l *link) Claim(ctx context.Context, ask store.ClaimAsk) ([]store.Delivery, error) {
	l.sets(func(l *link) { l.looks++ })
	s, err := l.gate(ctx, true)
	if err != nil {
		return nil, err
	}
	return s.Claim(ctx, ask)
}

func (l *link) Acknowledge(ctx context.Context, group string, receipts []string) error {
	s, err := l.gate(ctx, true)
	if err != nil {
		return err
	}
	return s.Acknowledge(ctx, group, receipts)
}

func (l *link) Pulse(ctx context.Context, beat store.Beat) (store.Pulse, error) {
	s, err := l.gate(ctx, true)
	if err != nil {
		return store.Pulse{}, err
	}
	p, err := s.Pulse(ctx, beat)
	if _, f := l.now(); f == readable {
		p.Refused = errFault.Error()
	}
	if l.inbox != nil {
		p.Orders = l.inbox.all()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p.Now = p.Now.Add(l.ahead + l.jump)
	return p, err
}

func (l *link) List(ctx context.Context) ([]string, error) {
	s, err := l.gate(ctx, false)
	if err != nil {
		return nil, err
	}
	return s.List(ctx)
}

func (l *link) Leave(ctx context.Context, id store.MemberID) error {
	s, err := l.gate(ctx, true)
	if err != nil {
		return err
	}
	return s.Leave(ctx, id)
}

func (l *link) Watch(ctx context.Context, notify func(store.Notice)) error {
	s, _ := l.now()
	return s.Watch(ctx, func(n store.Notice) {
		if _, f := l.now(); f != muted && f != away && f != hung && f != unread {
			notify(n)
		}
	})
}

func (l *link) Announce(ctx context.Context, n store.Notice) error {
	s, err := l.gate(ctx, false)
	if err != nil {
		return err
	}
	return s.Announce(ctx, n)
}

func (l *link) PutFrames(ctx context.Context, from store.MemberID, frames []store.Frame) ([]store.Seat, error) {
	s, err := l.gate(ctx, true)
	if err != nil {
		return nil, err
	}
	if err := l.mishears(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	theirs := slices.Clone(frames)
	for i := range theirs {
		l.last = max(l.last, theirs[i].Second)
		theirs[i].Second -= int64(l.ahead / time.Second)
	}
	l.mu.Unlock()
	return s.PutFrames(ctx, from, theirs)
}

func (l *link) Seal(ctx context.Context, asks []store.SealAsk) ([][]store.Sealed, error) {
	s, err := l.gate(ctx, true)
	if err != nil {
		return nil, err
	}
	if err := l.mishears(); err != nil {
		return nil, err
	}
	if _, f := l.now(); f == unsealed {
		return nil, store.Unavailable(errFault)
	}
	answers, err := s.Seal(ctx, asks)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, answer := range answers {
		for _, one := range answer {
			l.seals = append(l.seals, sealed{one, time.Since(time.Unix(one.Second+1, 0))})
		}
	}
	return answers, err
}

func (l *link) LoadJudge(ctx context.Context, split string) (store.JudgeState, error) {
	s, err := l.gate(ctx, false)
	if err != nil {
		return store.JudgeState{}, err
	}
	return s.LoadJudge(ctx, split)
}

func (l *link) SwapJudges(ctx context.Context, swaps []store.JudgeSwap) []error {
	s, err := l.gate(ctx, true)
	if err != nil {
		return slices.Repeat([]error{err}, len(swaps))
	}
	return s.SwapJudges(ctx, swaps)
}

func (l *link) Windows(ctx context.Context, split string, epoch uint64) (map[store.MemberID][]byte, error) {
	s, err := l.gate(ctx, false)
	if err != nil {
		return nil, err
	}
	return s.Windows(ctx, split, epoch)
}

func (l *link) Secret(ctx context.Context, proposed string) (string, error) {
	s, err := l.gate(ctx, true)
	if err != nil {
		return "", err
	}
	return s.Secret(ctx, proposed)
}

func (l *link) Describe() store.Description { s, _ := l.now(); return s.Describe() }

// Close leaves the shared store open.
func (l *link) Close() error { return nil }

func (l *link) KeepPins(ctx context.Context, split string, pins []store.Pin) error {
	s, err := l.gate(ctx, true)
	if err != nil {
		return err
	}
	return s.KeepPins(ctx, split, pins)
}

func (l *link) FindPin(ctx context.Context, split string, ids ...string) (splitter.Pin, bool, error) {
	s, err := l.gate(ctx, false)
	if err != nil {
		return splitter.Pin{}, false, err
	}
	return s.FindPin(ctx, split, ids...)
}

var _ store.Store = (*link)(nil)
