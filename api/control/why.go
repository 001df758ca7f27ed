package control

import (
	"context"
	"net/http"
	"net/url"

	"github.com/switchback-proxy/switchback/rollout"
)

// Why is the answer of GET {split}/why.
type Why struct {
	Split string `json:"split"`
	// Why says in sentences why the split is as it is, and what it waits for.
	Why []string `json:"why"`
}

// why answers GET {split}/why.
func (h *handler) why(w http.ResponseWriter, r *http.Request, split string) error {
	sentences, err := h.Fleet.Why(r.Context(), split)
	if err != nil {
		return err
	}
	return h.answer(w, r, http.StatusOK, Why{Split: split, Why: append([]string{}, sentences...)})
}

// Why says why a split is as it is.
func (c *Client) Why(ctx context.Context, split string) (Why, error) {
	return get[Why](ctx, c, url.PathEscape(split)+"/why", nil)
}

// Preflight is the answer of GET {split}/preflight: whether a rollout could begin now.
type Preflight struct {
	Split string `json:"split"`
	// OK is false if an item is a miss.
	OK    bool            `json:"ok"`
	Items []PreflightItem `json:"items"`
}

// PreflightItem is one thing that a rollout needs.
type PreflightItem struct {
	Name string `json:"name"`
	// Result is ok, warning or miss.
	Result rollout.PreflightResult `json:"result"`
	// Text says why.
	Text string `json:"text"`
}

// The results of a preflight, for callers that know the API and not package rollout.
const (
	PreflightOK      = rollout.PreflightOK
	PreflightWarning = rollout.PreflightWarning
	PreflightMiss    = rollout.PreflightMiss
)

// preflight answers GET {split}/preflight. It asks the variants, so it takes some seconds.
func (h *handler) preflight(w http.ResponseWriter, r *http.Request, split string) error {
	report, err := h.Fleet.Preflight(r.Context(), split)
	if err != nil {
		return err
	}
	answer := Preflight{Split: split, OK: report.OK(), Items: make([]PreflightItem, 0, len(report.Items))}
	for _, i := range report.Items {
		answer.Items = append(answer.Items, PreflightItem(i))
	}
	return h.answer(w, r, http.StatusOK, answer)
}

// Preflight says whether a rollout could begin.
func (c *Client) Preflight(ctx context.Context, split string) (Preflight, error) {
	return get[Preflight](ctx, c, url.PathEscape(split)+"/preflight", nil)
}
