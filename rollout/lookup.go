package rollout

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// lookUpPatience is how long a request waits for the store to say where its conversation is.
	lookUpPatience = 5 * time.Millisecond
	// lookUpTimeout is how long the store is given to say it. It is much longer: a call that is given up takes its
	// connection with it, and to open one takes as long as a request waits, so that no later look-up would be in time.
	lookUpTimeout = 500 * time.Millisecond
	// maxLookUps is how many look-ups may be in progress at once, those among them that nobody waits for any more.
	maxLookUps = 64
)

// LookUp says what became of the question where a conversation is.
type LookUp uint8

// The results of a look-up.
const (
	LookUpFound LookUp = iota
	LookUpNone         // nobody has seen the conversation: it is new
	// LookUpLate means that the store did not answer in time.
	LookUpLate
	// LookUpFailed means that the store answered with an error.
	LookUpFailed
	// LookUpAway means that it was not asked, as it is known to be away.
	LookUpAway
	// LookUpBusy means that it was not asked, as too many look-ups were in progress.
	LookUpBusy
	LookUpResults // how many there are
)

// String returns the word for metrics.
func (l LookUp) String() string {
	return [LookUpResults]string{"found", "none", "late", "failed", "away", "busy"}[l]
}

// found is what a look-up found.
type found struct {
	pin    splitter.Pin
	result LookUp
}

// LookUps returns how many look-ups ended so.
func (c *Conversations) LookUps(result LookUp) uint64 { return c.lookUps[result].Load() }

// LookUp asks the store where a conversation is, under each of its ids, and waits at most 5 ms. It is the one call to the
// store that a request makes: only for a conversation that this instance has not seen, of a user whose bucket moved
// lately. It asks nothing while the store is away or too many ask.
func (c *Controller) LookUp(ctx context.Context, s *Split, ids []ConversationID) (splitter.Pin, LookUp) {
	f := c.lookUp(ctx, s.name, ids)
	s.Conversations.lookUps[f.result].Add(1)
	return f.pin, f.result
}

func (c *Controller) lookUp(ctx context.Context, split string, ids []ConversationID) found {
	select {
	case c.lookers <- struct{}{}:
	default:
		return found{result: LookUpBusy}
	}
	st := c.reachable.Load() // only now: whoever closes the store takes all places first
	if st == nil {
		<-c.lookers
		return found{result: LookUpAway}
	}
	answer := make(chan found, 1)
	go func() {
		defer func() { <-c.lookers }()
		answer <- findPin(context.WithoutCancel(ctx), *st, split, ids)
	}()
	patience := time.NewTimer(lookUpPatience)
	defer patience.Stop()
	select {
	case f := <-answer:
		return f
	case <-patience.C:
	case <-ctx.Done():
	}
	return found{result: LookUpLate}
}

func findPin(ctx context.Context, st store.Store, split string, ids []ConversationID) found {
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	pin, ok, err := st.FindPin(ctx, split, names...)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		return found{result: LookUpLate}
	case err != nil:
		return found{result: LookUpFailed}
	case !ok:
		return found{result: LookUpNone}
	}
	return found{pin, LookUpFound}
}

// endLookUps lets none begin any more, and waits for those in progress. Then it allows them again: they find no store.
func (c *Controller) endLookUps() {
	c.reachable.Store(nil)
	for range maxLookUps {
		c.lookers <- struct{}{}
	}
	for range maxLookUps {
		<-c.lookers
	}
}
