package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// lostAfter is how long the store must be away until people are told.
const lostAfter = 10 * time.Second

// outage is a time without the store. It is used by the pulse alone.
type outage struct {
	since, until time.Time // by the store's clock as last heard; zero: not yet
	long         bool      // long enough for people to be told
	why          string    // what the store said last
}

// noteOutage tells people that the store is away, and that it is back. It is called after each pulse.
func (c *Controller) noteOutage(ctx context.Context) {
	why, o := c.storeError(), &c.outage
	switch {
	case why == "" && !o.long:
		*o = outage{}
	case why == "":
		if o.until.IsZero() {
			o.until = c.now()
		}
		if c.recordBack(ctx) {
			*o = outage{}
		}
	case o.since.IsZero():
		*o = outage{since: c.now(), why: why}
	default:
		o.until, o.why = time.Time{}, why
		if !o.long && c.now().Sub(o.since) >= lostAfter {
			o.long = true
			c.tellLost()
		}
	}
}

// tellLost tells the targets past the store. The first by name of the members alive at the last roll call does, as they
// cannot agree now: others of the same outage may be told by others all the same, under the same id.
func (c *Controller) tellLost() {
	first := !slices.ContainsFunc(c.others(), func(name string) bool { return name < c.id.Name })
	if first {
		o := c.outage
		c.tellDirectly(c.outageEvent(KindStoreLost, fmt.Sprintf("%s has had no store since %s: %s", c.id.Name, clockOf(o.since), o.why)))
	}
}

// recordBack has the store tell that it is back, in the log of this instance's first split. False if it could not.
func (c *Controller) recordBack(ctx context.Context) bool {
	o := c.outage
	ev := c.outageEvent(KindStoreBack, fmt.Sprintf("%s had no store from %s to %s (%s): %s", c.id.Name, clockOf(o.since),
		clockOf(o.until), o.until.Sub(o.since).Round(time.Second), o.why))
	err := c.withStore(ctx, func(ctx context.Context, st store.Store) error {
		for _, ev.Split = range c.Splits() {
			if _, err := st.Record(ctx, ev); !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil // the store has none of our splits, and so no log
	})
	return err == nil
}

// outageEvent is an event of this outage. Every instance that noticed it in the same minute gives it the same id.
func (c *Controller) outageEvent(kind, reason string) store.Event {
	fleet := ""
	if st := c.openStore(); st != nil {
		fleet = st.Describe().Fleet
	}
	sum := sha256.Sum256([]byte(kind + "\n" + fleet + "\n" + c.outage.since.UTC().Truncate(time.Minute).Format(time.RFC3339)))
	return store.Event{ID: hex.EncodeToString(sum[:8]), Change: splitter.Change{
		Kind: kind, Actor: selfActor, Via: "store", At: c.now(), Reason: reason,
	}}
}
