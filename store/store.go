// Package store is the contract that every keeper of States fulfils. store/embedded keeps them on this machine's disk
// and needs nothing else; store/redis shares them with a fleet. One conformance suite, store/storetest, holds both to
// what is written here. The package decides nothing: what a next State looks like is package rollout's business.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

var (
	// ErrNotFound means that the store answered and has no State of that name. It is never returned for a store that
	// could not be asked: not knowing is ErrUnavailable.
	ErrNotFound = errors.New("the store has no such split")
	// ErrConflict means that somebody else changed the State first. Nothing was written.
	ErrConflict = errors.New("the state was changed by somebody else meanwhile")
	// ErrUnavailable means that the store could not be asked, or refused to write (down, hung, out of memory, read
	// only, access denied). What it wraps says which. A write may or may not have happened: retry with the same
	// change id, which is a success if it did.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrNotWritten means, together with ErrUnavailable, that nothing was written, unlike where only the answer was lost:
	// the store could not be connected to, or refused the write, as it is out of memory, read-only, or denies access.
	ErrNotWritten = errors.New("nothing was written")
	// ErrOrderGone means that the break-glass order that a change carries out is not in the inbox any more: another
	// instance has carried it out, or somebody has replaced it. Nothing was written.
	ErrOrderGone = errors.New("the break-glass order is no longer in the inbox")
	// ErrNewerSchema means that the State was written by a newer release; this one must not write it.
	ErrNewerSchema = errors.New("the state was written by a newer release")
)

// Store keeps the States of one fleet. All methods may be called concurrently, return within the context's deadline
// (and, with none, within about two seconds when the store is unavailable), and wrap the sentinel errors above.
type Store interface {
	Outbox

	// Load returns a split's State, or ErrNotFound.
	Load(ctx context.Context, split string) (*splitter.State, error)

	// Swap writes next if the stored State still has the version prev (the zero Version: if there is none), and with
	// it, in one atomic step, appends ev to the event log and announces next to every watcher. next.Parent is prev's
	// id. Otherwise it returns ErrConflict and writes nothing. If the stored State already has next's version, an
	// earlier try succeeded: Swap returns nil and appends nothing. A change that carries out a break-glass order
	// (Event.Order) takes it out of the inbox in the same step; if the inbox holds another one or none, Swap returns
	// ErrOrderGone and writes nothing.
	Swap(ctx context.Context, prev splitter.Version, next *splitter.State, ev Event) error

	// Events returns a split's newest events, newest first, at most limit and MaxEvents. Each has its Cursor set.
	Events(ctx context.Context, split string, limit int) ([]Event, error)

	// List returns the names of all splits that have a State, tombstones included, sorted.
	List(ctx context.Context) ([]string, error)

	// Pulse tells the store that a member lives and what it has applied, and returns, in one round trip, the store's
	// clock, the version of each asked split, the break-glass orders for them, and if asked for the fleet's members. It
	// is called each second, and right after a State was applied. A store that can be read and refuses to be written to
	// answers all the same, and says so in Pulse.Refused. Members unseen for a day are dropped.
	Pulse(ctx context.Context, beat Beat) (Pulse, error)

	// Leave takes a member off the list, and with it its namesakes that have been unseen for SilentAfter: earlier runs
	// of the same proxy, which ended without a goodbye.
	Leave(ctx context.Context, id MemberID) error

	// Watch calls notify for what other instances and this one announce, one call at a time, until ctx is done, and
	// then returns ctx's error. It reconnects by itself; after every (re)connection it sends a Notice with Resync, as
	// announcements may have been missed. It is an accelerator over Pulse, never the only way to learn of a change.
	Watch(ctx context.Context, notify func(Notice)) error

	// Announce sends a notice to all watchers without writing anything. It works on a store that refuses writes.
	Announce(ctx context.Context, n Notice) error

	// PutFrames puts a member's frames, each in place of the one that it put of that split, epoch and second before, and
	// returns a Seat for each, in one round trip. It also takes or renews the leases on their splits. A frame is set and
	// never added, so that putting it again changes nothing. If some cannot be put, error says why, their Seats are zero,
	// and the others stand.
	PutFrames(ctx context.Context, from MemberID, frames []Frame) ([]Seat, error)

	// Seal seals seconds, and returns for each ask those that are sealed by now, in the order asked, in one round trip. A
	// second is sealed once every expected member's frame is there or patience has passed, and never opened again: a frame
	// that comes later is counted and not taken. A second that was folded, or whose epoch is over, is absent. If some asks
	// cannot be answered wholly, error says why, and the others stand.
	Seal(ctx context.Context, asks []SealAsk) ([][]Sealed, error)

	// LoadJudge returns the state of a split's judge; the zero JudgeState if there is none yet. One that cannot be read is
	// ErrCorrupt, with a JudgeState that has nothing but the Version to write over.
	LoadJudge(ctx context.Context, split string) (JudgeState, error)

	// SwapJudges writes the state of each split's judge if the stored one still is what it was made from, removes the frames
	// of the seconds that were folded, and returns an error or nil for each, in one round trip. It is ErrConflict if
	// somebody else was first, or if that would lead back to an earlier epoch or second. If the stored state is Next
	// already, an earlier try succeeded, and the error is nil.
	SwapJudges(ctx context.Context, swaps []JudgeSwap) []error

	// Windows returns what each member shows of a split's epoch, if it is not older than WindowKept.
	Windows(ctx context.Context, split string, epoch uint64) (map[MemberID][]byte, error)

	// KeepPins notes where conversations of a split are: each until it expires, in place of the last one of the same id
	// unless that is to stay. A few hundred at once are fine. A store may be out of room for more and keep none of them
	// without an error: a pin that is lost costs its conversation a move.
	KeepPins(ctx context.Context, split string, pins []Pin) error

	// FindPin returns the pin of the first of the ids that has one; false if none has. Unlike all else it is called while a
	// request waits, for a few milliseconds; ctx gives it longer, so that what comes late breaks no connection.
	FindPin(ctx context.Context, split string, ids ...string) (splitter.Pin, bool, error)

	// Secret returns the fleet's generated secret; proposed becomes it if there is none yet.
	Secret(ctx context.Context, proposed string) (string, error)

	// Describe says what store this is and, as far as it has found out by now, what is wrong with it; no secrets. It
	// does no I/O.
	Describe() Description

	// Close releases what the store holds. Calls that follow return ErrUnavailable.
	Close() error
}

