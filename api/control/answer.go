package control

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// List is the answer of GET /splits/v1/.
type List struct {
	// Splits are sorted by name.
	Splits []Status `json:"splits"`
	// Store says where States are kept.
	Store store.Description `json:"store"`
	// Ready is false while the answering instance does not serve what the fleet has decided.
	Ready bool `json:"ready"`
}

// Status is all that the answering instance knows of one split.
type Status struct {
	Split string `json:"split"`
	splitter.Version
	Epoch    uint64            `json:"epoch"`
	Stable   string            `json:"stable"`
	Canary   string            `json:"canary,omitempty"`
	Progress splitter.Progress `json:"progress"`
	// Trickle is what stable keeps while the canary has the rest; absent if it keeps nothing for that. It has more during a
	// probe.
	Trickle *splitter.Trickle `json:"trickle,omitempty"`
	// Probe is what the canary lends stable for now, to be compared with it; absent if nothing.
	Probe *splitter.Probe `json:"probe,omitempty"`
	// Plan is the plan that the rollout goes by, and where it is in it; absent if none runs.
	Plan *PlanStatus `json:"plan,omitempty"`
	// Promotions are the latest ones, newest first; the first is what a rollback takes back.
	Promotions []splitter.Promotion `json:"promotions,omitempty"`
	// Retired names the variants that were said to be gone.
	Retired []string `json:"retired,omitempty"`
	// Drill is the drill that is on; absent if none is. DrilledAt is when one last passed; absent if none has. DrillFailed is
	// the latest one if that did not pass; absent if it did.
	Drill       *RunningDrill        `json:"drill,omitempty"`
	DrilledAt   time.Time            `json:"drilled_at,omitzero"`
	DrillFailed splitter.FailedDrill `json:"drill_failed,omitzero"`
	// Now is the store's clock, by which the times of kills are; as the answering instance last heard it.
	Now time.Time `json:"now"`
	// Ready is false while the instance boots blind, or serves its own stable because the State names another.
	Ready bool `json:"ready"`
	// Variants are ordered as configured; then come those that only the State has.
	Variants []Variant `json:"variants"`
	// Shares says what stable and canary have got of a trial, ShareWarning that users are not shared as the weights say, if
	// that is sure.
	Shares       []Share `json:"shares,omitempty"`
	ShareWarning string  `json:"share_warning,omitempty"`
	// Drift says of each instance that decides by an old revision by which, a sentence each.
	Drift []string `json:"drift,omitempty"`
	// Kills lists the kill switches that are on.
	Kills []splitter.Kill `json:"kills"`
	// Verdict is the latest verdict on the canary; null if nothing is judged.
	Verdict *health.Verdict `json:"verdict"`
	// JudgedInstances is how many instances' evidence the verdict's last second rests on, Missing names those of which it
	// was waited for in vain, and LateFrames counts what has come too late to be judged.
	JudgedInstances int      `json:"judged_instances"`
	Missing         []string `json:"missing_instances,omitempty"`
	LateFrames      uint64   `json:"late_frames,omitempty"`
	// ShownInstances is how many instances' requests the variants' summaries are of.
	ShownInstances int `json:"shown_instances"`

	Cooldown splitter.Cooldown `json:"cooldown"`
	Changed  splitter.Change   `json:"changed"`
	// Policy is what this epoch is judged by; absent if nothing is frozen.
	Policy json.RawMessage `json:"policy,omitempty"`
	// File is what the instance's configuration says.
	File rollout.Definition `json:"file"`
	// Notes are sentences about what does not agree: file and State, kills not yet written.
	Notes []string    `json:"notes"`
	Store StoreHealth `json:"store"`
}

// Variant is one variant of a split, as it stands.
type Variant struct {
	Name string `json:"name"`
	// Role is stable, canary or empty.
	Role   string          `json:"role,omitempty"`
	Weight splitter.Weight `json:"weight"`
	// FileSays is the weight in the instance's configuration; it counts only where the store has no State.
	FileSays splitter.Weight `json:"file_says"`
	Killed   bool            `json:"killed"`
	// Known is whether the instance's configuration has the variant.
	Known bool `json:"known"`
	// InFlight counts requests in flight on the answering instance.
	InFlight int `json:"in_flight"`
	// FleetInFlight counts requests in flight, open streams among them, on all living members, the others' as of their last
	// listing, at most ten seconds ago.
	FleetInFlight int `json:"fleet_in_flight"`
	// Conversations counts those that living members have seen on the variant within the time to hold; one that several
	// have seen counts for each.
	Conversations int `json:"conversations"`
	// Summary is the fleet's evidence on the variant.
	Summary health.Summary `json:"summary"`
}

