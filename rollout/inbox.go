package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// The break-glass inbox is for whoever has redis-cli and nothing else: what is written into it is an order, and becomes a
// kill of the split, or lifts it, within a second. It is an inbox and never state: that it is empty means nothing.

const (
	orderedVia   = "inbox"
	orderedActor = "break-glass"
	// maxOrderReason bounds, in characters, how much of an order becomes a reason.
	maxOrderReason = 500
)

// standingOrder is the order that was last found in the inbox, and the kill that it asks for.
type standingOrder struct {
	text string
	kill string // id
}

// obey carries out an order that a pulse brought. Every instance tries; the store sees to it that one does.
func (c *Controller) obey(ctx context.Context, s *Split, order string, p store.Pulse) error {
	if strings.EqualFold(strings.TrimSpace(order), "revive") {
		if p.Refused != "" {
			return nil
		}
		return c.obeyRevival(ctx, s, order)
	}
	if s.isStanding(order) {
		return nil // it holds here already and waits to be written
	}
	k := orderedKill(s.name, order, p)
	s.mu.Lock()
	s.order = standingOrder{order, k.ID}
	s.mu.Unlock()
	return c.holdKill(s, k)
}

// isStanding reports whether the kill that an order asks for holds here and waits to be written.
func (s *Split) isStanding(order string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order.text == order && hasKill(s.queue, s.order.kill)
}

// orderedKill is the kill that an order asks for. Its id follows from the order and the version that it was found with,
// so that instances which find it at once make the same kill of it.
func orderedKill(split, order string, p store.Pulse) splitter.Kill {
	v := p.Versions[split]
	at := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", split, v.Revision, v.ID))
	return splitter.Kill{ID: orderID(order) + hex.EncodeToString(at[:6]), Reason: orderReason(order), Actor: orderedActor,
		Via: orderedVia, At: p.Now}
}

// orderID is how the ids of all kills by an order begin.
func orderID(order string) string {
	sum := sha256.Sum256([]byte(order))
	return "inbox-" + hex.EncodeToString(sum[:6]) + "-"
}

// orderReason makes a reason of what a person typed: one line, nothing that drives a terminal.
func orderReason(order string) string {
	clean := strings.Map(func(r rune) rune {
		if splitter.Unshown(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(order, "?"))
	runes := []rune(strings.TrimSpace(clean))
	return string(runes[:min(len(runes), maxOrderReason)])
}

// writeOrdered writes the kill of an order, and takes the order out of the inbox with it. If it is not there any more,
// another instance has carried it out, in which case there is nothing left to do; or it was lost, and the kill is
// written all the same.
func (c *Controller) writeOrdered(ctx context.Context, s *Split, k splitter.Kill, order string) error {
	_, _, err := c.writeKill(ctx, s, k, order)
	if !errors.Is(err, store.ErrOrderGone) {
		return err
	}
	if err := c.reload(ctx, s); err != nil {
		return err
	}
	if s.dropOrdered(k, order) {
		return nil
	}
	_, _, err = c.writeKill(ctx, s, k, "")
	return err
}

// dropOrdered drops a waiting kill if the State shows that its order was carried out under another id.
func (s *Split) dropOrdered(k splitter.Kill, order string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stored == nil || !carriedOut(s.stored, order, k.At) {
		return false
	}
	s.queue = slices.DeleteFunc(slices.Clone(s.queue), func(q splitter.Kill) bool { return q.ID == k.ID })
	s.refresh()
	return true
}

// carriedOut reports whether a State has a kill by an order, or one that was lifted since the order was found.
func carriedOut(state *splitter.State, order string, found time.Time) bool {
	id := orderID(order)
	return slices.ContainsFunc(state.Kills, func(k splitter.Kill) bool { return strings.HasPrefix(k.ID, id) }) ||
		slices.ContainsFunc(state.Revived, func(r splitter.Revival) bool {
			return strings.HasPrefix(r.ID, id) && !r.At.Before(found.Add(-time.Second))
		})
}

// obeyRevival lifts the kills of the whole split.
func (c *Controller) obeyRevival(ctx context.Context, s *Split, order string) error {
	if err := c.settleKills(ctx, s); err != nil {
		return err
	}
	err := c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		ch, err := reviveOrdered(prev, c.seed())
		ch.Event.Order = order
		return ch, err == nil, err
	})
	if errors.Is(err, store.ErrOrderGone) {
		return nil
	}
	return err
}

// reviveOrdered lifts the kills of the whole split; those of single variants stay. Without one it is a change all the
// same: the log shall say that the order was seen.
func reviveOrdered(prev *splitter.State, seed Seed) (Changed, error) {
	by := By{Actor: orderedActor, Via: orderedVia, Reason: "revive"}
	var ids []string
	for _, k := range prev.Kills {
		if k.Variant == "" {
			ids = append(ids, k.ID)
		}
	}
	if len(ids) > 0 {
		return Revive(prev, ReviveRequest{IDs: ids}, by, seed)
	}
	by.Reason = "revive: no kill of the whole split was on"
	return tell(prev, next(prev, KindRevive, by, seed))
}
