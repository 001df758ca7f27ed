package caddymodule

import (
	"net/http"
	"time"

	"github.com/switchback-proxy/switchback/stream"
)

// farewellLimit bounds how long a client may take to receive the frame, and the end of the body behind it: one that has
// stopped reading would hold the request for ever.
const farewellLimit = 2 * time.Second

// Why an answer ends before its agent ended it, as the agent's clients are told. They are strangers: how many versions
// there are, and what they are called, is none of their business.
const (
	farewellKilled  = "this version of the agent was switched off; try again"
	farewellStalled = "the agent fell silent; try again"
	farewellBroken  = "the agent broke off its answer; try again"
)

// parting is what ends an answer in its protocol's own words; its zero value says that there are none.
type parting struct {
	frame []byte // to be written behind the answer
	grpc  string // the reason, for gRPC's trailers
}

// none reports whether there is nothing to say.
func (p parting) none() bool { return len(p.frame) == 0 && p.grpc == "" }

// farewell returns what to put behind an answer that is broken off, so that its client raises the protocol's own error
// where it would drop the end of a connection that breaks, or take it for the answer's; nothing where only breaking off
// tells the truth. It must be asked for before the scanner is closed.
func (x *exchange) farewell(broken any) (p parting) {
	reason := x.farewellReason(broken)
	if reason == "" {
		return p
	}
	x.scanPending() // the frame must begin where the client stands
	if x.body.scanner == nil {
		return p
	}
	defer x.guardScan()
	if x.awaitsStatus() {
		p.grpc = reason
	} else if frame, ok := x.body.scanner.ErrorFrame(reason); ok {
		p.frame = frame
	}
	return p
}

// awaitsStatus reports whether the answer is gRPC's and its status is to come, behind messages of which nobody knows how
// long they are. Only HTTP/2 and 3 bring it.
func (x *exchange) awaitsStatus() bool {
	return x.body.report().Format == stream.GRPC && x.body.declared < 0 && x.request.ProtoMajor >= 2
}

// farewellReason says why the answer is broken off; "" if it is not, if its client is to blame or gone, or if by a mistake
// that is to be seen.
func (x *exchange) farewellReason(broken any) string {
	switch {
	case !isAbort(broken), x.Upgraded(), x.unwritten, x.client.Err() != nil:
		return ""
	case x.killed():
		return farewellKilled
	case x.stalled():
		return farewellStalled
	case x.upload.spoiled.Load():
		return ""
	}
	return farewellBroken
}

// bid sends the frame, past the scanner and the counts, as it is not the agent's, and reports whether all of it went
// out, so that the answer may end as if it were whole. The deadline stays, for that end to be held to it as well; the
// server lifts it with the answer. Where none can be set nothing is sent.
func (x *exchange) bid(p parting) bool {
	if p.none() {
		return false
	}
	client := http.NewResponseController(x.ResponseWriter)
	if err := client.SetWriteDeadline(time.Now().Add(farewellLimit)); err != nil {
		return false
	}
	if p.grpc != "" {
		setGRPCTrailers(x.body.header, p.grpc)
	}
	if n, err := x.ResponseWriter.Write(p.frame); n < len(p.frame) || err != nil {
		return false
	}
	return client.Flush() == nil
}

// setGRPCTrailers makes UNAVAILABLE the status of a call, whether the agent announced its own or not.
func setGRPCTrailers(header http.Header, reason string) {
	header.Set(grpcStatusTrailer, grpcUnavailable)
	header.Set(http.TrailerPrefix+"Grpc-Message", grpcMessage(reason))
}
