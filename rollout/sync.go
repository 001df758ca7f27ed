package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// pulseLoop tells the store each second that we live and what we apply, and catches up with it. first is closed after
// the first try.
func (c *Controller) pulseLoop(ctx context.Context, first chan struct{}) {
	ticker := time.NewTicker(c.opts.pace.pulse)
	defer ticker.Stop()
	for {
		c.pulse(ctx)
		if first != nil {
			close(first)
			first = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-c.poke:
		}
	}
}

// watchLoop applies what others announce, as it happens.
func (c *Controller) watchLoop(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.openStore().Watch(ctx, c.heard)
		if ctx.Err() != nil {
			return
		}
		c.log.Warn("watching the store ended; trying again", zap.Error(err))
		select {
		case <-ctx.Done():
		case <-time.After(c.opts.pace.pulse):
		}
	}
}

// heard takes in an announcement. An older State than ours is passed over: it was overtaken on its way.
func (c *Controller) heard(n store.Notice) {
	if n.Resync {
		c.Poke()
		c.wakeCouriers()
		return
	}
	if n.Event {
		c.wakeCouriers()
	}
	s := c.lookup(n.Split)
	if s == nil {
		c.bury(n.State)
		return
	}
	if n.Event {
		c.passOn(news{recorded: n.Split})
	}
	if n.Kill != nil {
		if err := c.holdKill(s, *n.Kill); err != nil {
			c.log.Error("an announced kill cannot be kept", zap.String("split", s.name), zap.Error(err))
		}
	}
	if n.State != nil {
		if cur := s.storedState(); cur == nil || n.State.Revision > cur.Revision {
			c.apply(s, n.State)
		}
	}
}

// pulse does one round: heartbeat, versions, orders, catching up, and what waits for the store.
func (c *Controller) pulse(ctx context.Context) {
	splits := c.all()
	p, err := c.beat(ctx, splits, c.rollIsOld())
	if ctx.Err() != nil {
		return
	}
	defer c.noteOutage(ctx)
	if err != nil {
		c.storeAway(err)
		return
	}
	c.storeAnswers(p)
	if p.Members != nil {
		c.noteRoll(p)
	}
	c.learnSecret(ctx, p)
	for _, s := range splits {
		if err := c.catchUp(ctx, s, p); ctx.Err() == nil {
			s.complaint.note(s.log, "cannot catch up with the store", err)
		}
	}
}

// beat is one heartbeat, which asks for the versions of splits and the orders for them, and for the members if list says
// so.
func (c *Controller) beat(ctx context.Context, splits []*Split, list bool) (p store.Pulse, err error) {
	applied := make(map[string]splitter.Version, len(splits))
	for _, s := range splits {
		applied[s.name] = splitter.Version{}
		if state := s.storedState(); state != nil {
			applied[s.name] = state.Version
		}
	}
	// What is in progress is counted after what is applied was noted: nothing is placed by an earlier State that is not
	// among it.
	beat := store.Beat{MemberID: c.id, Release: c.opts.Release, Started: c.started, Applied: applied,
		Active: activity(splits), Files: files(splits), ListMembers: list}
	err = c.withStore(ctx, func(ctx context.Context, st store.Store) error {
		p, err = st.Pulse(ctx, beat)
		return err
	})
	return p, err
}

// catchUp brings one split in step with the store's version of it, carries out an order for it, and writes what waits
// for the store. A store that refuses to be written to is only read.
func (c *Controller) catchUp(ctx context.Context, s *Split, p store.Pulse) error {
	err := c.read(ctx, s, p)
	if order, ok := p.Orders[s.name]; ok {
		err = errors.Join(err, c.obey(ctx, s, order, p))
	}
	if err != nil || p.Refused != "" || s.storedState() == nil {
		return err
	}
	return c.settle(ctx, s)
}

