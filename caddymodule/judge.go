package caddymodule

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/stream"
)

// statusClientClosed is what a reverse proxy answers when the request's context was canceled.
const statusClientClosed = 499

// verdictOn is a class with its cause.
type verdictOn struct {
	class health.Class
	cause health.Cause
}

var success = verdictOn{health.Success, health.CauseNone}

// judge says what the request counts as. The order matters: what we or the client ended is not the variant's failure,
// whatever it looks like from here; but what the agent had said by then of its answer stands, as clients hang up when
// they have read an error, or the end.
func (x *exchange) judge(err error, broken any) verdictOn {
	whole := broken == nil && err == nil && !x.body.isShort()
	x.scanPending()
	told := x.hasTold()
	x.endBody(whole)
	if v, dropped := x.chance.dropped(); dropped {
		return v
	}
	switch {
	case x.killed() && (x.status == 0 || broken != nil || x.Upgraded()):
		return verdictOn{health.Excluded, health.CauseKilled}
	case x.Upgraded():
		return x.ofUpgrade()
	case told:
		return x.ofAnswer(whole)
	case (x.status == 0 || !whole) && x.client.Err() != nil, x.unwritten, x.status == statusClientClosed:
		return x.clientLeft()
	case x.stalled():
		return verdictOn{health.Failure, health.CauseStall}
	case (broken != nil || err != nil) && x.upload.spoiled.Load():
		return verdictOn{health.Excluded, health.CauseClientError}
	case isAbort(broken):
		return verdictOn{health.Failure, health.CauseReset}
	case broken != nil:
		return verdictOn{health.Failure, health.CauseError}
	case err != nil:
		return x.handler.ofError(err)
	case !whole:
		return verdictOn{health.Failure, health.CauseTruncated}
	}
	return x.ofAnswer(whole)
}

// clientLeft tells a client that gave up before it had anything from one that had read enough.
func (x *exchange) clientLeft() verdictOn {
	if _, answered := x.Answered(); !answered {
		return verdictOn{health.Excluded, health.CauseLeft}
	}
	return verdictOn{health.Excluded, health.CauseClientLeft}
}

func (x *exchange) killed() bool { return killed(x.ctx) }

// killed reports whether a request's context was ended by a kill.
func killed(request context.Context) bool {
	return errors.Is(context.Cause(request), rollout.ErrKilled)
}

func (x *exchange) stalled() bool {
	return errors.Is(context.Cause(x.ctx), errStalled)
}

func (x *exchange) isDropped() bool {
	_, dropped := x.chance.dropped()
	return dropped
}

// hasTold reports whether the agent has said by now how its answer ends, so that it no longer matters how its body does.
// That all is well counts in a stream only: who reads it has all of it by then, while one JSON value that breaks off
// behind its last brace is an error to most clients.
func (x *exchange) hasTold() bool {
	b := &x.body
	switch end := b.report().End; end {
	case stream.Open, stream.NotScanned:
		return b.said == saidFailure
	default:
		return end == stream.Failed || !isJSON(b.header["Content-Type"])
	}
}

// endBody takes in what only the end of a body tells.
func (x *exchange) endBody(whole bool) {
	if x.status == 0 || x.Upgraded() {
		return
	}
	x.closeScan(whole)
	x.readWord()
}

// ofAnswer judges an answer by its status, by what the agent says of it, and by what it holds. That it is a success an
// agent cannot say of an answer that its status, or its breaking off, has told otherwise.
func (x *exchange) ofAnswer(whole bool) verdictOn {
	v := x.handler.ofStatus(x.status)
	switch {
	case v.class != health.Failure && x.body.said == saidFailure:
		return verdictOn{health.Failure, health.CauseAgentSaid}
	case v.class != health.Success, whole && x.body.said == saidSuccess:
		return v
	}
	return ofReport(x.body.report())
}

// ofReport judges what an answer holds.
func ofReport(r stream.Report) verdictOn {
	switch r.End {
	case stream.Failed:
		if r.Format == stream.GRPC {
			return verdictOn{health.Failure, health.CauseGRPC}
		}
		return verdictOn{health.Failure, health.CauseProtocol}
	case stream.Truncated:
		return verdictOn{health.Failure, health.CauseTruncated}
	case stream.CallerError:
		return verdictOn{health.Excluded, health.CauseClientError}
	case stream.Aborted:
		return verdictOn{health.Excluded, health.CauseAborted}
	}
	return success
}

// isAbort reports whether a route's panic is the one by which an answer is broken off on purpose.
func isAbort(broken any) bool {
	err, ok := broken.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// ofStatus judges a status. None at all is an empty answer.
func (h *Handler) ofStatus(status int) verdictOn {
	switch {
	case status < 400:
		return success
	case h.fails(status):
		return verdictOn{health.Failure, health.CauseStatus}
	case status >= 500:
		return verdictOn{health.Excluded, health.CauseStatus}
	case status == http.StatusTooManyRequests:
		return verdictOn{health.Excluded, health.CauseThrottled}
	}
	return verdictOn{health.Excluded, health.CauseClientError}
}

// ofError judges a route that ended with an error and without an answer.
func (h *Handler) ofError(err error) verdictOn {
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
	return h.ofStatus(status)
}
