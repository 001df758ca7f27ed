package caddymodule

import (
	"maps"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/stream"
)

// rescuedHeader tells a client that its answer is stable's, and of what the canary's failed.
const rescuedHeader = "X-Switchback-Rescued"

// chance is what is kept of a canary's request for stable to answer it instead, should it fail.
type chance struct {
	reach
	header http.Header // the client's, as it was before the canary; nil if the canary has one of its own
	before *original   // nil where the canary's route leaves the request as it is
	held   *held       // nil if nothing of the answer is kept back
	timer  *time.Timer // until the canary has waited long enough; nil for ever
}

// original is what a route may have changed of a request.
type original struct {
	method, host, uri string
	url               url.URL
	header            http.Header
}

// isPlain reports whether a route is a reverse proxy and nothing else: it works on a copy of the request.
func isPlain(route caddyhttp.MiddlewareHandler) bool {
	proxy, ok := route.(*reverseproxy.Handler)
	return ok && len(proxy.HandleResponse) == 0
}

// takeChance prepares the request to be rescued, if that may be. It must be called before the request's context is made.
func (x *exchange) takeChance(d splitter.Decision) *chance {
	h, state := x.handler, x.view.State
	if !h.Rescue.on() || x.first != nil || state == nil || x.variant != state.Canary || d.Reason == splitter.ReasonTargetingMatch {
		return nil
	}
	c := new(chance)
	if h.Rescue.holds() {
		c.held = newHeld(x.ResponseWriter, time.Duration(h.Rescue.Hold))
		x.ResponseWriter = c.held
	} else {
		c.header = maps.Clone(x.ResponseWriter.Header())
	}
	if r := x.request; !h.Variants[d.Variant].plain {
		c.before = &original{r.Method, r.Host, r.RequestURI, *r.URL, r.Header.Clone()}
	}
	if hasBody(x.request) {
		x.upload.replay = newReplay(x.request.ContentLength, h.Rescue.Body)
		if c.held == nil {
			c.replay = x.upload.replay // what was sent to an agent is never sent again
		}
	}
	return c
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
	if c.timer != nil {
		c.timer.Stop()
	}
	if x.body.header != nil {
		x.body.header = c.held.ResponseWriter.Header()
	}
}

// wait starts to wait for the canary's answer to begin, if that has an end.
func (x *exchange) wait() {
	c := x.chance
	if c == nil || c.held == nil {
		return
	}
	if limit := time.Duration(x.handler.Rescue.Timeout); limit > 0 {
		c.timer = time.AfterFunc(math.MaxInt64, func() { // set before it can fire
			if again := x.expire(limit); again > 0 {
				c.timer.Reset(again)
			}
		})
		c.timer.Reset(limit)
	}
}

// expire gives the canary up if the client has waited for limit, and returns in how long to ask again; 0 is never.
func (x *exchange) expire(limit time.Duration) time.Duration {
	if !x.chance.holding() {
		return 0
	}
	_, waited, ok := x.Waited(time.Now())
	switch {
	case !ok: // the client still sends
		return limit
	case waited < limit:
		return limit - waited
	}
	x.giveUp(false, verdictOn{health.Failure, health.CauseTimeout})
	return 0
}

// weigh lets go of what is kept back when it holds something of substance, or of the canary when it has failed.
func (x *exchange) weigh() {
	if x.weighed || x.chance == nil {
		return
	}
	if !x.chance.holding() {
		x.weighed = true
		x.upload.replay.drop()
		return
	}
	x.scanPending()
	switch s := x.body.scanner; {
	case s == nil, s.Payload(), s.Events() > maxHeldEvents:
		x.chance.release()
	case s.Report().End == stream.Failed:
		x.giveUp(true, ofReport(s.Report()))
	}
}

// weighStatus gives the canary up when its status, or its word in the header, says that it has failed.
func (x *exchange) weighStatus() {
	if !x.chance.holding() {
		return
	}
	v := x.handler.ofStatus(x.status)
	switch {
	case v.class == health.Failure && x.handler.Rescue.rescues(x.status):
		x.giveUp(true, v)
	case v.class != health.Failure && x.body.said == saidFailure:
		x.giveUp(true, verdictOn{health.Failure, health.CauseAgentSaid})
	}
}

