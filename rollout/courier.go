package rollout

import (
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/store"
)

// courier tells one target of the events in its outbox, one at a time, oldest first. Its fields belong to the goroutine
// that runs it.
type courier struct {
	c         *Controller
	target    Target
	record    *targetRecord
	log       *zap.Logger
	woken     chan struct{}
	dismissed chan struct{} // closed when another one takes over

	hand     *store.Delivery // what is to be told; without a receipt it is in no outbox
	claimed  time.Time       // when hand was claimed, by our clock
	receipts []string        // of what was told and is not acknowledged yet
	failures int             // tries that have failed since one succeeded
	unheard  complaint       // what was logged of an outbox that cannot be read
}

func newCourier(c *Controller, t Target, record *targetRecord) *courier {
	return &courier{c: c, target: t, record: record, log: c.log.With(zap.String("target", t.Name)),
		woken: make(chan struct{}, 1), dismissed: make(chan struct{})}
}

// wake has the outbox looked into.
func (k *courier) wake() {
	select {
	case k.woken <- struct{}{}:
	default:
	}
}

// run tells the target until ctx is done or the courier is dismissed.
func (k *courier) run(ctx context.Context) {
	defer k.settle(ctx)
	for !k.isDone(ctx) {
		k.wait(ctx, k.round(ctx))
	}
}

// wait waits for so long, or if the target takes what it is told, for a wake.
func (k *courier) wait(ctx context.Context, pause time.Duration) {
	woken := k.woken
	if k.failures > 0 {
		woken = nil // what is new has to wait as well
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-woken:
	case <-timer.C:
	case <-k.dismissed:
	case <-ctx.Done():
	}
}

func (k *courier) isDone(ctx context.Context) bool {
	select {
	case <-k.dismissed:
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// round tells what there is, and returns how long to wait for the next.
func (k *courier) round(ctx context.Context) time.Duration {
	for !k.isDone(ctx) {
		if !k.take(ctx) {
			return lookEvery
		}
		if !k.deliver(ctx) {
			return backOff(k.failures)
		}
	}
	return 0
}

// backOff is the pause after so many failures: doubled each time, and somewhere in the upper half of that, so that the
// instances of a fleet do not come together.
func backOff(failures int) time.Duration {
	pause := mostBackOff
	if failures < 10 {
		pause = min(leastBackOff<<failures, mostBackOff)
	}
	return pause/2 + rand.N(pause/2)
}

// take has something in hand that is to be told: what was in it and is still ours, what is in no outbox, or the outbox's
// next. False if there is nothing, or the outbox cannot be read.
func (k *courier) take(ctx context.Context) bool {
	if k.hand != nil && k.hand.Receipt != "" && time.Since(k.claimed) < holdClaimed {
		return true
	}
	k.hand = nil
	if ev, ok := k.record.first(); ok {
		k.hand = &store.Delivery{Event: ev}
		return true
	}
	err := k.claim(ctx)
	if ctx.Err() == nil {
		k.unheard.note(k.log, "the outbox cannot be read", err)
	}
	return k.hand != nil
}

// claim acknowledges what was told, so that it does not come again, and claims the next.
func (k *courier) claim(ctx context.Context) error {
	if err := k.acknowledge(ctx); err != nil {
		return err
	}
	return k.c.withStore(ctx, func(ctx context.Context, st store.Store) error {
		k.claimed = time.Now()
		found, err := st.Claim(ctx, store.ClaimAsk{Group: k.target.Name, From: k.c.id, Limit: 1, Idle: claimIdle})
		if err == nil && len(found) > 0 {
			k.hand = &found[0]
		}
		return err
	})
}

// acknowledge takes what was told out of the outbox.
func (k *courier) acknowledge(ctx context.Context) error {
	return k.c.withStore(ctx, func(ctx context.Context, st store.Store) error {
		if len(k.receipts) == 0 {
			return nil
		}
		err := st.Acknowledge(ctx, k.target.Name, k.receipts)
		if err == nil {
			k.receipts = nil
		}
		return err
	})
}

// settle acknowledges what was told at last, though ctx is done: it would be told again otherwise.
func (k *courier) settle(ctx context.Context) {
	if err := k.acknowledge(context.WithoutCancel(ctx)); err != nil && len(k.receipts) > 0 {
		k.log.Warn("events were told and could not be acknowledged; they will be told again", zap.Error(err))
	}
}

// deliver tells the target what is in hand, unless it does not want that, or it is too late. False if it failed.
func (k *courier) deliver(ctx context.Context) bool {
	ev := k.hand.Event
	switch {
	case !k.target.Wants(ev):
	case k.isTooLate():
		k.record.dropped()
		k.log.Error("an event was given up: its target did not take it", append(about(ev), zap.Int("claims", k.hand.Tries))...)
	default:
		if !k.send(ctx, ev) {
			return false
		}
	}
	if k.hand.Receipt == "" {
		k.record.remove(ev.ID)
	} else {
		k.receipts = append(k.receipts, k.hand.Receipt)
	}
	k.hand = nil
	return true
}

// isTooLate reports whether what is in hand is too old, or was claimed so often that it must be, whatever clocks say.
func (k *courier) isTooLate() bool {
	return k.c.now().Sub(k.hand.Event.At) > giveUp || k.hand.Tries > int(giveUp/claimIdle)
}

// send tries once.
func (k *courier) send(ctx context.Context, ev store.Event) bool {
	trying, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err := k.target.Send(trying, ev)
	switch {
	case err == nil:
		if k.failures > 0 {
			k.log.Info("the target can be told again", zap.Int("failed_tries", k.failures))
		}
		k.failures = 0
	case ctx.Err() != nil:
		return false // given up by us
	default:
		if k.failures == 0 {
			k.log.Warn("the target could not be told; it is tried again", append(about(ev), zap.Error(err))...)
		}
		k.failures++
	}
	k.record.tried(err, time.Now())
	return err == nil
}

// about is how an event is named in the log.
func about(ev store.Event) []zap.Field {
	return []zap.Field{zap.String("event", ev.ID), zap.String("kind", ev.Kind), zap.String("split", ev.Split)}
}
