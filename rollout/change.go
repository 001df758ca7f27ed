package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// The kinds of change, as events name them.
const (
	KindCreated  = "created"
	KindWeights  = "weights"
	KindKill     = "kill"
	KindRevive   = "revive"
	KindFailback = "failback"
	KindRename   = "renamed"
	KindAdopt    = "adopted"
	KindPolicy   = "policy"
	KindVersion  = "version"
	KindRestored = "restored"
	// KindReconcile brings two histories of a split together.
	KindReconcile = "reconciled"
	KindImport    = "imported"
	KindForget    = "forgotten"
	// KindTrickle lowers what stable keeps beside the canary.
	KindTrickle = "trickle"
	// KindProbe lends stable some of the canary's users, and KindProbeEnded gives them back.
	KindProbe      = "probe"
	KindProbeEnded = "probe_ended"
	// KindSuspected marks a failback whose cause seems to be shared.
	KindSuspected = "suspected"

	// KindStarted begins a rollout by a plan, KindStep takes its next step, KindPromoted makes the canary stable.
	KindStarted  = "started"
	KindStep     = "step"
	KindPromoted = "promoted"
	// KindPaused stops a plan, KindResumed lets it go on; KindApproved opens a gate; KindAborted gives the canary's share
	// back by hand; KindRolledBack takes a promotion back; KindRetried begins again after a failback.
	KindPaused     = "paused"
	KindResumed    = "resumed"
	KindApproved   = "approved"
	KindAborted    = "aborted"
	KindRolledBack = "rolled_back"
	KindRetried    = "retried"
	// KindSwitched gives everybody to the other variant at once, KindSwitchedBack takes that back.
	KindSwitched     = "switched"
	KindSwitchedBack = "switched_back"
	// KindRetired says that a variant is gone, KindDrill begins and ends a rehearsal of a failback, KindDrilled says how it
	// went.
	KindRetired = "retired"
	KindDrill   = "drill"
	KindDrilled = "drilled"

	// These are recorded and change no State: a gate that waits, a canary without traffic, members that decide by an old
	// State, shares that are not what the weights say, a failback that is held as stable is dead, and the store.
	KindWaiting      = "waiting"
	KindNoTraffic    = "no_traffic"
	KindDrift        = "drift"
	KindShare        = "share"
	KindFailbackHeld = "failback_held"
	KindStoreLost    = "store_lost"
	KindStoreBack    = "store_back"
)

// Seed is what a pure change may not make up itself: the time and the random parts.
type Seed struct {
	Now  time.Time // by the store's clock
	ID   string    // the change id
	Salt string    // used only if the change begins with a fresh salt
}

// Changed is a next State with the event that tells of it.
type Changed struct {
	State *splitter.State
	Event store.Event
}

// next begins a change: a copy of prev with the new version.
func next(prev *splitter.State, kind string, by By, seed Seed) *splitter.State {
	n := prev.Clone()
	n.Version = splitter.Version{Revision: prev.Revision + 1, ID: seed.ID}
	n.Parent = prev.ID
	n.Lineage = splitter.Heritage(prev)
	n.Placed = []splitter.Version{n.Version}
	if keepsPlaces(kind) {
		n.Placed = prev.LastPlaced()
	}
	n.Changed = splitter.Change{Kind: kind, Actor: by.Actor, Via: by.Via, At: seed.Now, Reason: by.Reason}
	return n
}

// keepsPlaces reports whether a kind of change leaves everything as it is but kills, where test users are sent for some
// seconds, and what is only said. To pause, resume or approve a plan moves nobody and yet is no such change: where two
// histories meet, the State that was made in knowledge of it must hold.
func keepsPlaces(kind string) bool {
	return kind == KindKill || kind == KindRevive || kind == KindRestored || kind == KindSuspected || kind == KindDrill || kind == KindDrilled
}

