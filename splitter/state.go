package splitter

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Schema is the newest State schema that this release reads and writes. A State of a newer schema is read as far as
// it is understood, and never written (a kill excepted).
const Schema = 1

// Version names one version of a State: what compare-and-swap compares, and what "applied" means. Two States with
// one revision and different ids are a forked history.
type Version struct {
	Revision uint64 `json:"revision"` // 1, 2, 3 …; 0 means that there is no State
	ID       string `json:"id"`       // random id of the change that made this revision
}

// IsZero reports whether v means "no State".
func (v Version) IsZero() bool { return v == Version{} }

// State is all that changes about a split while proxies run: one immutable document, shared by the whole fleet.
// Nobody modifies a State that others can see: changes are made on a [State.Clone].
//
// Fields that a newer release wrote and this one does not know are kept verbatim.
type State struct {
	// Schema is the schema that the document was written with.
	Schema int `json:"schema"`
	// Split is the split's name.
	Split string `json:"split"`
	// Version is the document's revision and the random id of its last change.
	Version
	// Parent is the change id of the State that this one was made from; empty for the first.
	Parent string `json:"parent,omitempty"`
	// Lineage lists the newest versions that this State descends from, at most 32, by falling revision: those of both
	// histories where two were brought together.
	Lineage []Version `json:"lineage,omitempty"`
	// Placed lists the versions that last changed anything but kills: whom the split places where, and how it is judged.
	// It is one, or after a fork those of which none knew of the others.
	Placed []Version `json:"placed,omitempty"`
	// Began is when the split's history in this store began, with its first State. A beginning that is later than a State
	// that somebody remembers tells that the store was empty in between.
	Began time.Time `json:"began,omitzero"`
	// Forgotten is when the split was given up, and zero while it is in use. What is left is a tombstone: nobody decides
	// by it, and it keeps older States of the split from coming back.
	Forgotten time.Time `json:"forgotten,omitzero"`
	// Epoch numbers the trials: one more at every start, promotion, change of roles, salt or declared version,
	// not at a change of weights. An outcome counts only for the epoch it was decided in.
	Epoch uint64 `json:"epoch"`
	// Salt mixes keys into buckets; constant through a trial.
	Salt string `json:"salt"`
	// Stable is the trusted variant.
	Stable string `json:"stable"`
	// Canary is the variant on trial; empty if the split has none.
	Canary string `json:"canary,omitempty"`
	// Ranges says which variant serves which buckets: sorted, coalesced, covering 0 … 99 999 without a gap.
	Ranges []Range `json:"ranges"`
	// Moved says which buckets were taken from which variant lately, of each bucket and variant the last time: at most 64
	// moves of the last 24 hours, sorted. Releases that do not know the field carry it along and add nothing.
	Moved []Move `json:"moved,omitempty"`
	// Declared holds each variant's declared `version` (a build or image digest) as this epoch began.
	Declared map[string]string `json:"declared,omitempty"`
	// Superseded lists, of each variant, the versions that it declared before the present one, newest last, at most
	// [KeptVersions]: a file that still declares one of them is outdated.
	Superseded map[string][]string `json:"superseded,omitempty"`
	// Kills lists the kill switches that are on.
	Kills []Kill `json:"kills,omitempty"`
	// Revived lists kills that were lifted; kept for 90 days, so that a kill queued on some disk stays lifted.
	Revived []Revival `json:"revived,omitempty"`
	// Policy is how this epoch is judged, frozen when it began; opaque here, package rollout encodes it.
	Policy json.RawMessage `json:"policy,omitempty"`
	// Plan is the plan that the trial goes by, frozen when it began; opaque here, package rollout encodes it. Empty if people
	// move the weights.
	Plan json.RawMessage `json:"plan,omitempty"`
	// Progress says where the trial is.
	Progress Progress `json:"progress"`
	// Promotions are the latest promotions that can be taken back, newest first, at most [KeptPromotions].
	Promotions []Promotion `json:"promotions,omitempty"`
	// Left is what the last abort, failback or rollback took everybody from; zero once a canary was promoted after it.
	Left Left `json:"left,omitzero"`
	// Retired lists the variants that were said to be gone, sorted: nothing is given to them.
	Retired []string `json:"retired,omitempty"`
	// Drill sends some test users to a variant, to see whether a failback works; nil while there is none.
	Drill *Drill `json:"drill,omitempty"`
	// Drilled is the last drill that passed.
	Drilled Drilled `json:"drilled,omitzero"`
	// DrillFailed is the latest drill that did not pass; zero once one has passed after it. [State.LatestDrillFailed] reads it.
	DrillFailed FailedDrill `json:"drill_failed,omitzero"`
	// Trickle is what stable keeps while the canary has the rest; nil if nothing is kept for that.
	Trickle *Trickle `json:"trickle,omitempty"`
	// Probe is what the canary lends stable to be compared with it; nil while nothing is lent.
	Probe *Probe `json:"probe,omitempty"`
	// Cooldown says until when the canary may not be increased after a failback.
	Cooldown Cooldown `json:"cooldown"`
	// Changed says who made this revision, when and why.
	Changed Change `json:"changed"`

	unknown unknownFields
}

