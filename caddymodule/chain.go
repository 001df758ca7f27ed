package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// chain runs several handlers one after the other. It is linked once, at load: Caddy's own subroute links its handlers
// anew for every request.
type chain struct{ first caddyhttp.Handler }

// newChain returns a handler that runs all handlers in order; one alone is returned as it is.
func newChain(handlers []caddyhttp.MiddlewareHandler) caddyhttp.MiddlewareHandler {
	if len(handlers) == 1 {
		return handlers[0]
	}
	next := caddyhttp.Handler(noNext)
	for i := len(handlers) - 1; i >= 0; i-- {
		next = link{handlers[i], next}
	}
	return chain{next}
}

// ServeHTTP ignores what would come next: a variant ends the route.
func (c chain) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	return c.first.ServeHTTP(w, r)
}

// link is one handler and what it passes requests on to.
type link struct {
	handler caddyhttp.MiddlewareHandler
	next    caddyhttp.Handler
}

// ServeHTTP runs the handler.
func (l link) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	return l.handler.ServeHTTP(w, r, l.next)
}

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = chain{}
	_ caddyhttp.Handler           = link{}
)
