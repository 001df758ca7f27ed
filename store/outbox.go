package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// What the store keeps of events.
const (
	// EventsKept is how many events of a split the log keeps, newest first, and EventsKeptFor how long. Both are rough: what
	// is too old or too much goes when further events come.
	EventsKept    = 10_000
	EventsKeptFor = 400 * 24 * time.Hour
	// OutboxKept is how many events the outbox of the whole fleet keeps for those who have not acknowledged them yet, roughly.
	OutboxKept = 10_000
	// NotedFor is how long at least Record knows an id again, unless EventsKept events of its split came after it.
	NotedFor = 7 * 24 * time.Hour
	// MaxEvent bounds an event, as JSON, in bytes.
	MaxEvent = 64 << 10
	// MaxEvents is how many events one call returns at most, whatever its limit.
	MaxEvents = 1000
)

// Outbox is how events reach people at least once. Every event that Swap or Record logs is in it. Groups are independent of
// one another: each target that is told of events is a group, shared by all members, and each event goes to one member of
// each group at a time.
type Outbox interface {
	// Record logs an event that changes no State, and announces it with a Notice whose Event is set, in one step: once for
	// each id of a split, whoever records it. It returns false if that id was recorded before, and ErrNotFound for a split
	// without a State.
	Record(ctx context.Context, ev Event) (bool, error)

	// Claim returns at most Limit events for a group, oldest first: such as no member has claimed, and such as were claimed
	// and not acknowledged for Idle. A group begins with the events that follow its first Claim. Events that the outbox no
	// longer keeps are passed over.
	Claim(ctx context.Context, ask ClaimAsk) ([]Delivery, error)

	// Acknowledge takes deliveries of a group out of its outbox, by their receipts. One that is not there is no error.
	Acknowledge(ctx context.Context, group string, receipts []string) error

	// EventsAfter returns a split's events that follow the one with the given cursor, oldest first, at most limit; with an
	// empty cursor from the oldest that is kept. Each has its Cursor set. A cursor that is none is ErrCursor; one whose event
	// is no longer kept is as good as any.
	EventsAfter(ctx context.Context, split, cursor string, limit int) ([]Event, error)
}

// ClaimAsk asks for deliveries.
type ClaimAsk struct {
	// Group names a target: it matches the rule for names.
	Group string
	From  MemberID
	Limit int
	// Idle is after how long a delivery that was claimed and not acknowledged is claimed again, by whomever.
	Idle time.Duration
}

// Delivery is an event to be delivered to one group.
type Delivery struct {
	Receipt string
	Event   Event
	// Tries counts how often it was claimed, this time included. A store that is embedded counts anew when it is opened.
	Tries int
}

// eventID is what the ids of recorded events match.
var eventID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// CheckEvent refuses what no store may record, before it is asked: an event of no split, one with an id that does not
// match [A-Za-z0-9_-]{1,128}, and one that is too long. Every Record calls it first.
func CheckEvent(ev Event) error {
	if err := checkName(ev.Split); err != nil {
		return err
	}
	if !eventID.MatchString(ev.ID) {
		return fmt.Errorf("id %.160q of an event: must match [A-Za-z0-9_-]{1,128}", ev.ID)
	}
	return checkLength(ev)
}

// checkLength refuses an event that is too long, or that JSON cannot hold.
func checkLength(ev Event) error {
	text, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("encode event %.160s: %w", ev.ID, err)
	}
	if len(text) > MaxEvent {
		return fmt.Errorf("event %.160s of %q must not be written: it has %d bytes, and may have %d", ev.ID, ev.Split, len(text),
			MaxEvent)
	}
	return nil
}

// CheckClaim refuses a claim for a group without a valid name, and one that waits for less than no time. Every Claim calls
// it first.
func CheckClaim(ask ClaimAsk) error {
	var errIdle error
	if ask.Idle < 0 {
		errIdle = fmt.Errorf("idle %v: must not be negative", ask.Idle)
	}
	return errors.Join(CheckGroup(ask.Group), errIdle)
}

// CheckGroup refuses what is no group's name.
func CheckGroup(group string) error {
	if err := checkName(group); err != nil {
		return fmt.Errorf("group: %w", err)
	}
	return nil
}

// Page returns how many events a call with that limit returns at most.
func Page(limit int) int { return max(0, min(limit, MaxEvents)) }