// Event is one entry of the audit log: a change, what it changed, and what it rested on.
type Event struct {
	// ID is the change id of the State that the event made: its idempotency key.
	ID       string `json:"id"`
	Split    string `json:"split"`
	Revision uint64 `json:"revision"`
	Epoch    uint64 `json:"epoch"`
	splitter.Change
	// From and To are the weights before and after.
	From map[string]splitter.Weight `json:"from,omitempty"`
	To   map[string]splitter.Weight `json:"to,omitempty"`
	// Kills lists the kills that the change made or lifted.
	Kills []splitter.Kill `json:"kills,omitempty"`
	// Evidence is the verdict that the change rested on (package health's JSON), and besides of a step forward what the step had
	// seen, of a canary that fails while paused who has it; of a drill's end the report; absent for what else people did.
	Evidence json.RawMessage `json:"evidence,omitempty"`
	// Order is what a person wrote into the break-glass inbox and the change carries out, to the letter; empty for every
	// other change.
	Order string `json:"order,omitempty"`
	// Cursor is where the event is in its split's log, as EventsAfter and Events tell it. The store gives it; what a caller
	// writes there counts for nothing.
	Cursor string `json:"cursor,omitempty"`
}

// MemberID is one running proxy: its name and the random id of this run of it.
type MemberID struct {
	Name string `json:"name"`
	Boot string `json:"boot"`
}

// String returns name/boot.
func (m MemberID) String() string { return m.Name + "/" + m.Boot }

// Beat is what a member reports of itself.
type Beat struct {
	MemberID
	// Release is the proxy's version.
	Release string `json:"release"`
	// Started is when this run began, by the member's own clock.
	Started time.Time `json:"started"`
	// Applied is what the member decides by, per split.
	Applied map[string]splitter.Version `json:"applied"`
	// Active is what the member does at the moment, per split; nil if it does not tell, as earlier releases do not.
	Active map[string]Activity `json:"active,omitzero"`
	// Files says what the member's configuration file has of each split.
	Files map[string]File `json:"files,omitzero"`
	// ListMembers asks for Pulse.Members: for people and confirmations, not for each second.
	ListMembers bool `json:"-"`
}

// File is what a member's configuration has of a split.
type File struct {
	// Hash is of all that the fleet must agree on.
	Hash string `json:"hash"`
	// Variants are the names of those that it routes.
	Variants []string `json:"variants"`
	// Declared holds the versions that it declares, by variant; nil also of releases that do not tell.
	Declared map[string]string `json:"declared,omitempty"`
}

// Member is a Beat as others see it.
type Member struct {
	Beat
	// Seen is when the beat arrived, by the store's clock.
	Seen time.Time `json:"seen"`
}

// Pulse is the store's answer to a Beat.
type Pulse struct {
	// Now is the store's clock.
	Now time.Time
	// Versions holds the stored version of each split named in Beat.Applied; a split without a State is absent.
	Versions map[string]splitter.Version
	// Corrupt says of each asked split whose version cannot be read what is wrong with it; it is absent from Versions, and
	// not because it had no State.
	Corrupt map[string]string
	// Orders holds the break-glass inbox of each split named in Beat.Applied that has something in it, cut off after
	// MaxOrder bytes.
	Orders map[string]string
	// HasSecret says whether the store has the fleet's secret.
	HasSecret bool
	// Refused is what the store said when it refused to note the beat, though it could be read; empty if it noted it.
	Refused string
	// Members lists the fleet, sorted by name and boot, the caller included unless it was refused; nil if not asked for.
	Members []Member
}

// Notice is one announcement.
type Notice struct {
	// Split is what it is about; empty with Resync.
	Split string `json:"split,omitempty"`
	// State is the new State, if one was written.
	State *splitter.State `json:"state,omitempty"`
	// Kill is a kill that could not be written yet and holds all the same.
	Kill *splitter.Kill `json:"kill,omitempty"`
	// Event says that an event was recorded that changes no State.
	Event bool `json:"event,omitempty"`
	// Resync means: announcements may have been missed, ask for everything.
	Resync bool `json:"-"`
}

// Description says what a store is.
type Description struct {
	// Kind is embedded or redis.
	Kind string `json:"kind"`
	// Address is a folder or the servers, without credentials.
	Address string `json:"address"`
	// Fleet names the fleet whose States these are; empty for a store of one proxy.
	Fleet string `json:"fleet,omitempty"`
	// Warning says why changes may be lost (a read-only disk, no persistence, an evicting policy); empty if all is well,
	// or not known yet.
	Warning string `json:"warning,omitempty"`
}
