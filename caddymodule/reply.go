package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// reply keeps the beginning of an answer that goes to nobody.
type reply struct {
	header http.Header
	status int
	body   []byte // the first maxCheckBody bytes
}

// Header returns the answer's header.
func (r *reply) Header() http.Header { return r.header }

// WriteHeader notes the status; an interim one is not the answer.
func (r *reply) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

// Write keeps what there is room for.
func (r *reply) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.body = append(r.body, p[:min(len(p), maxCheckBody-len(r.body))]...)
	return len(p), nil
}

// Flush has nothing to do.
func (r *reply) Flush() {}

// statusAfter returns the status that a client would have seen of a route that ended with err.
func (r *reply) statusAfter(err error) int {
	var handler caddyhttp.HandlerError
	switch {
	case r.status != 0:
		return r.status
	case errors.As(err, &handler) && handler.StatusCode != 0:
		return handler.StatusCode
	case err != nil:
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

var _ http.Flusher = (*reply)(nil)
