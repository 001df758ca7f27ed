package caddymodule

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

// statusClientClosed is what a reverse proxy answers when the request's context was canceled.
const statusClientClosed = 499

// retriesPlaceholder is where a reverse_proxy tells how often it tried again.
const retriesPlaceholder = "http.reverse_proxy.retries"

// serve runs the variant's route and records what became of the request. A failure after the headers comes as a
// panic, not as an error: it is recorded and goes on its way.
func (x *exchange) serve(variant caddyhttp.MiddlewareHandler) (err error) {
	repl, _ := x.client.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if repl != nil {
		repl.Delete(retriesPlaceholder) // one left by a proxy in front of us is not ours to count
	}
	defer func() {
		broken := recover()
		x.upload.release(x.request)
		x.leave()
		x.record(x.judge(err, broken), repl)
		if broken != nil {
			panic(broken)
		}
	}()
	x.upload.watch(x.request)
	err = variant.ServeHTTP(x, x.request, noNext)
	if x.killed() && x.status == 0 {
		x.upload.release(x.request)
		return x.handler.refuse(x.ResponseWriter, x.request)
	}
	return err
}

func (x *exchange) killed() bool {
	return errors.Is(context.Cause(x.request.Context()), rollout.ErrKilled)
}

// verdictOn is a class with its cause.
type verdictOn struct {
	class health.Class
	cause health.Cause
}

// judge says what the request counts as. The order matters: what we or the client ended is not the variant's failure,
// whatever it looks like from here.
func (x *exchange) judge(err error, broken any) verdictOn {
	switch {
	case x.killed() && (x.status == 0 || broken != nil || x.Upgraded()):
		return verdictOn{health.Excluded, health.CauseKilled}
	case x.Upgraded():
		return verdictOn{health.Success, health.CauseNone}
	case (x.status == 0 || broken != nil || err != nil) && x.client.Err() != nil, x.writeErr != nil,
		x.status == statusClientClosed:
		return verdictOn{health.Excluded, health.CauseClientLeft}
	case (broken != nil || err != nil) && x.upload.spoiled.Load():
		return verdictOn{health.Excluded, health.CauseClientError}
	case isAbort(broken):
		return verdictOn{health.Failure, health.CauseReset}
	case broken != nil:
		return verdictOn{health.Failure, health.CauseError}
	case err != nil:
		return ofError(err)
	}
	return ofStatus(x.status)
}

// isAbort reports whether a route's panic is the one by which an answer is broken off on purpose.
func isAbort(broken any) bool {
	err, ok := broken.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// ofStatus judges an answer that was sent whole.
func ofStatus(status int) verdictOn {
	switch {
	case status >= 500:
		return verdictOn{health.Failure, health.CauseStatus}
	case status == http.StatusTooManyRequests:
		return verdictOn{health.Excluded, health.CauseThrottled}
	case status >= 400:
		return verdictOn{health.Excluded, health.CauseClientError}
	}
	return verdictOn{health.Success, health.CauseNone}
}

// ofError judges a route that ended with an error and without an answer.
func ofError(err error) verdictOn {
	var (
		dial    reverseproxy.DialError
		op      *net.OpError
		handler caddyhttp.HandlerError
		status  = http.StatusInternalServerError
	)
	if errors.As(err, &handler) && handler.StatusCode != 0 {
		status = handler.StatusCode
	}
	switch {
	case errors.As(err, &dial), errors.As(err, &op) && op.Op == "dial":
		return verdictOn{health.Failure, health.CauseDial}
	case status == http.StatusGatewayTimeout:
		return verdictOn{health.Failure, health.CauseTimeout}
	case status == http.StatusServiceUnavailable:
		return verdictOn{health.Failure, health.CauseUnavailable}
	case status == http.StatusBadGateway:
		return verdictOn{health.Failure, health.CauseReset}
	case status >= 500:
		return verdictOn{health.Failure, health.CauseError}
	}
	return ofStatus(status)
}

// record counts the outcome: always among the totals, and as evidence if the bucket placed the request.
func (x *exchange) record(v verdictOn, repl *caddy.Replacer) {
	now := time.Now()
	if v.class == health.Success {
		x.Answer(now) // the end of an empty answer is its first byte
	}
	ttfb, answered := x.Answered()
	o := health.Outcome{
		Class:    v.class,
		Cause:    v.cause,
		Answered: answered,
		Upgraded: x.Upgraded(),
		TTFB:     ttfb,
		Total:    now.Sub(x.Start),
		Retries:  retries(repl),
	}
	if x.Flight.Window != nil {
		x.Flight.Window.Record(now, o) // counts among the totals too
		return
	}
	x.totals.Record(o)
}

func retries(repl *caddy.Replacer) int {
	if repl == nil {
		return 0
	}
	value, ok := repl.Get(retriesPlaceholder)
	if !ok {
		return 0
	}
	n, ok := value.(int)
	if !ok {
		return 0
	}
	return n
}
