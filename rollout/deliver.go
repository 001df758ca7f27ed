package rollout

import (
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// How events get to targets.
const (
	// sendTimeout bounds one try to tell a target.
	sendTimeout = 15 * time.Second
	// claimIdle is after how long a delivery that somebody else claimed is taken over.
	claimIdle = time.Minute
	// holdClaimed is for how long a delivery is tried again by who claimed it: what begins then ends before it is taken
	// over.
	holdClaimed = claimIdle - sendTimeout - 5*time.Second
	// lookEvery is how often a target's outbox is looked into when nothing is announced.
	lookEvery = 30 * time.Second
	// giveUp is how old an event gets that a target does not take.
	giveUp = 24 * time.Hour
	// leastBackOff and mostBackOff bound the pause after a try that failed.
	leastBackOff = time.Second
	mostBackOff  = 5 * time.Minute
)

// SetTargets replaces the targets that are told of events. It does not wait: a try in progress ends by itself. What a
// target of the same name has counted goes on. A target that is new to the fleet is told of what happens from now on.
func (c *Controller) SetTargets(targets []Target) {
	c.life.Lock()
	defer c.life.Unlock()
	before := c.told()
	next := make([]*courier, len(targets))
	for i, t := range targets {
		next[i] = newCourier(c, t, recordOf(before, t.Name))
	}
	c.couriers.Store(&next)
	for _, k := range before {
		close(k.dismissed)
	}
	if c.stop != nil {
		c.sendOut()
	}
}

// recordOf returns what is noted of a target, as far as it was one before.
func recordOf(couriers []*courier, name string) *targetRecord {
	for _, k := range couriers {
		if k.target.Name == name {
			return k.record
		}
	}
	return &targetRecord{status: TargetStatus{Name: name}}
}

// told returns a courier for each target.
func (c *Controller) told() []*courier {
	if all := c.couriers.Load(); all != nil {
		return *all
	}
	return nil
}

// sendOut lets the couriers begin, each in a loop of its own, so that no target delays another. Caller must hold c.life.
func (c *Controller) sendOut() {
	ctx := c.working
	for _, k := range c.told() {
		c.loops.Go(func() { k.run(ctx) })
	}
}

// wakeCouriers has every outbox looked into. It does not wait.
func (c *Controller) wakeCouriers() {
	for _, k := range c.told() {
		k.wake()
	}
}

// TargetStatus says how each target fares, in the order of SetTargets. It asks nobody.
func (c *Controller) TargetStatus() []TargetStatus {
	couriers := c.told()
	all := make([]TargetStatus, len(couriers))
	for i, k := range couriers {
		all[i] = k.record.read()
	}
	return all
}

// tellDirectly tells the targets of an event past the store.
func (c *Controller) tellDirectly(ev store.Event) {
	for _, k := range c.told() {
		if k.target.Wants(ev) {
			k.record.add(ev)
			k.wake()
		}
	}
}