// Range gives the buckets From ≤ bucket < To to one variant.
type Range struct {
	From    uint32 `json:"from"`
	To      uint32 `json:"to"`
	Variant string `json:"variant"`
}

// Kill is one kill switch that is on.
type Kill struct {
	// ID is random; a kill that is applied twice is the same kill.
	ID string `json:"id"`
	// Variant is what is off; empty means the whole split.
	Variant string `json:"variant,omitempty"`
	// Level says what happens to requests in flight.
	Level  KillLevel `json:"level"`
	Reason string    `json:"reason,omitempty"`
	Actor  string    `json:"actor,omitempty"`
	Via    string    `json:"via,omitempty"`
	At     time.Time `json:"at"`
	// Deadline is when a drain ends what is still in flight, by the store's clock; zero is [DefaultDrain] after At. It
	// means nothing at other levels.
	Deadline time.Time `json:"deadline,omitzero"`
	// Rate bounds how many requests in flight the fleet ends a second, once the kill ends any; zero: all at once. Each
	// proxy takes its share, and at least 1 a second.
	Rate Rate `json:"rate,omitzero"`

	unknown unknownFields
	// newerLevel is the level's text if this release does not know it; Level is then KillRequests.
	newerLevel string
}

// KillLevel says how hard a kill is. The zero value is KillRequests.
type KillLevel uint8

// The levels of a kill, by strictness. All refuse new requests at once.
const (
	// KillRequests lets those in flight finish.
	KillRequests KillLevel = iota
	// KillDrain lets those in flight finish until the kill's deadline, then ends what is left.
	KillDrain
	// KillCut ends requests in flight without waiting.
	KillCut
)

// Revival remembers a kill that was lifted.
type Revival struct {
	ID string    `json:"id"` // the kill's id
	At time.Time `json:"at"`
}

const (
	// KeptPromotions is how many promotions a State remembers.
	KeptPromotions = 10
	// KeptVersions is how many superseded versions of a variant a State remembers.
	KeptVersions = 50
)

// Promotion is a canary that became stable.
type Promotion struct {
	// Variant became stable in place of Before; Version and BeforeVersion are what the two declared, as far as they did.
	Variant       string    `json:"variant"`
	Version       string    `json:"version,omitempty"`
	Before        string    `json:"before"`
	BeforeVersion string    `json:"before_version,omitempty"`
	At            time.Time `json:"at"` // by the store's clock
}

// Left says which variant everybody was taken from, how, by whom and when.
type Left struct {
	Variant string    `json:"variant"`
	Kind    string    `json:"kind"` // that of the change
	Actor   string    `json:"actor,omitempty"`
	At      time.Time `json:"at"` // by the store's clock
}

// Drill is a rehearsal of a failback: test users, and nobody else, are served by a variant.
type Drill struct {
	ID      string `json:"id"`
	Variant string `json:"variant"`
	// Users are keyed hashes of the test users' keys, sorted.
	Users []string `json:"users"`
	// Until is when the drill ends if nobody ends it, by the store's clock.
	Until time.Time `json:"until"`
}

