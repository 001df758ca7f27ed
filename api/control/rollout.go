package control

import (
	"context"

	"github.com/switchback-proxy/switchback/rollout"
)

// StartRequest is the body of POST {split}/start.
type StartRequest struct {
	// Plan is what the rollout goes by; absent: the plan of the answering instance's file, or else the default one.
	Plan *PlanDraft `json:"plan,omitempty"`
	// Force starts in spite of a cooldown.
	Force bool `json:"force,omitempty"`
	Claim
}

// PauseRequest is the body of POST {split}/pause.
type PauseRequest struct{ Claim }

// ResumeRequest is the body of POST {split}/resume.
type ResumeRequest struct{ Claim }

// StepRequest is the body of POST {split}/step.
type StepRequest struct {
	// Step is the step that the gate is opened to, from 2, as the person saw it: the one after the present one. Another is
	// refused with 409, of the kind "step".
	Step int `json:"step"`
	Claim
}

// PromoteRequest is the body of POST {split}/promote.
type PromoteRequest struct {
	// Full makes the canary stable at once, without gates and watch. Otherwise it is given 100 %, or, if it has that, the
	// watch is ended.
	Full bool `json:"full,omitempty"`
	// Step is the present step, as the person saw it; another is refused with 409, of the kind "step". Absent: any will do.
	Step int `json:"step,omitempty"`
	Claim
}

// AbortRequest is the body of POST {split}/abort.
type AbortRequest struct{ Claim }

// RollbackRequest is the body of POST {split}/rollback.
type RollbackRequest struct {
	// To is the variant that is to be stable again. It is needed if anything was taken back since the latest promotion;
	// a variant that was not stable before that is refused.
	To string `json:"to,omitempty"`
	Claim
}

// RetryRequest is the body of POST {split}/retry. Its reason must not be empty.
type RetryRequest struct {
	// Force begins again in spite of a cooldown.
	Force bool `json:"force,omitempty"`
	Claim
}

// SwitchRequest is the body of POST {split}/switch.
type SwitchRequest struct {
	// To is the variant that everybody is given to.
	To string `json:"to"`
	// SkipChecks switches without asking the variant's checks first.
	SkipChecks bool `json:"skip_checks,omitempty"`
	Claim
}

// SwitchBackRequest is the body of POST {split}/switch-back.
type SwitchBackRequest struct{ Claim }

// RetireRequest is the body of POST {split}/retire.
type RetireRequest struct {
	Variant string `json:"variant"`
	// Undo lets the variant be used again.
	Undo bool `json:"undo,omitempty"`
	Claim
}

func start(ctx context.Context, f Fleet, split string, b StartRequest, by rollout.By) (rollout.Result, error) {
	r := rollout.StartRequest{Force: b.Force}
	if b.Plan != nil {
		if err := b.Plan.Validate(); err != nil {
			return rollout.Result{}, kindInvalid.problem("the plan: %v", err)
		}
		r.Plan = &b.Plan.Plan
	}
	return f.StartRollout(ctx, split, r, by)
}

func pause(ctx context.Context, f Fleet, split string, _ PauseRequest, by rollout.By) (rollout.Result, error) {
	return f.PauseRollout(ctx, split, by)
}

func resume(ctx context.Context, f Fleet, split string, _ ResumeRequest, by rollout.By) (rollout.Result, error) {
	return f.ResumeRollout(ctx, split, by)
}

func step(ctx context.Context, f Fleet, split string, b StepRequest, by rollout.By) (rollout.Result, error) {
	if b.Step < 2 {
		return rollout.Result{}, kindInvalid.problem(`"step" %d: the step to be opened is needed, from 2, as the status shows it`, b.Step)
	}
	return f.ApproveStep(ctx, split, rollout.StepRequest{Step: b.Step}, by)
}

func promote(ctx context.Context, f Fleet, split string, b PromoteRequest, by rollout.By) (rollout.Result, error) {
	if b.Step < 0 {
		return rollout.Result{}, kindInvalid.problem(`"step" %d: steps count from 1`, b.Step)
	}
	return f.PromoteNow(ctx, split, rollout.PromoteRequest{Full: b.Full, Step: b.Step}, by)
}

func abort(ctx context.Context, f Fleet, split string, _ AbortRequest, by rollout.By) (rollout.Result, error) {
	return f.AbortRollout(ctx, split, by)
}

func rollBack(ctx context.Context, f Fleet, split string, b RollbackRequest, by rollout.By) (rollout.Result, error) {
	return f.RollBack(ctx, split, rollout.RollbackRequest{To: b.To}, by)
}

func retry(ctx context.Context, f Fleet, split string, b RetryRequest, by rollout.By) (rollout.Result, error) {
	return f.RetryRollout(ctx, split, rollout.RetryRequest{Force: b.Force}, by)
}

func switchTo(ctx context.Context, f Fleet, split string, b SwitchRequest, by rollout.By) (rollout.Result, error) {
	if b.To == "" {
		return rollout.Result{}, kindInvalid.problem(`"to" is needed: the variant that everybody is given to`)
	}
	return f.SwitchTo(ctx, split, rollout.SwitchRequest{To: b.To, SkipChecks: b.SkipChecks}, by)
}

func switchBack(ctx context.Context, f Fleet, split string, _ SwitchBackRequest, by rollout.By) (rollout.Result, error) {
	return f.SwitchBack(ctx, split, by)
}

func retire(ctx context.Context, f Fleet, split string, b RetireRequest, by rollout.By) (rollout.Result, error) {
	if b.Variant == "" {
		return rollout.Result{}, kindInvalid.problem(`"variant" is needed: the one that is gone`)
	}
	return f.Retire(ctx, split, rollout.RetireRequest{Variant: b.Variant, Undo: b.Undo}, by)
}