// giveUp drops the canary's answer for stable's and ends the request there; of an answer that has begun only if begun says
// so. If stable cannot answer, what is kept back need not be any longer.
func (x *exchange) giveUp(begun bool, v verdictOn) {
	held := x.chance.held
	if x.mayAskStable(func() bool { return held.Drop(begun, v, x.upload.replay.claim) }) {
		x.Flight.Cancel(errDropped)
		return
	}
	held.Release()
}

// mayAskStable reports whether stable can answer in the canary's place. claim is asked last, and takes what cannot be
// given back.
func (x *exchange) mayAskStable(claim func() bool) bool {
	h := x.handler
	switch {
	case x.killed() || x.client.Err() != nil:
		return false
	case h.attached.View().Table.Decide(splitter.Request{}).Variant < 0:
		x.totals.Rescue(health.RescueNoStable)
		return false
	case !h.budget.spend():
		x.totals.Rescue(health.RescueCapped)
		return false
	case !claim():
		h.budget.refund()
		x.totals.Rescue(health.RescueNoBody)
		return false
	}
	return true
}

// isRescued reports whether stable answers in place of a canary that ended so.
func (x *exchange) isRescued(v verdictOn, err error, repl *caddy.Replacer) bool {
	c := x.chance
	if c == nil || v.class != health.Failure {
		return false
	}
	if c.held == nil {
		return x.status == 0 && err != nil && x.isUnreached(v.cause, repl) &&
			x.mayAskStable(x.upload.replay.claim)
	}
	state, _ := c.held.State()
	if state == holding && (v.cause != health.CauseStatus || x.handler.Rescue.rescues(x.status)) {
		x.giveUp(true, v)
		state, _ = c.held.State()
	}
	return state == dropped
}

// isUnreached reports whether no try got as far as an agent: the last one ended at connecting, or none was made as no
// upstream was available.
func (x *exchange) isUnreached(cause health.Cause, repl *caddy.Replacer) bool {
	n, tried := retries(repl)
	return tried && x.chance.never(n) && (cause == health.CauseDial || cause == health.CauseUnavailable)
}

// askStable lets stable answer in the canary's place, once. The canary's proxy may still hold the request, so that stable
// gets a copy of it, unless its route must find the one that placeholders are read from.
func (x *exchange) askStable(v verdictOn, repl *caddy.Replacer) error {
	h, c, r := x.handler, x.chance, x.request
	w := x.ResponseWriter
	if c.held != nil {
		w = c.held.ResponseWriter
	} else {
		replace(w.Header(), c.header)
	}
	c.before.restore(r)
	own, body := r.Body, r.Body
	if x.upload.ReadCloser != nil {
		body = x.upload.ReadCloser // where some of it was read ahead, that is in front
	}
	if ctx := x.client; h.plain {
		r = r.WithContext(ctx)
	} else {
		*r = *r.WithContext(ctx)
	}
	r.Body = x.upload.replay.again(body)
	y, d := h.join(placement{first: x}, w, r)
	if d.Variant < 0 { // killed since
		r.Body = own
		return h.refuse(w, r)
	}
	y.upload.own, y.cookie, y.rescuedFrom = own, x.cookie, v.cause.String()
	h.showRescue(x.request, d.Variant, repl)
	return y.serve(h.Variants[d.Variant].handler)
}

// restore undoes what a route changed of the request. A nil *original was not needed.
func (o *original) restore(r *http.Request) {
	if o == nil {
		return
	}
	r.Method, r.Host, r.RequestURI, r.Header = o.method, o.host, o.uri, o.header
	*r.URL = o.url
}

// rescued takes note of how stable's answer in the place of this one ended.
func (x *exchange) rescued(by string, o health.Outcome) {
	x.totals.Rescue(health.RescuedAs(o.Class))
	if x.shown != nil {
		x.shown.rescuedBy, x.shown.rescue = by, o
	}
}
