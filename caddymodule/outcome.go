package caddymodule

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/switchback-proxy/switchback/health"
)

// retriesPlaceholder is where a reverse_proxy tells how often it tried again.
const retriesPlaceholder = "http.reverse_proxy.retries"

// serve runs the variant's route, records what became of the request, and lets stable answer if it can be rescued.
func (x *exchange) serve(variant caddyhttp.MiddlewareHandler) error {
	if x.repl != nil {
		x.repl.Delete(retriesPlaceholder) // one left by a proxy in front of us is not ours to count
	}
	x.upload.watch(x.request, &x.Flight, x.handler.format)
	if x.handler.asksIdentity() {
		x.encoding.ask(x.request)
	}
	x.beginChance()
	broken, err := x.run(variant)
	x.end()
	last := x.farewell(broken)
	v := x.judge(err, broken)
	if x.isRescued(v, err) {
		x.unseen = true
		x.record(v)
		return x.askStable(v)
	}
	if w, refused := x.refuseBy(broken); refused {
		broken, err = nil, x.handler.refuse(w, x.request)
	}
	x.letGo()
	x.keepNotes()
	x.record(v)
	x.finishSocket()
	if broken != nil && !x.bid(last) {
		panic(broken)
	}
	return err
}

// run runs the route. A failure after the headers comes as a panic, not as an error, and is returned as broken; one that
// is a mistake of somebody's is recorded and goes on its way.
func (x *exchange) run(variant caddyhttp.MiddlewareHandler) (broken any, err error) {
	defer func() {
		if broken = recover(); broken != nil && !isAbort(broken) {
			x.end()
			v := x.judge(nil, broken)
			x.letGo()
			x.record(v)
			x.finishSocket()
			panic(broken)
		}
	}()
	return nil, variant.ServeHTTP(x, x.request, noNext)
}

// end undoes what was done to the request and takes it off those in progress.
func (x *exchange) end() {
	x.body.stall.end()
	x.upload.release(x.request)
	x.encoding.restore()
	x.leave()
}

// refuseBy returns by which writer to refuse a request that was killed before anything of its answer has gone out.
func (x *exchange) refuseBy(broken any) (http.ResponseWriter, bool) {
	switch {
	case !x.killed():
		return nil, false
	case x.chance.holding() && (x.status == 0 || broken != nil):
		held := x.chance.held
		return held.ResponseWriter, held.Drop(true, verdictOn{}, func() bool { return true })
	}
	return x.ResponseWriter, x.status == 0
}

// record counts the outcome: always among the totals, and as evidence if the bucket placed the request.
func (x *exchange) record(v verdictOn) {
	now := time.Now()
	if v.class == health.Success {
		x.Answer(now) // the end of an empty answer is its first byte
	}
	o := health.Outcome{Class: v.class, Cause: v.cause, Upgraded: x.Upgraded(), Rescued: x.unseen}
	if x.served.retries {
		o.Retries, _ = x.retries()
	}
	_, o.Answered = x.Answered()
	o.TTFB, o.Total, _ = x.Waited(now)
	if !x.unseen {
		o.Bytes = uint64(max(x.body.sent, 0))
	}
	if x.first != nil { // no evidence on stable: it would not have been asked
		x.first.rescued(x.served.Name, o)
		return
	}
	report := x.body.report()
	o.TokensIn, o.TokensOut = report.Tokens.In, report.Tokens.Out
	if x.shown != nil {
		x.shown.ended, x.shown.outcome, x.shown.code = true, o, report.Code
	}
	if x.Flight.Window != nil {
		x.Flight.Record(now, o) // counts among the totals too
		return
	}
	x.totals.Record(o)
}

// retries returns how often the variant's proxy tried again, and whether there was one.
func (x *exchange) retries() (n int, tried bool) {
	if x.repl == nil {
		return 0, false
	}
	value, ok := x.repl.Get(retriesPlaceholder)
	if !ok {
		return 0, false
	}
	n, ok = value.(int)
	return n, ok
}
