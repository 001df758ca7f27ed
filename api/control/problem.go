package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// problemType begins the type of every problem that this package makes.
const problemType = "urn:switchback:problem:"

// problemMediaType is the content type of a problem document (RFC 9457, section 3).
const problemMediaType = "application/problem+json"

// Problem is an error as the API says it: a problem document of RFC 9457. The client returns it as its error, and
// errors.Is compares it with the sentinels of package rollout, so a caller need not look at statuses.
type Problem struct {
	// Type is a URN that names the kind of error; it does not change from release to release.
	Type string `json:"type"`
	// Title says the kind in words.
	Title string `json:"title"`
	// Status is the HTTP status; 0, and absent in JSON, if there was no answer.
	Status int `json:"status,omitempty"`
	// Detail says what was wrong this time.
	Detail string `json:"detail"`
	// Current is the State's version, if it is not the one that If-Match named.
	Current *splitter.Version `json:"current,omitempty"`
	// Step is the rollout's present step, if it is not the one that was named.
	Step int `json:"step,omitempty"`

	allow   string // the Allow header's value, with 405
	foreign bool   // see Foreign
}

// Error returns the problem's detail, or its title if there is none.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return fmt.Sprintf("%s (HTTP %d)", strings.ToLower(p.Title), p.Status)
}

// Kind returns the last part of the problem's type, which does not change from release to release: unknown-split,
// unknown-variant, invalid, stale, cooldown, step, refused, unavailable, unconfirmed … It is empty for an answer that is
// not Switchback's.
func (p *Problem) Kind() string {
	name, ours := strings.CutPrefix(p.Type, problemType)
	if !ours {
		return ""
	}
	return name
}

// Foreign reports whether a client read the problem from an answer that neither the API nor Caddy's admin endpoint
// gives: most likely something else listens there.
func (p *Problem) Foreign() bool { return p.foreign }

// Is reports whether the problem is what the sentinel error target stands for.
func (p *Problem) Is(target error) bool {
	for _, k := range kinds {
		if k.err == target && k.name == p.Kind() {
			return true
		}
	}
	return false
}

// kind is one kind of problem and the error that it stands for.
type kind struct {
	err    error // nil: made by this package alone
	name   string
	status int
	title  string
}

// kindInvalid is a Fleet's kind that this package makes too.
var kindInvalid = kind{rollout.ErrInvalid, "invalid", http.StatusUnprocessableEntity, "Invalid request"}

// kinds lists the kinds that stand for errors of a Fleet; the first whose error is wrapped wins.
var kinds = []kind{
	{rollout.ErrUnknownSplit, "unknown-split", http.StatusNotFound, "No such split"},
	{rollout.ErrUnknownVariant, "unknown-variant", http.StatusNotFound, "No such variant"},
	kindInvalid,
	{rollout.ErrStale, "stale", http.StatusPreconditionFailed, "Precondition failed"},
	{rollout.ErrCooldown, "cooldown", http.StatusConflict, "In cooldown"},
	{rollout.ErrStep, "step", http.StatusConflict, "At another step"},
	{rollout.ErrRefused, "refused", http.StatusConflict, "Refused"},
	{rollout.ErrUnknownInstance, "unknown-instance", http.StatusNotFound, "No such instance"},
	{rollout.ErrUnconfirmed, "unconfirmed", http.StatusServiceUnavailable, "Sent to the store and not confirmed"},
	{rollout.ErrUnavailable, "unavailable", http.StatusServiceUnavailable, "Store unavailable"},
	{store.ErrUnavailable, "unavailable", http.StatusServiceUnavailable, "Store unavailable"},
	{store.ErrNewerSchema, "newer-schema", http.StatusConflict, "Written by a newer release"},
	{store.ErrConflict, "conflict", http.StatusConflict, "Changed by somebody else meanwhile"},
}

// The kinds that this package makes by itself.
var (
	kindMalformed = kind{nil, "malformed", http.StatusBadRequest, "Malformed request"}
	kindNoRoute   = kind{nil, "not-found", http.StatusNotFound, "Not found"}
	kindMethod    = kind{nil, "method", http.StatusMethodNotAllowed, "Method not allowed"}
	kindTooLarge  = kind{nil, "too-large", http.StatusRequestEntityTooLarge, "Request body too large"}
	kindMediaType = kind{nil, "media-type", http.StatusUnsupportedMediaType, "Unsupported media type"}
	kindInternal  = kind{nil, "internal", http.StatusInternalServerError, "Internal error"}
)

// problem makes a problem of this kind.
func (k kind) problem(format string, args ...any) *Problem {
	return &Problem{Type: problemType + k.name, Title: k.title, Status: k.status, Detail: fmt.Sprintf(format, args...)}
}

// problemOf returns err as a problem.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.problem("%v", err)
		}
	}
	return kindInternal.problem("%v", err)
}

// writeProblem answers with p.
func writeProblem(w http.ResponseWriter, p *Problem) error {
	if p.allow != "" {
		w.Header().Set("Allow", p.allow)
	}
	if p.Current != nil {
		w.Header().Set("ETag", entityTag(*p.Current))
	}
	return writeJSON(w, problemMediaType, p.Status, p)
}

// writeJSON answers with v as indented JSON: people read it with curl.
func writeJSON(w http.ResponseWriter, mediaType string, status int, v any) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, err = w.Write(append(body, '\n'))
	return err
}
