package caddymodule

import (
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/switchback-proxy/switchback/splitter"
)

// chance is what is kept of a canary's request for stable to answer it instead, should it fail.
type chance struct {
	reach
	own    *http.Request // the server's; the canary has a copy of it if its route is plain
	header headerBefore  // the client's; nil if the canary has one of its own
	before *original     // nil where the canary's route leaves the request as it is
	held   *held         // nil if nothing of the answer is kept back
	timer  *time.Timer   // until the canary has waited long enough; nil for ever
	denied atomic.Bool   // it was asked for and refused, which is counted once
}

// original is what a route may have changed of a request.
type original struct {
	method, host, uri string
	url               url.URL
	header            http.Header
	vars              map[string]any
}

// headerBefore is the header of an answer as it was before the canary. There is little in it then, for which a map is large.
type headerBefore []headerField

// headerField is one name of a header.
type headerField struct {
	name   string
	values []string
}

func newHeaderBefore(h http.Header) headerBefore {
	before := make(headerBefore, 0, len(h))
	for name, values := range h {
		before = append(before, headerField{name, values})
	}
	return before
}

// restore makes h what it was.
func (b headerBefore) restore(h http.Header) {
	clear(h)
	for _, f := range b {
		h[f.name] = f.values
	}
}

// isPlain reports whether a route is a reverse proxy and nothing else: it works on a copy of the request.
func isPlain(route caddyhttp.MiddlewareHandler) bool {
	proxy, ok := route.(*reverseproxy.Handler)
	return ok && len(proxy.HandleResponse) == 0
}

// mayRetry is false for a route that is sure never to try again, so that it need not be asked: a reverse proxy and nothing
// else, that was told of no further tries.
func mayRetry(route caddyhttp.MiddlewareHandler) bool {
	proxy, _ := route.(*reverseproxy.Handler)
	return !isPlain(route) || proxy.LoadBalancing.Retries > 0 || proxy.LoadBalancing.TryDuration > 0
}

// isTraced reports whether all reverse proxies of a route speak HTTP by net/http, which tells of each connection. FastCGI
// does not.
func isTraced(proxies []*reverseproxy.Handler) bool {
	return !slices.ContainsFunc(proxies, func(p *reverseproxy.Handler) bool {
		_, traced := p.Transport.(*reverseproxy.HTTPTransport)
		return !traced
	})
}

// takeChance prepares the request to be rescued, if that may be.
func (x *exchange) takeChance(d splitter.Decision) *chance {
	h, state := x.handler, x.view.State
	if h.budget == nil || x.first != nil || state == nil {
		return nil
	}
	if x.served.Name == state.Stable {
		h.budget.save()
	}
	if x.served.Name != state.Canary || d.Reason == splitter.ReasonTargetingMatch {
		return nil
	}
	c := &chance{own: x.request}
	if h.Rescue.holds() {
		c.held = newHeld(x.ResponseWriter, time.Duration(h.Rescue.Hold))
		x.ResponseWriter = c.held
	} else {
		c.header = newHeaderBefore(x.ResponseWriter.Header())
	}
	if hasBody(x.request) {
		x.upload.replay = newReplay(x.request.ContentLength, h.Rescue.Body)
		if c.held == nil {
			c.replay = x.upload.replay // what was sent to an agent is never sent again
		}
	}
	return c
}

// requestOf returns the request for the canary. A plain route gets a copy, so that whatever its transport still does with
// it when stable is asked, it does not with stable's; another one must find the request that placeholders are read from.
func (c *chance) requestOf(x *exchange) *http.Request {
	r := c.own.WithContext(c.watch(x.ctx))
	if x.served.plain {
		return r
	}
	*c.own = *r
	return c.own
}

// beginChance keeps what the route may change of the request, and starts to wait for its answer.
func (x *exchange) beginChance() {
	c := x.chance
	if c == nil {
		return
	}
	if !x.served.plain {
		c.before = originalOf(x.request)
	}
	limit := time.Duration(x.handler.Rescue.Timeout)
	if c.held == nil || limit == 0 {
		return
	}
	c.timer = time.AfterFunc(math.MaxInt64, func() { // set before it can fire
		if again := x.expire(limit); again > 0 {
			c.timer.Reset(again)
		}
	})
	c.timer.Reset(limit)
}

func originalOf(r *http.Request) *original {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	return &original{r.Method, r.Host, r.RequestURI, *r.URL, r.Header.Clone(), maps.Clone(vars)}
}

// stop ends the wait for the answer.
func (c *chance) stop() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// holding reports whether the beginning of the answer is still kept back.
func (c *chance) holding() bool {
	if c == nil {
		return false
	}
	state, _ := c.held.State()
	return state == holding
}

// release lets go of what is kept back.
func (c *chance) release() {
	if c.holding() {
		c.held.Release()
	}
}

// dropped returns the verdict on the canary's answer if it was given up.
func (c *chance) dropped() (verdictOn, bool) {
	if c == nil {
		return verdictOn{}, false
	}
	state, v := c.held.State()
	return v, state == dropped
}

// letGo lets all go that is kept back, when the variant has ended. What is added to the header from then on is added to
// the client's.
func (x *exchange) letGo() {
	c := x.chance
	if c == nil || c.held == nil {
		return
	}
	c.held.Finish()
	c.stop()
	if x.body.header != nil {
		x.body.header = c.held.ResponseWriter.Header()
	}
}

// restore undoes what a route changed of the request. A nil *original was not needed.
func (o *original) restore(r *http.Request) {
	if o == nil {
		return
	}
	r.Method, r.Host, r.RequestURI, r.Header = o.method, o.host, o.uri, o.header
	*r.URL = o.url
	if vars, ok := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any); ok {
		clear(vars)
		maps.Copy(vars, o.vars)
	}
}
