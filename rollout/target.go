package rollout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// Target is somebody who is told of events. Its functions may be called concurrently.
type Target struct {
	// Name is the target's group in the outbox: it matches the rule for names, and is unique.
	Name string
	// Wants reports whether the target is to be told of an event. It does no I/O.
	Wants func(ev store.Event) bool
	// Send tells it, once, and returns soon after ctx is done. The event's id is its idempotency key: after an error, or a
	// failure of this process, the same event is sent again, perhaps by another instance. Errors have no secrets in them.
	Send func(ctx context.Context, ev store.Event) error
	// Test sends a message that says that it is a test.
	Test func(ctx context.Context) error
}

// TargetStatus is how a target fares, by what this instance has tried since it started.
type TargetStatus struct {
	Name string `json:"name"`
	// Sent counts the events that it took, Failed the tries that it did not, Dropped the events given up.
	Sent    uint64 `json:"sent"`
	Failed  uint64 `json:"failed"`
	Dropped uint64 `json:"dropped"`
	// LastError is why the last try failed; empty if it did not.
	LastError string `json:"last_error,omitempty"`
	// FailingSince is when the first of the tries was that have failed since one succeeded; zero if none has.
	FailingSince time.Time `json:"failing_since,omitzero"`
}

// targetRecord is what outlives reloads of a target: how it fares, and the events that it is to be told past the outbox.
type targetRecord struct {
	mu      sync.Mutex // protects the following fields
	status  TargetStatus
	waiting []store.Event
}

func (r *targetRecord) read() TargetStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// tried notes a try.
func (r *targetRecord) tried(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.status.Sent++
		r.status.LastError, r.status.FailingSince = "", time.Time{}
		return
	}
	r.status.Failed++
	r.status.LastError = err.Error()
	if r.status.FailingSince.IsZero() {
		r.status.FailingSince = now
	}
}

// dropped notes an event that was given up.
func (r *targetRecord) dropped() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Dropped++
}

// add has an event wait that is in no outbox.
func (r *targetRecord) add(ev store.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, ev)
}

// first returns the event that has waited longest.
func (r *targetRecord) first() (ev store.Event, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		return ev, false
	}
	return r.waiting[0], true
}

// remove takes an event away that waited.
func (r *targetRecord) remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = slices.DeleteFunc(r.waiting, func(ev store.Event) bool { return ev.ID == id })
}
