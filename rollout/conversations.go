package rollout

import (
	"encoding/base64"
	"maps"
	"sync/atomic"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// conversationSlots bounds how many conversations of a split an instance knows at once. While that many go on, further
	// ones are not pinned: they are placed by their users' buckets.
	conversationSlots = 1 << 17
	// conversationWays is how many of the slots an id may be in.
	conversationWays = 8
	// refreshes is how often a pin is written anew within the time to hold, while its conversation goes on.
	refreshes = 4
)

// ConversationID names a conversation of a user of a split.
type ConversationID struct {
	// Hash is a keyed hash of all three.
	Hash [16]byte
	// Place says which slots it may be in. It must be as good as random, and of one user's conversations one of a few, so
	// that who makes up conversations takes up no more than their own share.
	Place uint16
}

// String returns the id as stores have it.
func (id ConversationID) String() string { return base64.RawURLEncoding.EncodeToString(id.Hash[:]) }

// Conversations are those of a split that this instance has seen within the time to hold, and where each of them is. What
// is noted here is written to the store later, for others to find. All methods may be called concurrently; those that
// requests call take no lock. The zero value is ready, and takes no memory until the first is noted.
type Conversations struct {
	slots   atomic.Pointer[[conversationSlots]atomic.Pointer[conversation]]
	counts  atomic.Pointer[map[string]int] // by variant, as of the last round
	dropped atomic.Uint64
	lookUps [LookUpResults]atomic.Uint64
}

// conversation is one of them. But for written it is not modified: a later one takes its place.
type conversation struct {
	id      ConversationID
	pin     splitter.Pin
	noted   time.Time
	hold    time.Duration
	ifNone  bool
	written atomic.Bool
}

// keep is how long a conversation is remembered after it was noted: so much longer than it is to be held that it is
// noted again before.
func (c *conversation) keep() time.Duration { return c.hold + c.hold/refreshes }

func (c *conversation) isOver(now time.Time) bool { return now.Sub(c.noted) >= c.keep() }

// Find returns where a conversation is, if this instance has seen it.
func (c *Conversations) Find(id ConversationID, now time.Time) (splitter.Pin, bool) {
	if known := c.get(id, now); known != nil {
		return known.pin, true
	}
	return splitter.Pin{}, false
}

// Note says that a conversation goes on where pin says, and is to be held there for so long if its bucket moves. One that
// is known to be there keeps the epoch that it was first noted in. ifNone leaves what another instance has written as it
// is.
func (c *Conversations) Note(id ConversationID, pin splitter.Pin, hold time.Duration, ifNone bool, now time.Time) {
	before := c.get(id, now)
	if before != nil && before.pin.Variant == pin.Variant {
		if now.Sub(before.noted) < hold/refreshes {
			return
		}
		pin, ifNone = before.pin, false
	}
	if !c.put(before, &conversation{id: id, pin: pin, noted: now, hold: hold, ifNone: ifNone}, now) {
		c.dropped.Add(1)
	}
}

// Dropped returns how many conversations were not noted, as too many went on, of all users or of theirs.
func (c *Conversations) Dropped() uint64 { return c.dropped.Load() }

// Counts returns how many conversations this instance has seen on each variant, within the time to hold; it is not to be
// modified.
func (c *Conversations) Counts() map[string]int {
	if counts := c.counts.Load(); counts != nil {
		return *counts
	}
	return nil
}

// ways returns the slots that an id may be in.
func (c *Conversations) ways(id ConversationID) []atomic.Pointer[conversation] {
	slots := c.slots.Load()
	if slots == nil {
		return nil
	}
	at := int(id.Place) % (conversationSlots / conversationWays) * conversationWays
	return slots[at : at+conversationWays]
}

func (c *Conversations) get(id ConversationID, now time.Time) *conversation {
	ways := c.ways(id)
	for i := range ways {
		if known := ways[i].Load(); known != nil && known.id == id && !known.isOver(now) {
			return known
		}
	}
	return nil
}

// put puts next in the place of before, or of nothing, or of a conversation that is over. One that goes on is never
// pushed out: whoever makes up conversations cannot end those of others.
func (c *Conversations) put(before, next *conversation, now time.Time) bool {
	if c.slots.Load() == nil {
		c.slots.CompareAndSwap(nil, new([conversationSlots]atomic.Pointer[conversation]))
	}
	ways := c.ways(next.id)
	for i := range ways {
		if before != nil && ways[i].CompareAndSwap(before, next) {
			return true
		}
	}
	for i := range ways {
		known := ways[i].Load()
		if (known == nil || known.isOver(now)) && ways[i].CompareAndSwap(known, next) {
			return true
		}
	}
	return false
}

// round counts the conversations, lets go of those that are over, and returns at most limit of those that are to be
// written.
func (c *Conversations) round(limit int, now time.Time) []*conversation {
	slots := c.slots.Load()
	if slots == nil {
		return nil
	}
	var unwritten []*conversation
	counts := map[string]int{}
	for i := range slots {
		known := slots[i].Load()
		switch {
		case known == nil:
			continue
		case known.isOver(now):
			slots[i].CompareAndSwap(known, nil)
			continue
		case !known.written.Load() && len(unwritten) < limit:
			unwritten = append(unwritten, known)
		}
		counts[known.pin.Variant]++
	}
	if before := c.counts.Load(); before == nil || !maps.Equal(*before, counts) {
		c.counts.Store(&counts)
	}
	return unwritten
}

// pinOf returns a conversation as stores keep it.
func pinOf(c *conversation, now time.Time) store.Pin {
	return store.Pin{ID: c.id.String(), Pin: c.pin, Keep: max(c.keep()-now.Sub(c.noted), time.Millisecond), IfNone: c.ifNone}
}
