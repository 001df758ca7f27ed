package caddymodule

import (
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/stream"
)

// rescuedHeader tells a client that its answer is stable's, and of what the canary's failed.
const rescuedHeader = "X-Switchback-Rescued"

// chance is what is kept of a canary's request for stable to answer it instead, should it fail.
type chance struct {
	reach
	own    *http.Request // the server's; the canary has a copy of it if its route is plain
	header http.Header   // the client's, as it was before the canary; nil if the canary has one of its own
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

// isPlain reports whether a route is a reverse proxy and nothing else: it works on a copy of the request.
func isPlain(route caddyhttp.MiddlewareHandler) bool {
	proxy, ok := route.(*reverseproxy.Handler)
	return ok && len(proxy.HandleResponse) == 0
}

// isTraced reports whether all reverse proxies of a route speak HTTP by net/http, which tells of each connection. FastCGI
// does not.
func isTraced(handlers []caddyhttp.MiddlewareHandler) bool {
	return !slices.ContainsFunc(handlers, func(h caddyhttp.MiddlewareHandler) bool {
		switch h := h.(type) {
		case *reverseproxy.Handler:
			_, traced := h.Transport.(*reverseproxy.HTTPTransport)
			return !traced
		case *caddyhttp.Subroute:
			return slices.ContainsFunc(h.Routes, func(r caddyhttp.Route) bool { return !isTraced(r.Handlers) })
		}
		return false
	})
}

// takeChance prepares the request to be rescued, if that may be.
func (x *exchange) takeChance(d splitter.Decision) *chance {
	h, state := x.handler, x.view.State
	if h.budget == nil || x.first != nil || state == nil {
		return nil
	}
	if x.variant == state.Stable {
		h.budget.save()
	}
	if x.variant != state.Canary || d.Reason == splitter.ReasonTargetingMatch {
		return nil
	}
	c := &chance{own: x.request}
	if h.Rescue.holds() {
		c.held = newHeld(x.ResponseWriter, time.Duration(h.Rescue.Hold))
		x.ResponseWriter = c.held
	} else {
		c.header = maps.Clone(x.ResponseWriter.Header())
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
	if x.served().plain {
		return r
	}
	*c.own = *r
	return c.own
}

// served returns the variant that serves the request.
func (x *exchange) served() *Variant { return x.handler.variant(x.variant) }

// beginChance keeps what the route may change of the request, and starts to wait for its answer.
func (x *exchange) beginChance() {
	c := x.chance
	if c == nil {
		return
	}
	if !x.served().plain {
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

// expire gives the canary up if the client has waited for limit, and returns in how long to ask again; 0 is never.
func (x *exchange) expire(limit time.Duration) time.Duration {
	if !x.chance.held.Waiting() {
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
		x.keepNotes()
		return
	}
	x.scanPending()
	switch s := x.body.scanner; {
	case s == nil && x.body.sent == 0: // its header alone says nothing
	case s == nil, s.Payload(), s.Events() > maxHeldEvents:
		x.keepNotes() // before the client can send its next request
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
	h, c := x.handler, x.chance
	switch {
	case x.killed() || x.client.Err() != nil || c.denied.Load():
		return false
	case !x.upload.replay.can():
		return c.deny(x.totals, health.RescueNoBody)
	case h.attached.View().Table.Decide(splitter.Request{}).Variant < 0:
		return c.deny(x.totals, health.RescueNoStable)
	case !h.budget.spend():
		return c.deny(x.totals, health.RescueCapped)
	case !claim(): // in this moment the answer has begun, or the body is read on
		h.budget.refund()
		return false
	}
	return true
}

// deny counts why a request is not rescued.
func (c *chance) deny(totals *health.Totals, why health.RescueResult) bool {
	if c.denied.CompareAndSwap(false, true) {
		totals.Rescue(why)
	}
	return false
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
// upstream was available. A proxy that does not tell of its connections is believed about its only try.
func (x *exchange) isUnreached(cause health.Cause, repl *caddy.Replacer) bool {
	again, tried := retries(repl)
	switch v := x.served(); {
	case !tried || cause != health.CauseDial && cause != health.CauseUnavailable:
		return false
	case v.traced:
		return x.chance.never()
	default:
		return v.plain && again == 0 && cause == health.CauseDial
	}
}

// askStable lets stable answer in the canary's place, once.
func (x *exchange) askStable(v verdictOn, repl *caddy.Replacer) error {
	h, c, w := x.handler, x.chance, x.ResponseWriter
	h.tellOfRescue(x.variant, v)
	c.stop()
	if c.held != nil {
		w = c.held.ResponseWriter
	} else {
		replace(w.Header(), c.header)
	}
	r := c.own
	c.before.restore(r)
	*r = *r.WithContext(x.client)
	own, body := r.Body, r.Body
	if u := &x.upload; u.ReadCloser != nil {
		own, body = u.own, u.ReadCloser // where some of it was read ahead, that is in front
	}
	r.Body = x.upload.replay.again(body)
	y, d := h.join(placement{first: x}, w, r)
	if d.Variant < 0 { // killed since
		r.Body = own
		x.totals.Rescue(health.RescueNoStable)
		return h.refuse(w, r)
	}
	y.upload.own, y.cookie, y.rescuedFrom = own, x.cookie, v.cause.String()
	h.showRescue(r, d.Variant, repl)
	return y.serve(h.Variants[d.Variant].handler)
}

// tellEvery is how often the log is told of rescues, in seconds.
const tellEvery = 60

// tellOfRescue says in the log, once a minute, that stable stands in: nobody else notices, as clients get their answers.
func (h *Handler) tellOfRescue(variant string, v verdictOn) {
	now, told := time.Now().Unix(), h.toldAt.Load()
	if now-told < tellEvery || !h.toldAt.CompareAndSwap(told, now) {
		return
	}
	h.log.Warn("a request failed on the canary and is answered by stable; further ones are told of in a minute",
		zap.String("split", h.Name), zap.String("variant", variant), zap.Stringer("cause", v.cause))
}

// showRescued tells the client of what the canary's answer failed in whose place this one is. Nobody else can say so.
func (x *exchange) showRescued() {
	switch header := x.Header(); {
	case x.rescuedFrom != "":
		header[rescuedHeader] = []string{x.rescuedFrom}
	case len(header[rescuedHeader]) > 0:
		delete(header, rescuedHeader)
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

// rescued takes note of how stable's answer in the place of this one ended.
func (x *exchange) rescued(by string, o health.Outcome) {
	x.totals.Rescue(health.RescuedAs(o.Class))
	if w := x.Flight.Window; w != nil && o.Class == health.Failure {
		w.SawFailure(time.Now(), x.Flight.User)
	}
	if x.shown != nil {
		x.shown.rescuedBy, x.shown.rescue = by, o
	}
}
