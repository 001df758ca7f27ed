package caddymodule

import (
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/stream"
)

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
