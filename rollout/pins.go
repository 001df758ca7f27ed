package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// pinPace is how often pins are written.
	pinPace = 250 * time.Millisecond
	// pinsAtOnce is how many pins of a split are written in one call, and pinsPerRound how many until it is another's turn.
	pinsAtOnce, pinsPerRound = 500, 4000
)

// pinLoop writes what was noted of conversations, apart from the requests that noted it, and a last time when it ends.
func (c *Controller) pinLoop(ctx context.Context) {
	ticker := time.NewTicker(pinPace)
	defer ticker.Stop()
	failing := false
	var dropped droppedLog
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		err := c.writePins(context.WithoutCancel(ctx))
		if err != nil && !failing {
			c.log.Warn("conversations cannot be pinned; those that other instances have not seen move with their buckets",
				zap.Error(err))
		}
		failing = err != nil
		dropped.warn(c, time.Now())
	}
}

// droppedLog says when conversations are not noted, once a minute at most.
type droppedLog struct {
	told map[string]uint64 // by split, how many that were by then
	at   time.Time
}

func (d *droppedLog) warn(c *Controller, now time.Time) {
	if now.Sub(d.at) < time.Minute {
		return
	}
	told := map[string]uint64{}
	for _, s := range c.all() {
		dropped := s.Conversations.Dropped()
		if told[s.name] = dropped; dropped > d.told[s.name] {
			d.at = now
			c.log.Warn("conversations are not pinned, as too many go on, in all or of one user; they move with their buckets",
				zap.String("split", s.name), zap.Uint64("dropped", dropped-d.told[s.name]))
		}
	}
	d.told = told
}

// writePins writes what was noted since the last time. What cannot be written waits, as long as it counts.
func (c *Controller) writePins(ctx context.Context) error {
	st := c.reachable.Load()
	now := time.Now()
	var errs []error
	for _, s := range c.all() {
		for batch := range slices.Chunk(s.Conversations.round(pinsPerRound, now), pinsAtOnce) {
			if st == nil || len(errs) > 0 {
				break
			}
			if err := keepPins(ctx, *st, s.name, batch, now); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func keepPins(ctx context.Context, st store.Store, split string, batch []*conversation, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	pins := make([]store.Pin, len(batch))
	for i, c := range batch {
		pins[i] = pinOf(c, now)
	}
	if err := st.KeepPins(ctx, split, pins); err != nil {
		return err
	}
	for _, c := range batch {
		c.written.Store(true)
	}
	return nil
}

// activity returns what this instance does at the moment.
func activity(splits []*Split) map[string]store.Activity {
	active := make(map[string]store.Activity, len(splits))
	for _, s := range splits {
		active[s.name] = s.activity()
	}
	return active
}

func (s *Split) activity() store.Activity {
	def := s.Definition()
	a := store.Activity{InFlight: s.inFlight(), Conversations: s.Conversations.Counts(), Overrides: def.Overrides}
	if def.Conversations != nil {
		a.Hold, a.Finish = def.Conversations.Hold, def.Conversations.Finishes()
	}
	return a
}

// inFlight counts the requests in progress here, by variant.
func (s *Split) inFlight() map[string]int {
	counts := map[string]int{}
	for f := range s.Flights.All() {
		counts[f.Variant]++
	}
	return counts
}

// ConversationPolicy says how conversations are held on the variant that they began on. Each instance goes by its own
// file's, from the moment that it is loaded.
type ConversationPolicy struct {
	// Hold is how long after its bucket moved a conversation stays, at most splitter.MaxHold.
	Hold health.Duration `json:"hold"`
	// OnFailback is move or finish.
	OnFailback string `json:"on_failback"`
}

// What becomes of a conversation whose variant is failed back.
const (
	OnFailbackMove   = "move"   // it goes on with stable
	OnFailbackFinish = "finish" // it is held as by any other move
)

// Finishes reports whether conversations stay on a variant that was failed back.
func (p ConversationPolicy) Finishes() bool { return p.OnFailback == OnFailbackFinish }

// At returns which pins count at a time of the store's clock.
func (p ConversationPolicy) At(now time.Time) splitter.Hold {
	return splitter.Hold{Since: now.Add(-time.Duration(p.Hold)), Finish: p.Finishes()}
}
