package rollout

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// pulseLoop tells the store each second that we live and what we apply, and catches up with it. first is closed after
// the first try.
func (c *Controller) pulseLoop(ctx context.Context, first chan struct{}) {
	ticker := time.NewTicker(pulseEvery)
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
		err := c.openStore().Watch(ctx, func(n store.Notice) { c.heard(ctx, n) })
		if ctx.Err() != nil {
			return
		}
		c.log.Warn("watching the store ended; trying again", zap.Error(err))
		select {
		case <-ctx.Done():
		case <-time.After(pulseEvery):
		}
	}
}

// heard takes in an announcement. An older State than ours is passed over: it was overtaken on its way.
func (c *Controller) heard(ctx context.Context, n store.Notice) {
	if n.Resync {
		c.Poke()
		return
	}
	s := c.lookup(n.Split)
	if s == nil {
		return
	}
	if n.Kill != nil {
		c.hold(s, *n.Kill)
	}
	if n.State != nil {
		if cur := s.storedState(); cur == nil || n.State.Revision > cur.Revision {
			c.apply(s, n.State)
		}
	}
}

func (c *Controller) lookup(split string) *Split {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.splits[split]
}

// pulse does one round: heartbeat, versions, catching up, and what waits for the store.
func (c *Controller) pulse(ctx context.Context) {
	p, err := c.beat(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.storeAway(err)
		return
	}
	c.storeBack(p.Now)
	c.learnSecret(ctx)
	for _, s := range c.all() {
		v, ok := p.Versions[s.name]
		if err := c.catchUp(ctx, s, v, ok); err != nil && ctx.Err() == nil {
			c.log.Warn("cannot catch up with the store", zap.String("split", s.name), zap.Error(err))
		}
	}
}

// beat is one heartbeat.
func (c *Controller) beat(ctx context.Context) (store.Pulse, error) {
	st := c.openStore()
	if st == nil {
		return store.Pulse{}, store.ErrUnavailable
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	applied := map[string]splitter.Version{}
	for _, s := range c.all() {
		applied[s.name] = splitter.Version{}
		if state := s.storedState(); state != nil {
			applied[s.name] = state.Version
		}
	}
	return st.Pulse(ctx, store.Beat{MemberID: c.id, Release: c.opts.Release, Started: c.started, Applied: applied})
}

// catchUp brings one split in step with the store's version of it.
func (c *Controller) catchUp(ctx context.Context, s *Split, v splitter.Version, exists bool) error {
	if !exists {
		return c.fillStore(ctx, s)
	}
	s.mu.Lock()
	s.absent = 0
	same := s.stored != nil && s.stored.Version == v
	if same {
		s.confirmed = true
	}
	s.mu.Unlock()
	if !same {
		if err := c.reload(ctx, s); err != nil {
			return err
		}
	}
	return c.settle(ctx, s)
}

// reload takes the store's State, even one that is older than ours or of another history: the store may have lost
// writes. Such a one is read twice, as the first answer may have been overtaken by an announcement.
func (c *Controller) reload(ctx context.Context, s *Split) error {
	s.asking.Lock()
	defer s.asking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	st := c.openStore()
	if st == nil {
		return store.ErrUnavailable
	}
	state, err := st.Load(ctx, s.name)
	if err != nil {
		return err
	}
	seen := s.storedState()
	if isNewer(state, seen) {
		c.apply(s, state)
		return nil
	}
	if state, err = st.Load(ctx, s.name); err != nil {
		return err
	}
	c.adoptHistory(s, seen, state)
	return nil
}

func isNewer(state, than *splitter.State) bool { return than == nil || state.Revision > than.Revision }

// apply makes a State of the store the one that we decide by, unless we know a newer one, and tells the fleet.
func (c *Controller) apply(s *Split, state *splitter.State) {
	s.mu.Lock()
	before := s.stored
	if !isNewer(state, before) {
		s.mu.Unlock()
		return
	}
	c.applyLocked(s, before, state)
}

// adoptHistory applies a State that is not newer than the one seen before it was read, unless a newer one came since.
func (c *Controller) adoptHistory(s *Split, seen, state *splitter.State) {
	s.mu.Lock()
	if s.stored != seen || seen.Version == state.Version {
		s.mu.Unlock()
		return
	}
	c.log.Warn("the store went back to another history; its weights count, kills that it lost are written again",
		zap.String("split", s.name), zap.Uint64("ours", seen.Revision), zap.Uint64("store", state.Revision))
	s.queue = append(s.queue, lostKills(seen, state)...)
	c.applyLocked(s, seen, state)
}

// applyLocked publishes state in place of before. Caller must hold s.mu, which it releases.
func (c *Controller) applyLocked(s *Split, before, state *splitter.State) {
	confirmed := s.confirmed
	s.stored, s.confirmed, s.absent = state, true, 0
	err := s.refresh()
	if err != nil {
		s.stored, s.confirmed = before, confirmed
	}
	s.mu.Unlock()
	if err != nil {
		c.log.Error("the store's state cannot be used; going on with the last one",
			zap.String("split", s.name), zap.Uint64("revision", state.Revision), zap.Error(err))
		return
	}
	c.told(s, before, state)
	c.Poke()
	c.remember(s)
}

// lostKills returns the kills of ours that another history does not know: they win, and are written again.
func lostKills(ours, theirs *splitter.State) []splitter.Kill {
	var lost []splitter.Kill
	for _, k := range ours.Kills {
		if !hasKill(theirs, k.ID) && !isRevived(theirs, k.ID) {
			lost = append(lost, k)
		}
	}
	return lost
}

// told logs an applied State and passes it to whoever listens.
func (c *Controller) told(s *Split, before, state *splitter.State) {
	if state.Changed.Kind == KindFailback && before != nil && before.Version.ID == state.Parent {
		s.failbacks.Add(1)
	}
	c.log.Info("state applied", zap.String("split", s.name), zap.Uint64("revision", state.Revision),
		zap.String("kind", state.Changed.Kind), zap.String("actor", state.Changed.Actor),
		zap.String("reason", state.Changed.Reason), zap.Uint64("epoch", state.Epoch), zap.Any("weights", state.Weights()))
	if before == nil {
		return
	}
	select {
	case c.events <- state:
	default:
		c.log.Warn("an event was not passed on: too many wait", zap.String("split", s.name), zap.Uint64("revision", state.Revision))
	}
}

// eventLoop passes applied States on, apart from all else: whoever listens may be slow.
func (c *Controller) eventLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case state := <-c.events:
			if c.opts.OnEvent != nil {
				c.opts.OnEvent(state)
			}
		}
	}
}

