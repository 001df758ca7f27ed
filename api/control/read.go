package control

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/switchback-proxy/switchback/rollout"
)

// How many events are shown.
const (
	defaultEvents = 50
	maxEvents     = 1000
)

// list answers GET /splits/v1/.
func (h *handler) list(w http.ResponseWriter, r *http.Request, _ string) error {
	d := h.Fleet.Store()
	answer := List{Splits: []Status{}, Store: d, Ready: h.Fleet.Ready()}
	for _, split := range h.Fleet.Splits() {
		s, err := h.Fleet.Status(r.Context(), split)
		if errors.Is(err, rollout.ErrUnknownSplit) {
			continue // gone since it was listed: a reload
		}
		if err != nil {
			return err
		}
		answer.Splits = append(answer.Splits, statusOf(split, s, d))
	}
	return h.answer(w, r, http.StatusOK, answer)
}

// status answers GET {split}.
func (h *handler) status(w http.ResponseWriter, r *http.Request, split string) error {
	s, err := h.Fleet.Status(r.Context(), split)
	if err != nil {
		return err
	}
	if s.State != nil {
		w.Header().Set("ETag", entityTag(s.State.Version))
	}
	return h.answer(w, r, http.StatusOK, statusOf(split, s, h.Fleet.Store()))
}

// events answers GET {split}/events: the newest ones, or with ?after= or ?follow=1 one JSON line for each that came since.
func (h *handler) events(w http.ResponseWriter, r *http.Request, split string) error {
	if query := r.URL.Query(); query.Has("after") || query.Has("follow") {
		return h.eventLines(w, r, split)
	}
	limit, err := limitOf(r)
	if err != nil {
		return err
	}
	events, err := h.Fleet.Events(r.Context(), split, limit)
	if err != nil {
		return err
	}
	return h.answer(w, r, http.StatusOK, Events{Split: split, Events: append([]Event{}, events...)})
}

// limitOf returns how many events the caller wants: ?limit=50.
func limitOf(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultEvents, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxEvents {
		return 0, kindMalformed.problem("limit %q: a number from 1 to %d is needed", text, maxEvents)
	}
	return limit, nil
}

// ready answers GET -/ready. It is for load balancers: the status says all.
func (h *handler) ready(w http.ResponseWriter, r *http.Request, _ string) error {
	answer := Readiness{Ready: h.Fleet.Ready(), NotReady: []string{}}
	for _, split := range h.Fleet.Splits() {
		if s, err := h.Fleet.StatusHere(split); err == nil && !s.Ready {
			answer.NotReady = append(answer.NotReady, split)
		}
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	return h.answer(w, r, status, answer)
}
