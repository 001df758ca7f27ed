package health

import "time"

// Class says what a request counts as. The zero value is Excluded.
type Class uint8

// The classes of an outcome.
const (
	Excluded Class = iota // nobody's failure: the client left, 4xx, 429, killed
	Success
	Failure
)

// Cause says why an outcome has its class. The zero value is CauseNone.
type Cause uint8

// The causes of an outcome.
const (
	CauseNone        Cause = iota // success
	CauseDial                     // failure: the upstream could not be reached
	CauseTimeout                  // failure: the upstream did not answer in time (504)
	CauseUnavailable              // failure: no upstream was available (503 of the proxy itself)
	CauseStatus                   // failure: a failing status; excluded: a 5xx that does not count as failing
	CauseReset                    // failure: broken off, before the headers or in the middle of a 200
	CauseError                    // failure: the variant's own handlers failed otherwise
	CauseClientLeft               // excluded: the client went away in the middle of the answer
	CauseThrottled                // excluded: 429
	CauseClientError              // excluded: another 4xx, or the agent's protocol says that the request was wrong
	CauseKilled                   // excluded: ended by the kill switch
	CauseTruncated                // failure: ended as if it were whole, without what its protocol ends with
	CauseProtocol                 // failure: the agent's protocol carried an error
	CauseGRPC                     // failure: gRPC's status says so
	CauseAgentSaid                // failure: the agent said so itself
	CauseStall                    // failure: nothing came for too long inside an open stream
	CauseAborted                  // excluded: the agent's protocol says that whoever asked gave the answer up
	CauseProxyClosed              // excluded: an upgraded connection that this proxy closed, by its configuration
	CauseLeft                     // excluded: the client went away before the first payload byte
)

// Outcome is what became of one request.
type Outcome struct {
	Class Class
	Cause Cause
	// Answered is whether a payload byte (or the end of an empty answer) was sent; TTFB counts only then.
	Answered bool
	// Upgraded is true for WebSocket and the like: Total is the connection's life and no latency, and TTFB what the
	// handshake took.
	Upgraded bool
	// TTFB and Total are how long the client waited for the first payload byte, and for the end or until it left; what
	// it took to send its own request is not waiting: see [Flight.Waited].
	TTFB, Total time.Duration
	// Retries counts further tries that the variant's reverse_proxy made.
	Retries int
	// Bytes is how much of an answer's body was sent; zero of an upgraded connection.
	Bytes uint64
	// TokensIn and TokensOut are what the agent says it consumed; zero if it says nothing.
	TokensIn, TokensOut uint64
	// Rescued is true for a failure that its user did not see, as another variant answered.
	Rescued bool
	// User is a keyed hash of who asked; zero if nobody knows. Flight.Record sets it.
	User uint64
	// Surplus is true for what [Window.Arrive] did not admit: it is no evidence. Flight.Record sets it.
	Surplus bool
}

// seen reports whether the user saw a failure.
func (o *Outcome) seen() bool { return o.Class == Failure && !o.Rescued }