// StoreHealth says how the store is, as the answering instance sees it.
type StoreHealth struct {
	store.Description
	// Age is how long ago the store last answered; null if it never has.
	Age *health.Duration `json:"age"`
	// Error is what it last said, if it is unavailable.
	Error string `json:"error,omitempty"`
}

// Change is the answer of every change.
type Change struct {
	Split string `json:"split"`
	splitter.Version
	// Weights are each variant's share from now on.
	Weights map[string]splitter.Weight `json:"weights"`
	// KillIDs names the kills that the change made or lifted.
	KillIDs []string `json:"kill_ids,omitempty"`
	// Event is what was logged.
	Event Event `json:"event"`
	// Queued is true for a kill that holds on the answering instance and is written as soon as the store is back.
	Queued bool `json:"queued"`
	// Announced is true for a queued kill that the other instances were told of all the same: those that heard it hold it.
	Announced bool `json:"announced,omitempty"`
	// Untold names the members that were alive when the store was last heard and could not be told of a queued kill;
	// those that have the answering instance's own name with their boots (proxy-1/b2).
	Untold []string `json:"untold,omitempty"`
	// Note is a sentence for people.
	Note string `json:"note,omitempty"`
	// Confirmation says who has applied the change; absent unless ?wait= asked for it.
	Confirmation *Confirmation `json:"confirmation,omitempty"`
}

// addNote adds a sentence to the change's note.
func (c *Change) addNote(sentence string) {
	if c.Note != "" {
		c.Note += "; "
	}
	c.Note += sentence
}

// Event is one entry of the audit log, for callers that know the API and not the store.
type Event = store.Event

// Events is the answer of GET {split}/events.
type Events struct {
	Split string `json:"split"`
	// Events are newest first.
	Events []Event `json:"events"`
}

// Readiness is the answer of GET -/ready: status 200 if ready, else 503.
type Readiness struct {
	Ready bool `json:"ready"`
	// NotReady names the splits that are not.
	NotReady []string `json:"not_ready"`
}

// statusOf returns a split's status as the API says it.
func statusOf(split string, s rollout.Status, d store.Description) Status {
	answer := Status{
		Split:           split,
		Now:             s.Now,
		Ready:           s.Ready,
		Variants:        make([]Variant, 0, len(s.Variants)),
		Plan:            planOf(s.Plan, s.State),
		DrilledAt:       s.DrilledAt,
		Shares:          sharesOf(s.Shares),
		ShareWarning:    s.ShareWarning,
		Drift:           s.Drift,
		Kills:           []splitter.Kill{},
		Verdict:         s.Verdict,
		JudgedInstances: s.JudgedInstances,
		Missing:         s.Missing,
		LateFrames:      s.Late,
		ShownInstances:  s.ShownInstances,
		File:            s.Local,
		Notes:           append([]string{}, s.Notes...),
		Store:           StoreHealth{Description: d, Error: s.StoreError},
	}
	if s.StoreAge >= 0 {
		age := health.Duration(s.StoreAge.Round(time.Millisecond))
		answer.Store.Age = &age
	}
	for _, v := range s.Variants {
		answer.Variants = append(answer.Variants, Variant(v))
	}
	if s.State != nil {
		answer.fromState(s.State)
	}
	return answer
}

func (s *Status) fromState(state *splitter.State) {
	s.Version = state.Version
	s.Epoch = state.Epoch
	s.Stable, s.Canary = state.Stable, state.Canary
	s.Progress = state.Progress
	s.Probe = state.RunningProbe()
	if s.Probe != nil || state.IsTrickling() {
		s.Trickle = state.RunningTrickle()
	}
	s.Promotions, s.Retired = state.Promotions, state.Retired
	s.Drill = runningDrillOf(state.Drill)
	s.DrillFailed, _ = state.LatestDrillFailed()
	s.Kills = append(s.Kills, state.Kills...)
	s.Cooldown = state.Cooldown
	s.Changed = state.Changed
	s.Policy = state.Policy
}

// changeOf returns what a change did as the API says it.
func changeOf(split string, r rollout.Result) Change {
	c := Change{
		Split: split, Event: r.Event, Queued: r.Queued, Announced: r.Announced, Untold: r.Untold, Note: r.Note,
		Weights: map[string]splitter.Weight{},
	}
	if r.State != nil {
		c.Version = r.State.Version
		maps.Copy(c.Weights, r.State.Weights())
	}
	for _, k := range r.Event.Kills {
		c.KillIDs = append(c.KillIDs, k.ID)
	}
	return c
}
