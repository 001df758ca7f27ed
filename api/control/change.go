package control

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
)

// maxWait is the longest that ?wait= may ask a change to wait for the fleet.
const maxWait = time.Minute

// changeLimit bounds a change that the store or, in a promotion, a webhook holds up. It is a net: stores give up by themselves
// much sooner, and webhooks, which are asked all at once, within a minute.
const changeLimit = 75 * time.Second

// request is the body of a change.
type request interface {
	claim() Claim
	// limit is how long the body may be, in bytes.
	limit() int64
}

// applier makes one change.
type applier[B request] func(ctx context.Context, f Fleet, split string, body B, by rollout.By) (rollout.Result, error)

// change returns the endpoint that reads a body of type B and makes the change.
func change[B request](apply applier[B]) endpoint {
	return func(h *handler, w http.ResponseWriter, r *http.Request, split string) error {
		var body B
		if err := decode(w, r, body.limit(), &body); err != nil {
			return err
		}
		wait, err := waitOf(r)
		if err != nil {
			return err
		}
		by, err := h.by(r, body.claim())
		if err != nil {
			return err
		}
		ctx, cancel := toTheEnd(r)
		defer cancel()
		result, err := apply(ctx, h.Fleet, split, body, by)
		if err != nil {
			return h.withCurrent(split, err)
		}
		return h.answerChange(w, r, split, result, wait)
	}
}

// toTheEnd returns a context that lives on if the caller hangs up: whoever presses the kill switch and loses the
// connection has pressed it.
func toTheEnd(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), changeLimit)
}

// withCurrent tells a caller whose precondition failed what the State's version is, or at which step the rollout is.
func (h *handler) withCurrent(split string, err error) error {
	p := problemOf(err)
	isStale, isStep := errors.Is(p, rollout.ErrStale), errors.Is(p, rollout.ErrStep)
	if !isStale && !isStep {
		return p
	}
	s, err := h.Fleet.StatusHere(split)
	switch {
	case err != nil || s.State == nil:
	case isStale:
		p.Current = &s.State.Version
	default:
		p.Step = s.State.Progress.Step
	}
	return p
}

// answerChange answers a change that was made, after the fleet has applied it if the caller waits for that.
func (h *handler) answerChange(w http.ResponseWriter, r *http.Request, split string, result rollout.Result, wait time.Duration) error {
	answer := changeOf(split, result)
	if result.Queued {
		return h.answer(w, r, http.StatusAccepted, answer)
	}
	if wait > 0 {
		h.confirm(r.Context(), &answer, wait, result.Took)
	}
	w.Header().Set("ETag", entityTag(answer.Version))
	return h.answer(w, r, http.StatusOK, answer)
}

// waitOf returns how long the caller wants to wait for the fleet: ?wait=2s.
func waitOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > maxWait {
		return 0, kindMalformed.problem("wait %q: a duration from 0s to %s is needed, as in ?wait=2s", text, maxWait)
	}
	return wait, nil
}

func setWeights(ctx context.Context, f Fleet, split string, b WeightsRequest, by rollout.By) (rollout.Result, error) {
	if len(b.Weights) == 0 && !b.FromFile {
		return rollout.Result{}, kindInvalid.problem(`nothing to set: give "weights" or "from_file"`)
	}
	if len(b.Weights) > 0 && b.FromFile {
		return rollout.Result{}, kindInvalid.problem(`"weights" and "from_file" exclude each other`)
	}
	c := rollout.WeightChange{Weights: b.Weights, FromFile: b.FromFile, Force: b.Force}
	return f.SetWeights(ctx, split, c, by)
}

func kill(ctx context.Context, f Fleet, split string, b KillRequest, by rollout.By) (rollout.Result, error) {
	r := rollout.KillRequest{Variant: b.Variant, Level: b.Level, All: b.All, Rate: b.Rate}
	if b.Deadline != nil {
		if r.Deadline = time.Duration(*b.Deadline); r.Deadline == 0 {
			return rollout.Result{}, kindInvalid.problem(`"deadline" must be longer than 0s; level "cut" does not wait`)
		}
	}
	return f.Kill(ctx, split, r, by)
}

func revive(ctx context.Context, f Fleet, split string, b ReviveRequest, by rollout.By) (rollout.Result, error) {
	if len(b.IDs) > 0 && b.Variant != "" {
		return rollout.Result{}, kindInvalid.problem(`"ids" and "variant" exclude each other`)
	}
	return f.Revive(ctx, split, rollout.ReviveRequest{IDs: b.IDs, Variant: b.Variant}, by)
}

func rename(ctx context.Context, f Fleet, split string, b RenameRequest, by rollout.By) (rollout.Result, error) {
	if b.From == "" || b.To == "" {
		return rollout.Result{}, kindInvalid.problem(`"from" and "to" are needed, both names of variants`)
	}
	return f.Rename(ctx, split, b.From, b.To, by)
}

func adopt(ctx context.Context, f Fleet, split string, b AdoptRequest, by rollout.By) (rollout.Result, error) {
	return f.Adopt(ctx, split, rollout.AdoptRequest{Stable: b.Stable, Canary: b.Canary, Weights: b.Weights, Force: b.Force}, by)
}

func applyPolicy(ctx context.Context, f Fleet, split string, _ PolicyRequest, by rollout.By) (rollout.Result, error) {
	return f.ApplyPolicy(ctx, split, by)
}
