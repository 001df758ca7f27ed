package control

import (
	"context"
	"net/http"
	"time"
)

// Targets is the answer of GET -/targets.
type Targets struct {
	// Targets are those of the answering instance's configuration, in its order.
	Targets []Target `json:"targets"`
}

// Target is where people are told of events, and how that has gone on the answering instance since it started.
type Target struct {
	Name string `json:"name"`
	// Sent, Failed and Dropped count the events told, the tries that failed, and the events given up.
	Sent    uint64 `json:"sent"`
	Failed  uint64 `json:"failed"`
	Dropped uint64 `json:"dropped"`
	// LastError says why the last try failed, and FailingSince since when all do; absent if the last one succeeded.
	LastError    string    `json:"last_error,omitempty"`
	FailingSince time.Time `json:"failing_since,omitzero"`
}

// targets answers GET -/targets.
func (h *handler) targets(w http.ResponseWriter, r *http.Request, _ string) error {
	answer := Targets{Targets: []Target{}}
	for _, t := range h.Fleet.TargetStatus() {
		answer.Targets = append(answer.Targets, Target(t))
	}
	return h.answer(w, r, http.StatusOK, answer)
}

// Targets says of each target of alerts how telling it goes.
func (c *Client) Targets(ctx context.Context) (Targets, error) {
	return get[Targets](ctx, c, "-/targets", nil)
}
