package rollout

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// recordedKinds are the kinds of event that change no State.
var recordedKinds = []string{
	KindWaiting, KindNoTraffic, KindDrift, KindShare, KindFailbackHeld, KindStoreLost, KindStoreBack,
}

const (
	// recordedLately is how old a recorded event may be to be passed on: older ones were before this process.
	recordedLately = time.Minute
	// recordedAtOnce is among how many of a split's newest events they are looked for.
	recordedAtOnce = 20
)

// news is what OnEvent is to be told: an event with the State that it made, or that a split has recorded events.
type news struct {
	event    store.Event
	state    *splitter.State
	recorded string
}

// changeBetween is the event of a State that was applied after another.
func changeBetween(before, after *splitter.State) store.Event {
	return store.Event{ID: after.ID, Split: after.Split, Revision: after.Revision, Epoch: after.Epoch, Change: after.Changed,
		From: before.Weights(), To: after.Weights()}
}

// passOn has OnEvent told, after what it is told already.
func (c *Controller) passOn(n news) {
	if c.opts.OnEvent == nil {
		return
	}
	select {
	case c.events <- n:
	default:
		c.log.Error("an event was not passed on: too many wait", zap.String("split", n.event.Split+n.recorded),
			zap.Uint64("revision", n.event.Revision))
	}
}

// eventLoop passes events on, apart from all else: whoever listens may be slow. It ends when untold is closed
// and nothing waits any more.
func (c *Controller) eventLoop(untold <-chan struct{}) {
	for {
		select {
		case n := <-c.events:
			c.tellNews(n)
		case <-untold:
			for len(c.events) > 0 {
				c.tellNews(<-c.events)
			}
			return
		}
	}
}

// tellNews passes one of the news on. It is the event loop's alone.
func (c *Controller) tellNews(n news) {
	if n.recorded == "" {
		c.opts.OnEvent(n.event, n.state)
		return
	}
	for _, ev := range c.recordedLately(n.recorded) {
		c.opts.OnEvent(ev, nil)
	}
}

// recordedLately returns what was recorded of a split and is not passed on yet, oldest first.
func (c *Controller) recordedLately(split string) []store.Event {
	st := c.openStore()
	if st == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	found, err := st.Events(ctx, split, recordedAtOnce)
	if err != nil {
		c.log.Warn("recorded events cannot be passed on", zap.String("split", split), zap.Error(err))
		return nil
	}
	known := c.passedOn[split]
	c.passedOn[split] = nil
	var fresh []store.Event
	for _, ev := range slices.Backward(found) {
		c.passedOn[split] = append(c.passedOn[split], ev.ID)
		isNew := slices.Contains(recordedKinds, ev.Kind) && !slices.Contains(known, ev.ID)
		if isNew && c.now().Sub(ev.At) < recordedLately {
			fresh = append(fresh, ev)
		}
	}
	return fresh
}
