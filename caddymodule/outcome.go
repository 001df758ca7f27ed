package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/switchback-proxy/switchback/health"
)

// retriesPlaceholder is where a reverse_proxy tells how often it tried again.
const retriesPlaceholder = "http.reverse_proxy.retries"

// serve runs the variant's route and records what became of the request. A failure after the headers comes as a
// panic, not as an error: it is recorded and goes on its way, unless the client could be told in its own protocol.
func (x *exchange) serve(variant caddyhttp.MiddlewareHandler) (err error) {
	repl, _ := x.client.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if repl != nil {
		repl.Delete(retriesPlaceholder) // one left by a proxy in front of us is not ours to count
	}
	defer func() {
		broken := recover()
		x.body.stall.end()
		x.upload.release(x.request)
		x.encoding.restore()
		x.leave()
		last := x.farewell(broken)
		x.record(x.judge(err, broken), repl)
		x.finishSocket()
		if broken != nil && !x.bid(last) {
			panic(broken)
		}
	}()
	x.upload.watch(x.request, &x.Flight, x.handler.format)
	if x.handler.asksIdentity() {
		x.encoding.ask(x.request)
	}
	err = variant.ServeHTTP(x, x.request, noNext)
	if x.killed() && x.status == 0 {
		x.upload.release(x.request)
		x.encoding.restore()
		return x.handler.refuse(x.ResponseWriter, x.request)
	}
	return err
}

// record counts the outcome: always among the totals, and as evidence if the bucket placed the request.
func (x *exchange) record(v verdictOn, repl *caddy.Replacer) {
	now := time.Now()
	if v.class == health.Success {
		x.Answer(now) // the end of an empty answer is its first byte
	}
	o := health.Outcome{Class: v.class, Cause: v.cause, Upgraded: x.Upgraded(), Retries: retries(repl)}
	_, o.Answered = x.Answered()
	o.TTFB, o.Total, _ = x.Waited(now)
	report := x.body.report()
	o.TokensIn, o.TokensOut = report.Tokens.In, report.Tokens.Out
	if x.shown != nil {
		x.shown.ended, x.shown.outcome, x.shown.code = true, o, report.Code
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
