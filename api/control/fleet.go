package control

import (
	"context"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Fleet is what the handler needs of the controller. All methods may be called concurrently. Those that name a split
// return an error that wraps rollout.ErrUnknownSplit if there is none; changes return errors that wrap the sentinels
// of package rollout, whose text is shown to the caller.
type Fleet interface {
	// Splits lists the splits by name, sorted.
	Splits() []string
	// Status returns all that is known of a split, with what the fleet has seen of its variants, as far as the store tells it
	// in time; StatusHere with what this instance has seen, and asks nobody.
	Status(ctx context.Context, split string) (rollout.Status, error)
	StatusHere(split string) (rollout.Status, error)

	// SetWeights changes a split's weights.
	SetWeights(ctx context.Context, split string, c rollout.WeightChange, by rollout.By) (rollout.Result, error)
	// Kill turns a kill switch on, here at once and then in the store; Result.Queued says that the store did not
	// answer and that the kill holds all the same.
	Kill(ctx context.Context, split string, r rollout.KillRequest, by rollout.By) (rollout.Result, error)
	// Revive lifts kills.
	Revive(ctx context.Context, split string, r rollout.ReviveRequest, by rollout.By) (rollout.Result, error)
	// Rename gives a variant another name.
	Rename(ctx context.Context, split, from, to string, by rollout.By) (rollout.Result, error)
	// Adopt takes a file's roles and weights over into the State.
	Adopt(ctx context.Context, split string, r rollout.AdoptRequest, by rollout.By) (rollout.Result, error)
	// ApplyPolicy judges the running epoch by this instance's file from now on.
	ApplyPolicy(ctx context.Context, split string, by rollout.By) (rollout.Result, error)

	// StartRollout begins a rollout by a plan: the request's, or that of this instance's file.
	StartRollout(ctx context.Context, split string, r rollout.StartRequest, by rollout.By) (rollout.Result, error)
	// PauseRollout stops a plan where it is, ResumeRollout lets it go on.
	PauseRollout(ctx context.Context, split string, by rollout.By) (rollout.Result, error)
	ResumeRollout(ctx context.Context, split string, by rollout.By) (rollout.Result, error)
	// ApproveStep opens the gate before a step. It returns an error that wraps rollout.ErrStep if that is not the next one.
	ApproveStep(ctx context.Context, split string, r rollout.StepRequest, by rollout.By) (rollout.Result, error)
	// PromoteNow gives the canary everything, or makes it stable. It returns an error that wraps rollout.ErrStep if the
	// rollout is at another step than the request says.
	PromoteNow(ctx context.Context, split string, r rollout.PromoteRequest, by rollout.By) (rollout.Result, error)
	// AbortRollout gives the canary's share back to stable.
	AbortRollout(ctx context.Context, split string, by rollout.By) (rollout.Result, error)
	// RollBack takes the latest promotion back.
	RollBack(ctx context.Context, split string, r rollout.RollbackRequest, by rollout.By) (rollout.Result, error)
	// RetryRollout begins again, after a failback or an abort.
	RetryRollout(ctx context.Context, split string, r rollout.RetryRequest, by rollout.By) (rollout.Result, error)
	// SwitchTo gives everybody to the other variant at once, SwitchBack takes that back.
	SwitchTo(ctx context.Context, split string, r rollout.SwitchRequest, by rollout.By) (rollout.Result, error)
	SwitchBack(ctx context.Context, split string, by rollout.By) (rollout.Result, error)
	// Retire says that a variant is gone, or takes that back.
	Retire(ctx context.Context, split string, r rollout.RetireRequest, by rollout.By) (rollout.Result, error)
	// Drill rehearses a failback with test users. A drill that has failed is no error.
	Drill(ctx context.Context, split string, r rollout.DrillRequest, by rollout.By) (rollout.DrillReport, error)
	// Preflight says whether a rollout could begin.
	Preflight(ctx context.Context, split string) (rollout.PreflightReport, error)
	// Why says in sentences why a split is as it is, by what this instance knows.
	Why(split string) ([]string, error)

	// Forget gives a split up that no member configures; this instance need not have run it.
	Forget(ctx context.Context, split string, by rollout.By) (rollout.Result, error)
	// Export returns the States of the named splits as the store has them, sorted by name; of all if none is named.
	Export(ctx context.Context, splits []string) ([]*splitter.State, error)
	// Import writes an exported State over what the store has; this instance need not run the split.
	Import(ctx context.Context, split string, r rollout.ImportRequest, by rollout.By) (rollout.Result, error)

	// Events returns a split's newest events, newest first.
	Events(ctx context.Context, split string, limit int) ([]store.Event, error)
	// EventsAfter returns at most limit of the events that follow a cursor, oldest first; with an empty one from the oldest
	// that is kept. Each has its Cursor set.
	EventsAfter(ctx context.Context, split, cursor string, limit int) ([]store.Event, error)
	// Drained says whether nothing leads to a variant any more, on any member.
	Drained(ctx context.Context, split, variant string) (rollout.DrainStatus, error)
	// Instances returns the fleet's members and the store's clock.
	Instances(ctx context.Context) (members []store.Member, now time.Time, err error)
	// ForgetInstance takes the silent members of a name off the list. It returns an error that wraps
	// rollout.ErrUnknownInstance if there is none of that name, and rollout.ErrRefused if one is alive.
	ForgetInstance(ctx context.Context, name string) ([]store.MemberID, error)
	// Confirm waits until all members have applied v or ctx ends, and says who has. That ctx ended is no error.
	Confirm(ctx context.Context, split string, v splitter.Version) (rollout.Confirmation, error)

	// TargetStatus says of each target of alerts how telling it goes.
	TargetStatus() []rollout.TargetStatus
	// Store describes the store.
	Store() store.Description
	// Ready reports whether this instance serves what the fleet has decided.
	Ready() bool
}

var _ Fleet = (*rollout.Controller)(nil)
