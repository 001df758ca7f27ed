package control

import (
	"context"
	"net/http"
	"net/url"

	"github.com/switchback-proxy/switchback/rollout"
)

// PreflightRequest is the body of POST {split}/preflight, which has nothing to say.
type PreflightRequest struct{}

// Preflight is the answer of POST {split}/preflight: whether a rollout could begin now.
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

// preflight answers POST {split}/preflight. It changes no State, but sends people test messages and asks the variants, so
// that no page of another site may have a browser do it, and it takes some seconds.
func (h *handler) preflight(w http.ResponseWriter, r *http.Request, split string) error {
	if err := decode(w, r, maxBody, &PreflightRequest{}); err != nil {
		return err
	}
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

// Preflight says whether a rollout could begin, and sends each target of alerts a test message.
func (c *Client) Preflight(ctx context.Context, split string) (Preflight, error) {
	var answer Preflight
	status, body, err := c.send(ctx, http.MethodPost, url.PathEscape(split)+"/preflight", nil, jsonHeader(), []byte("{}"))
	if err != nil {
		return answer, err
	}
	return answer, read(status, body, &answer)
}
