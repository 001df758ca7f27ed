package caddymodule

import (
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// rescuedHeader tells a client that its answer is stable's, and of what the canary's failed.
const rescuedHeader = "X-Switchback-Rescued"

// isRescued reports whether stable answers in place of a canary that ended so.
func (x *exchange) isRescued(v verdictOn, err error) bool {
	c := x.chance
	if c == nil || v.class != health.Failure {
		return false
	}
	if c.held == nil {
		return x.status == 0 && err != nil && x.isUnreached(v.cause) &&
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
func (x *exchange) isUnreached(cause health.Cause) bool {
	again, tried := x.retries()
	switch v := x.served; {
	case !tried || cause != health.CauseDial && cause != health.CauseUnavailable:
		return false
	case v.traced:
		return x.chance.never()
	default:
		return v.plain && again == 0 && cause == health.CauseDial
	}
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

// askStable lets stable answer in the canary's place, once.
func (x *exchange) askStable(v verdictOn) error {
	h, c, w := x.handler, x.chance, x.ResponseWriter
	h.tellOfRescue(x.served.Name, v)
	c.stop()
	if c.held != nil {
		w = c.held.ResponseWriter
	} else {
		c.header.restore(w.Header())
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
	y.upload.own, y.cookie, y.rescuedFrom = own, x.cookie, v.cause
	y.showRescue(d)
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
func (x *exchange) showRescued(header http.Header) {
	switch {
	case x.rescuedFrom != health.CauseNone:
		header[rescuedHeader] = []string{x.rescuedFrom.String()}
	case len(header[rescuedHeader]) > 0:
		delete(header, rescuedHeader)
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
