package control

import (
	"context"
	"net/http"
)

// Start begins a rollout by a plan.
func (c *Client) Start(ctx context.Context, split string, r StartRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "start", r, o)
}

// Pause stops a plan where it is.
func (c *Client) Pause(ctx context.Context, split string, r PauseRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "pause", r, o)
}

// Resume lets a paused plan go on.
func (c *Client) Resume(ctx context.Context, split string, r ResumeRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "resume", r, o)
}

// Step opens the gate before a step. The error is rollout.ErrStep if that is not the next one.
func (c *Client) Step(ctx context.Context, split string, r StepRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "step", r, o)
}

// Promote gives the canary everything, or makes it stable.
func (c *Client) Promote(ctx context.Context, split string, r PromoteRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "promote", r, o)
}

// Abort gives the canary's share back to stable.
func (c *Client) Abort(ctx context.Context, split string, r AbortRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "abort", r, o)
}

// Rollback takes the latest promotion back.
func (c *Client) Rollback(ctx context.Context, split string, r RollbackRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "rollback", r, o)
}

// Retry begins a rollout again, after a failback or an abort.
func (c *Client) Retry(ctx context.Context, split string, r RetryRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "retry", r, o)
}

// Switch gives everybody to the other variant at once.
func (c *Client) Switch(ctx context.Context, split string, r SwitchRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "switch", r, o)
}

// SwitchBack takes a switch back.
func (c *Client) SwitchBack(ctx context.Context, split string, r SwitchBackRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "switch-back", r, o)
}

// Retire says that a variant is gone, or takes that back.
func (c *Client) Retire(ctx context.Context, split string, r RetireRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "retire", r, o)
}
