package control

import (
	"context"
	"net/http"
	"net/url"
)

// Why is the answer of GET {split}/why.
type Why struct {
	Split string `json:"split"`
	// Why says in sentences why the split is as it is, and what it waits for.
	Why []string `json:"why"`
}

// why answers GET {split}/why.
func (h *handler) why(w http.ResponseWriter, r *http.Request, split string) error {
	sentences, err := h.Fleet.Why(split)
	if err != nil {
		return err
	}
	return h.answer(w, r, http.StatusOK, Why{Split: split, Why: append([]string{}, sentences...)})
}

// Why says why a split is as it is.
func (c *Client) Why(ctx context.Context, split string) (Why, error) {
	return get[Why](ctx, c, url.PathEscape(split)+"/why", nil)
}