// Progress says where a trial is.
type Progress struct {
	Phase Phase     `json:"phase"`
	Since time.Time `json:"since"`         // by the store's clock
	Why   string    `json:"why,omitempty"` // one sentence for people
	// Step is the step of the plan that the canary has reached, from 1; 0 if there is no plan. The last one, of 100 %, is the
	// watch. Reached is when it was, by the store's clock.
	Step    int       `json:"step,omitempty"`
	Reached time.Time `json:"reached,omitzero"`
	// Approved is the highest step that a person has opened the gate to.
	Approved int `json:"approved,omitempty"`
	// Paused says why the plan goes no further until somebody resumes it; nil while it goes on. The canary is judged all
	// the same.
	Paused *Pause `json:"paused,omitempty"`
	// JudgedSince is when the canary's requests began to count anew, by the store's clock, as somebody resumed a plan that
	// its failing had paused; zero if all of the trial's count.
	JudgedSince time.Time `json:"judged_since,omitzero"`
	// Ended says how the last trial by a plan ended, once it has; a failback is a phase.
	Ended Ending `json:"ended,omitempty"`
	// Suspected says, after a failback, why its cause is thought to be shared: stable was found to be no better. Nothing
	// follows from it but that people are told.
	Suspected string `json:"suspected,omitempty"`

	unknown unknownFields
	// newerPhase is the phase's text if this release does not know it; Phase is then PhaseUnknown.
	newerPhase string
}

// Pause is a stop in a plan.
type Pause struct {
	Actor  string    `json:"actor,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"` // by the store's clock
	// Failed says that the plan was paused as its canary failed.
	Failed bool `json:"failed,omitempty"`
}

// Ending is how a trial by a plan ended. The zero value means that it has not.
type Ending string

// The endings.
const (
	EndPromoted   Ending = "promoted"
	EndAborted    Ending = "aborted"     // by hand: the canary's share went back to stable
	EndRolledBack Ending = "rolled_back" // after its promotion
)

// Phase is a trial's phase. The zero value is PhaseIdle.
type Phase uint8

// The phases of a trial.
const (
	// PhaseIdle means that the canary gets nothing and was not failed back.
	PhaseIdle Phase = iota
	// PhaseTrial means that the canary gets traffic and is judged.
	PhaseTrial
	// PhaseFailedBack means that the canary failed; this epoch gives it no traffic again.
	PhaseFailedBack
	// PhaseUnknown is a phase of a newer release: this one neither judges nor advances a trial that is in it.
	PhaseUnknown
)

// Cooldown is the pause after a failback.
type Cooldown struct {
	// Until is when the canary may be increased again without force, by the store's clock; zero means at once.
	Until time.Time `json:"until,omitzero"`
	// Failbacks counts failbacks since the last promotion; each doubles the next cooldown.
	Failbacks int `json:"failbacks,omitempty"`
}

// Change says who changed a State, when and why.
type Change struct {
	// Kind is the event's name; package rollout lists them.
	Kind string `json:"kind"`
	// Actor is who says to have done it (a claim; "switchback" is the proxy itself).
	Actor string `json:"actor,omitempty"`
	// Via is how the change came in, as far as it was verified: socket, local, certificate, inbox,
	// judge, config, store.
	Via    string    `json:"via,omitempty"`
	At     time.Time `json:"at"` // by the store's clock where it was known
	Reason string    `json:"reason,omitempty"`
}

// Clone returns a deep copy that may be modified.
func (s *State) Clone() *State {
	c := *s
	c.Ranges = slices.Clone(s.Ranges)
	c.Moved = slices.Clone(s.Moved)
	c.Lineage = slices.Clone(s.Lineage)
	c.Placed = slices.Clone(s.Placed)
	c.Declared = maps.Clone(s.Declared)
	c.Superseded = maps.Clone(s.Superseded)
	for variant, versions := range c.Superseded {
		c.Superseded[variant] = slices.Clone(versions)
	}
	c.Kills = slices.Clone(s.Kills)
	for i := range c.Kills {
		c.Kills[i].unknown = c.Kills[i].unknown.clone()
	}
	c.Revived = slices.Clone(s.Revived)
	c.Policy = slices.Clone(s.Policy)
	c.Plan = slices.Clone(s.Plan)
	c.Promotions = slices.Clone(s.Promotions)
	c.Retired = slices.Clone(s.Retired)
	c.Drill = s.Drill.clone()
	if s.Progress.Paused != nil {
		paused := *s.Progress.Paused
		c.Progress.Paused = &paused
	}
	c.Progress.unknown = s.Progress.unknown.clone()
	c.Trickle = s.Trickle.clone()
	c.Probe = s.Probe.clone()
	c.unknown = s.unknown.clone()
	return &c
}

// Weights returns each variant's share as derived from the ranges; a variant without a range is absent.
func (s *State) Weights() map[string]Weight { return WeightsOf(s.Ranges) }