// fillStore gives a store that confirmed to have no State the one that we know, or else the file's.
func (c *Controller) fillStore(ctx context.Context, s *Split) error {
	s.mu.Lock()
	s.absent++
	known, absent, def := s.stored, s.absent, s.definition()
	s.mu.Unlock()
	switch {
	case len(def.Variants) == 0:
		return nil
	case known == nil:
		return c.create(ctx, s, def)
	case absent >= refillAfter:
		return c.refill(ctx, s, known)
	}
	return nil
}

// create writes a split's first State. Losing the race to another instance is fine: its State is loaded.
func (c *Controller) create(ctx context.Context, s *Split, def Definition) error {
	ch, err := Create(def, By{Actor: selfActor, Via: "config", Reason: "first weights of the configuration"}, c.seed())
	if err != nil {
		return err
	}
	return c.offer(ctx, s, ch)
}

// refill writes a known State back into a store that lost it, as the next revision.
func (c *Controller) refill(ctx context.Context, s *Split, known *splitter.State) error {
	c.log.Warn("the store has lost the state; writing back the last one known",
		zap.String("split", s.name), zap.Uint64("revision", known.Revision))
	by := By{Actor: selfActor, Via: "config", Reason: "the store was empty"}
	ch, err := tell(known, next(known, KindRestored, by, c.seed()))
	if err != nil {
		return err
	}
	return c.offer(ctx, s, ch)
}

// offer writes a State into an empty store, or takes the one that somebody else wrote first.
func (c *Controller) offer(ctx context.Context, s *Split, ch Changed) error {
	err := c.swap(ctx, s, splitter.Version{}, ch)
	if errors.Is(err, store.ErrConflict) {
		return c.reload(ctx, s)
	}
	return err
}

// swap writes a change and applies it.
func (c *Controller) swap(ctx context.Context, s *Split, prev splitter.Version, ch Changed) error {
	s.asking.Lock()
	defer s.asking.Unlock()
	st := c.openStore()
	if st == nil {
		return store.ErrUnavailable
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := st.Swap(ctx, prev, ch.State, ch.Event); err != nil {
		return err
	}
	c.apply(s, ch.State)
	return nil
}