// tell ends a change of prev: it notes which buckets moved, checks the next State and writes its event.
func tell(prev, n *splitter.State) (Changed, error) {
	n.Remember(prev)
	return tellOnly(prev, n)
}

// tellOnly is tell for a State whose moves are noted, or which has none. prev is nil for the first State.
func tellOnly(prev, n *splitter.State) (Changed, error) {
	if err := n.Validate(); err != nil {
		return Changed{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	ev := store.Event{ID: n.ID, Split: n.Split, Revision: n.Revision, Epoch: n.Epoch, Change: n.Changed, To: n.Weights()}
	if prev != nil {
		ev.From = prev.Weights()
	}
	return Changed{n, ev}, nil
}

// Create makes a split's first State from a file's words.
func Create(def Definition, by By, seed Seed) (Changed, error) {
	n, err := created(def, by, seed)
	if err != nil {
		return Changed{}, err
	}
	return tellOnly(nil, n)
}

// Reopen makes a State of a forgotten split from a file's words, as if it were its first: only the numbers go on.
func Reopen(tombstone *splitter.State, def Definition, by By, seed Seed) (Changed, error) {
	n, err := created(def, by, seed)
	if err != nil {
		return Changed{}, err
	}
	n.Revision, n.Epoch, n.Parent = tombstone.Revision+1, tombstone.Epoch+1, tombstone.ID
	n.Lineage, n.Placed = splitter.Heritage(tombstone), []splitter.Version{n.Version}
	n.Kills, n.Revived, n.Began = slices.Clone(tombstone.Kills), slices.Clone(tombstone.Revived), tombstone.Began
	return tellOnly(nil, n)
}

// created is a State of a file's words alone.
func created(def Definition, by By, seed Seed) (*splitter.State, error) {
	policy, err := encodePolicy(def.Policy)
	if err != nil {
		return nil, err
	}
	ranges, err := splitter.Layout(shares(def.weights(), def.names()), def.Canary)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	n := &splitter.State{
		Schema:   splitter.Schema,
		Split:    def.Name,
		Version:  splitter.Version{Revision: 1, ID: seed.ID},
		Epoch:    1,
		Salt:     seed.Salt,
		Stable:   def.Stable,
		Canary:   def.Canary,
		Ranges:   ranges,
		Declared: def.declared(),
		Policy:   policy,
		Changed:  splitter.Change{Kind: KindCreated, Actor: by.Actor, Via: by.Via, At: seed.Now, Reason: by.Reason},
	}
	n.Progress, n.Placed, n.Began = progressOf(n, seed.Now), []splitter.Version{n.Version}, seed.Now
	return n, nil
}

// progressOf says where a trial is that begins now.
func progressOf(s *splitter.State, now time.Time) splitter.Progress {
	if s.Canary != "" && s.Weights()[s.Canary] > 0 {
		return splitter.Progress{Phase: splitter.PhaseTrial, Since: now}
	}
	return splitter.Progress{Phase: splitter.PhaseIdle, Since: now}
}

// newEpoch begins a trial in n, whose ranges and trickle are set: evidence starts afresh and the file's policy and
// versions are frozen. It goes by no plan, unless one is frozen after this, and ends a drill.
func newEpoch(n *splitter.State, def Definition, now time.Time) error {
	if err := freezePolicy(n, def.Policy, nil); err != nil {
		return err
	}
	n.Epoch++
	if n.Trickle != nil {
		n.Trickle.Epoch = n.Epoch
	}
	n.Probe, n.Plan, n.Drill = nil, nil, nil
	declare(n, def)
	n.Progress = progressOf(n, now)
	return nil
}

// shares lists weights in the order of first, then the rest by name.
func shares(w map[string]splitter.Weight, first []string) []splitter.Share {
	names := slices.Clone(first)
	for name := range w {
		if !slices.Contains(first, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names[len(first):])
	out := make([]splitter.Share, 0, len(names))
	for _, name := range names {
		out = append(out, splitter.Share{Variant: name, Weight: w[name]})
	}
	return out
}
