package store

import (
	"context"
	"time"
)

// What the store keeps of events.
const (
	// EventsKept is how many events of a split the log keeps, newest first, and EventsKeptFor how long.
	EventsKept    = 10_000
	EventsKeptFor = 400 * 24 * time.Hour
	// OutboxKept is how many events the outbox of the whole fleet keeps for those who have not acknowledged them yet.
	OutboxKept = 10_000
	// NotedFor is how long at least Record knows an id again.
	NotedFor = 7 * 24 * time.Hour
)

// Outbox is how events reach people at least once. Every event that Swap or Record logs is in it. Groups are independent of
// one another: each target that is told of events is a group, shared by all members, and each event goes to one member of
// each group at a time.
type Outbox interface {
	// Record logs an event that changes no State, and announces it with a Notice whose Event is set, in one step: once for
	// each ev.ID, whoever records it. It returns false if that id was recorded before.
	Record(ctx context.Context, ev Event) (bool, error)

	// Claim returns at most Limit events for a group, oldest first: such as no member has claimed, and such as were claimed
	// and not acknowledged for Idle. A group begins with the events that follow its first Claim.
	Claim(ctx context.Context, ask ClaimAsk) ([]Delivery, error)

	// Acknowledge takes deliveries of a group out of its outbox, by their receipts. One that is not there is no error.
	Acknowledge(ctx context.Context, group string, receipts []string) error

	// EventsAfter returns a split's events that follow the one with the given cursor, oldest first, at most limit; with an
	// empty cursor from the oldest that is kept. Each has its Cursor set.
	EventsAfter(ctx context.Context, split, cursor string, limit int) ([]Event, error)
}

// ClaimAsk asks for deliveries.
type ClaimAsk struct {
	// Group names a target: it matches the rule for names.
	Group string
	From  MemberID
	Limit int
	// Idle is after how long a delivery that somebody else claimed is taken over.
	Idle time.Duration
}

// Delivery is an event to be delivered to one group.
type Delivery struct {
	Receipt string
	Event   Event
	// Tries counts how often it was claimed, this time included.
	Tries int
}