// read takes the store's State if it is not the one that we know. If the store has none, it gets one.
func (c *Controller) read(ctx context.Context, s *Split, p store.Pulse) error {
	if wrong, ok := p.Corrupt[s.name]; ok {
		return fmt.Errorf("%w: %s", store.ErrCorrupt, wrong)
	}
	v, exists := p.Versions[s.name]
	if !exists {
		return c.fillStore(ctx, s, p)
	}
	s.mu.Lock()
	s.absentSince = time.Time{}
	same := s.stored != nil && s.stored.Version == v
	isNews := same && !s.confirmed
	s.confirmed = s.confirmed || same
	s.mu.Unlock()
	if isNews {
		s.sayAge(c.now())
	}
	if !same {
		if err := c.reload(ctx, s); err != nil {
			return err
		}
	}
	if state := s.storedState(); state != nil && !state.Forgotten.IsZero() {
		return c.reopen(ctx, s, state)
	}
	return nil
}

// reload takes the store's State, even one that is older than ours or of another history: the store may have lost
// writes. Such a one is read twice, as the first answer may have been overtaken by an announcement.
func (c *Controller) reload(ctx context.Context, s *Split) error {
	s.asking.Lock()
	defer s.asking.Unlock()
	return c.withStore(ctx, func(ctx context.Context, st store.Store) error {
		state, err := st.Load(ctx, s.name)
		if err != nil {
			return err
		}
		seen := s.storedState()
		if !isNewer(state, seen) {
			if state, err = st.Load(ctx, s.name); err != nil {
				return err
			}
		}
		if isNewer(state, seen) {
			c.apply(s, state)
		} else {
			c.adoptHistory(s, seen, state)
		}
		return nil
	})
}

func isNewer(state, than *splitter.State) bool { return than == nil || state.Revision > than.Revision }

// apply makes a State of the store the one that we decide by, unless we know a newer one, and tells the fleet. A newer
// one may be of another history too: the store forgot what we saw in it, and others went on from there.
func (c *Controller) apply(s *Split, state *splitter.State) {
	s.mu.Lock()
	taken, isFirst := isNewer(state, s.stored), !s.confirmed
	if taken {
		c.take(s, state, true)
	}
	s.mu.Unlock()
	if taken {
		c.applied(s, state)
	}
	if taken && isFirst {
		s.sayAge(c.now())
	}
}

// adoptHistory applies a State that was not newer than the one seen before it was read, unless a newer one came since.
func (c *Controller) adoptHistory(s *Split, seen, state *splitter.State) {
	s.mu.Lock()
	taken := s.stored == seen && seen.Version != state.Version
	if taken {
		c.take(s, state, false)
	}
	s.mu.Unlock()
	if taken {
		c.Poke()
		c.saveSoon(s)
	}
}

// take publishes the store's State, and tells of it if it is news. What the store has lost of the one before is kept, to
// be written again. Caller must hold s.mu, so that events keep the States' order.
func (c *Controller) take(s *Split, state *splitter.State, isNews bool) {
	before := s.stored
	if before != nil {
		s.keepLost(before, state)
	}
	s.stored, s.confirmed, s.absentSince = state, true, time.Time{}
	s.refresh()
	if before == nil || !isNews {
		return
	}
	if n := state.Cooldown.Failbacks - before.Cooldown.Failbacks; n > 0 {
		s.failbacks.Add(uint64(n))
	}
	c.passOn(news{event: changeBetween(before, state), state: state})
}

// applied does what follows upon a State that was taken: log, heartbeat, snapshot.
func (c *Controller) applied(s *Split, state *splitter.State) {
	c.log.Info("state applied", zap.String("split", s.name), zap.Uint64("revision", state.Revision),
		zap.String("kind", state.Changed.Kind), zap.String("actor", state.Changed.Actor),
		zap.String("reason", state.Changed.Reason), zap.Uint64("epoch", state.Epoch), zap.Any("weights", state.Weights()))
	c.Poke()
	c.saveSoon(s)
	c.wakeCouriers()
}
