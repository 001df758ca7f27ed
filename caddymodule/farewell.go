package caddymodule

import (
	"net/http"
	"time"
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

// farewell returns what to write behind an answer that is broken off, so that its client raises the protocol's own error
// where it would drop the end of a connection that breaks, or take it for the answer's; nil where only breaking off tells
// the truth. It must be asked for before the scanner is closed.
func (x *exchange) farewell(broken any) []byte {
	reason := x.farewellReason(broken)
	if reason == "" {
		return nil
	}
	x.scanPending() // the frame must begin where the client stands
	if x.body.scanner == nil {
		return nil
	}
	defer x.guardScan()
	frame, ok := x.body.scanner.ErrorFrame(reason)
	if !ok {
		return nil
	}
	return frame
}

// farewellReason says why the answer is broken off; "" if it is not, if its client is to blame or gone, or if by a mistake
// that is to be seen.
func (x *exchange) farewellReason(broken any) string {
	switch {
	case !isAbort(broken), x.Upgraded(), x.writeErr != nil, x.client.Err() != nil:
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
func (x *exchange) bid(frame []byte) bool {
	if len(frame) == 0 {
		return false
	}
	client := http.NewResponseController(x.ResponseWriter)
	if err := client.SetWriteDeadline(time.Now().Add(farewellLimit)); err != nil {
		return false
	}
	if n, err := x.ResponseWriter.Write(frame); n < len(frame) || err != nil {
		return false
	}
	return client.Flush() == nil
}
