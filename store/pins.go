package store

import (
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Pin says where a conversation is, for others to find.
type Pin struct {
	// ID is a keyed hash of the split, the user and the conversation: letters, digits, - and _, at most 64. What it was
	// made of cannot be told from it.
	ID string
	splitter.Pin
	// Keep is how long the pin is kept from now.
	Keep time.Duration
	// IfNone leaves a pin that is there already as it is.
	IfNone bool
}

// Activity is what a member does for a split at the moment. Variants of which there is nothing to say are absent.
type Activity struct {
	// InFlight counts requests in progress, open streams among them, by variant.
	InFlight map[string]int `json:"in_flight,omitempty"`
	// Conversations counts those that the member has seen on each variant within the time to hold.
	Conversations map[string]int `json:"conversations,omitempty"`
	// Hold is for how long the member holds conversations on a variant that lost their bucket; 0 if not at all.
	Hold health.Duration `json:"hold,omitempty"`
	// Finish is true if it holds them on a variant that was failed back, too.
	Finish bool `json:"finish,omitempty"`
	// Overrides names the variants that the member sends some requests to whatever the weights.
	Overrides []string `json:"overrides,omitempty"`
}
