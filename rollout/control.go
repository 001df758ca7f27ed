package rollout

import (
	"errors"
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Why a control call was refused. Each error that wraps one of them says in a sentence what to do.
var (
	ErrUnknownSplit   = errors.New("no such split")
	ErrUnknownVariant = errors.New("no such variant")
	ErrInvalid        = errors.New("invalid request")      // the call itself is wrong
	ErrStale          = errors.New("precondition failed")  // the State is no longer the one that the caller saw
	ErrCooldown       = errors.New("in cooldown")          // an increase after a failback, without force
	ErrRefused        = errors.New("refused")              // allowed in principle, not in this State
	ErrUnavailable    = errors.New("store is unavailable") // nothing was changed, unless it is ErrUnconfirmed too
	// ErrUnconfirmed means, together with ErrUnavailable, that the change was sent to the store and nobody knows whether
	// it was made: it may be carried out yet.
	ErrUnconfirmed = errors.New("the change was sent and not confirmed")
	// ErrUnknownInstance means that the fleet has no member of that name.
	ErrUnknownInstance = errors.New("no such instance")
	// ErrStep means that the rollout is at another step than the caller saw.
	ErrStep = errors.New("another step")
)

// refuse returns an ErrRefused that says why.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...)
}

// By says who asks, why, and what they saw when they decided to.
type By struct {
	Actor  string            // a claim
	Via    string            // socket, local, certificate: as far as it was verified
	Reason string            // free text
	If     *splitter.Version // refuse with ErrStale unless the State still has this version; nil: whatever it is
}

// WeightChange asks for new weights.
type WeightChange struct {
	// Weights names the variants to set; what they leave or take goes to or comes from stable. If stable is named
	// too, the weights named and the unnamed variants' present ones must add up to 100 %.
	Weights map[string]splitter.Weight
	// FromFile takes all weights from this instance's configuration; Weights must be empty.
	FromFile bool
	// Force increases the canary in spite of a cooldown.
	Force bool
}

// KillRequest asks for a kill.
type KillRequest struct {
	Variant string // empty: the whole split
	Level   splitter.KillLevel
	All     bool // needed to kill stable, which kills the whole split
	// Deadline is how long a drain waits for what is in flight, at most [MaxDrain]; zero: [splitter.DefaultDrain]. At
	// other levels it must be zero.
	Deadline time.Duration
	// Rate bounds how many requests the fleet ends a second, at most [MaxRate], at the levels that end any; zero: all at
	// once.
	Rate splitter.Rate
}

// ReviveRequest names what to lift: kills by id, or all kills of one variant, or (both empty) every kill.
type ReviveRequest struct {
	IDs     []string
	Variant string
}

// AdoptRequest asks that the State take over a file's roles; the zero value means this instance's own file.
type AdoptRequest struct {
	Stable  string
	Canary  string
	Weights map[string]splitter.Weight
	// Force adopts a file that takes the latest promotion back.
	Force bool
}

// ImportRequest asks that an exported State be written over whatever the store has.
type ImportRequest struct {
	// State is the exported State. Its revision and history do not matter.
	State *splitter.State
	// Force imports a State whose stable variant this instance's file lacks.
	Force bool
}

// StartRequest asks that a rollout begin.
type StartRequest struct {
	Plan  *Plan // nil: the file's, or [DefaultPlan] if that has none
	Force bool  // in spite of a cooldown
}

// StepRequest asks that the gate before a step be opened.
type StepRequest struct {
	Step int // the next one, as the person saw it
}

// PromoteRequest asks that the canary get everything now, or at 100 % become stable.
type PromoteRequest struct {
	Full bool // become stable at once, whatever is not known
	Step int  // the present one, as the person saw it; 0: not said
}

// RetryRequest asks that a rollout begin again after a failback or an abort.
type RetryRequest struct {
	Force bool // in spite of a cooldown
}

