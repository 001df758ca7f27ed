package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/store"
)

// selfActor is who did what no person did.
const selfActor = "switchback"

// storeAnswers notes that the store answered, and whether it can be written to.
func (c *Controller) storeAnswers(p store.Pulse) {
	c.skew.Store(int64(time.Until(p.Now)))
	c.contact.Store(int64(time.Since(c.started)) + 1)
	c.setStale(false)
	if st := c.openStore(); st != nil && c.reachable.Load() == nil {
		c.reachable.Store(&st)
	}
	err := refusal(p)
	c.mu.Lock()
	was := c.lastError
	c.lastError = err
	c.mu.Unlock()
	switch {
	case err != nil && was == nil:
		c.log.Error("the store can be read and refuses to be written to; what must be written waits", zap.Error(err))
	case err == nil && was != nil:
		c.secretLost = true // a store that was away may have lost it, and been given another
		c.log.Info("the store answers again")
		c.wakeCouriers()
	}
}

// refusal returns what a store that could be read said when it refused the beat.
func refusal(p store.Pulse) error {
	if p.Refused == "" {
		return nil
	}
	return store.Unavailable(fmt.Errorf("%w: %s", store.ErrNotWritten, p.Refused))
}

// storeAway notes that it did not. Requests go on with the last State.
func (c *Controller) storeAway(err error) {
	c.mu.Lock()
	first := c.lastError == nil
	c.lastError = err
	c.reachable.Store(nil)
	c.mu.Unlock()
	if first {
		c.log.Error("the store is away; going on with the last state known", zap.Error(err))
	}
	c.setStale(c.opts.StableWhenStale && c.silence() > c.opts.MaxStale)
}

// silence is how long ago the store last answered, or if it never did, how long this instance has been waiting for it.
func (c *Controller) silence() time.Duration {
	return time.Since(c.started) - time.Duration(c.contact.Load())
}

// setStale applies on_stale.
func (c *Controller) setStale(stale bool) {
	for _, s := range c.all() {
		s.mu.Lock()
		if s.stale != stale {
			s.stale = stale
			s.refresh()
		}
		s.mu.Unlock()
	}
}

// StoreAge is how long ago the store last answered; negative if it never has.
func (c *Controller) StoreAge() time.Duration {
	if c.contact.Load() == 0 {
		return -1
	}
	return max(c.silence(), 0)
}

// isStoreAway reports whether the store did not answer lately, or refuses to be written to.
func (c *Controller) isStoreAway() bool { return c.storeError() != "" }

// answeringStore returns the store; nil while not started, or while the store is away.
func (c *Controller) answeringStore() store.Store {
	if c.isStoreAway() {
		return nil
	}
	return c.openStore()
}

// storeError returns what the store last said, if it is away.
func (c *Controller) storeError() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastError == nil {
		return ""
	}
	return c.lastError.Error()
}

// learnSecret asks for the fleet's secret until it is known. A store that has lost it gets it again; if another instance
// was faster with another one, that is the present one, and what was signed with the one before still counts here.
func (c *Controller) learnSecret(ctx context.Context, p store.Pulse) {
	known := c.Secrets()
	if !p.HasSecret {
		c.secretLost = true
	}
	if len(known) > 0 && !c.secretLost {
		return
	}
	proposed := newID() + newID() + newID() + newID()
	if len(known) > 0 {
		proposed = known[0]
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	secret, err := c.openStore().Secret(ctx, proposed)
	if err != nil {
		if !c.secretLess {
			c.log.Warn("the fleet's secret is not in the store; while it is not known, no cookies are signed", zap.Error(err))
		}
		c.secretLess = true
		return
	}
	c.secretLost, c.secretLess = false, false
	secrets := append([]string{secret}, slices.DeleteFunc(slices.Clone(known), func(s string) bool { return s == secret })...)
	c.secrets.Store(&secrets)
}

// Ready reports whether requests are placed as the fleet wants: every split has a State that this instance can
// serve, or its boot wait is over.
func (c *Controller) Ready() bool {
	for _, s := range c.all() {
		if !s.ready(time.Since(c.started) > c.opts.BootWait) {
			return false
		}
	}
	return true
}

// ready reports whether a split is served as the fleet wants, or as well as can be after waiting for its State.
func (s *Split) ready(waited bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effective == nil {
		return waited
	}
	return s.definition().has(s.effective.Stable)
}