// RollbackRequest takes the latest promotion back.
type RollbackRequest struct {
	// To is the variant that is to be stable again: who was before the latest promotion. Empty: whoever that was, unless
	// anything was taken back since.
	To string
}

// SwitchRequest asks that a variant get everybody at once.
type SwitchRequest struct {
	To         string
	SkipChecks bool // do not ask the variant first whether it works
}

// RetireRequest says that a variant is gone, or back.
type RetireRequest struct {
	Variant string
	Undo    bool
}

// Result is what a control call did.
type Result struct {
	// State is what this instance decides by now.
	State *splitter.State
	// Event is what was logged.
	Event store.Event
	// Queued is true for a kill that holds here but is not in the store yet; it is written when the store is back.
	Queued bool
	// Announced is true for a queued kill that the other instances were told of all the same.
	Announced bool
	// Untold names the members that were alive when the store was last heard and could not be told of a queued kill;
	// those that have this instance's own name with their boots.
	Untold []string
	// Took is how long this instance and the store needed, before anybody is waited for.
	Took time.Duration
	// Note is a sentence for people: why it is queued, what was left as it is. May be empty.
	Note string
}

// Confirmation says who has applied a State.
type Confirmation struct {
	Version splitter.Version `json:"version"`
	Applied []string         `json:"applied"` // names of members; with /boot where several have one name
	Missing []string         `json:"missing"` // members, silent ones included, that have not
	Took    time.Duration    `json:"took"`    // from when waiting began until the last one (or the deadline)
}

// Status is all that one instance knows of a split.
type Status struct {
	// State is what this instance decides by, local kills and overlays included.
	State *splitter.State
	// Local is what this instance's file says.
	Local Definition
	// Notes are sentences about differences: file against store, variants unknown here, kills not yet written.
	Notes []string
	// Now is the store's clock, by which the State's times are; as this instance last heard it.
	Now time.Time
	// Ready is false while the instance boots blind, or serves its own stable because the State names another.
	Ready bool
	// StoreAge is how long ago the store last answered; negative if it never has.
	StoreAge time.Duration
	// StoreError is what the store last said, if it is unavailable.
	StoreError string
	// Verdict is the latest verdict on the canary; nil if nothing is judged.
	Verdict *health.Verdict
	// Alone says that the verdict rests on this instance's requests only: no plan moves by it.
	Alone bool
	// Plan says how far the rollout is; nil if none goes by a plan.
	Plan *PlanStatus
	// Variants holds the fleet's evidence by variant: configured ones first, as configured, then others of the State.
	Variants []VariantStatus
	// JudgedInstances is how many instances' evidence the verdict's last second rests on, Missing names those of which it
	// was waited for in vain.
	JudgedInstances int
	Missing         []string
	// ShownInstances is how many instances' requests the variants' numbers are of, and Late how many frames of theirs have
	// come too late to be judged since they started.
	ShownInstances int
	Late           uint64
	// Shares says what stable and canary have got of a trial, ShareWarning that users are not shared as the weights say, if
	// that is sure; empty without a trial.
	Shares       []ShareStatus
	ShareWarning string
	// Mixed says of each other living member that its file declares another version of stable or the canary than the State.
	Mixed []string
	// Drift says of each member that is heard of and decides by an older State for over 10 s what it decides by.
	Drift []string
	// DrilledAt is when the last drill passed, by the store's clock; zero if none has.
	DrilledAt time.Time
}

// VariantStatus is one variant as it stands.
type VariantStatus struct {
	Name     string
	Role     string // stable, canary or empty
	Weight   splitter.Weight
	FileSays splitter.Weight
	Killed   bool
	Known    bool // whether this instance's file has it
	InFlight int  // here
	// FleetInFlight counts requests in progress, and Conversations those seen within the time to hold, here and on the
	// other living members as of their last listing, which is at most ten seconds old. A conversation that several have
	// seen counts for each.
	FleetInFlight, Conversations int
	Summary                      health.Summary
}
