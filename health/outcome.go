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

// The causes of an outcome. Failures: dial to trailer; excluded: the rest.
const (
	CauseNone        Cause = iota // success
	CauseDial                     // the upstream could not be reached
	CauseTimeout                  // the upstream did not answer in time (504)
	CauseUnavailable              // no upstream was available (503 of the proxy itself)
	CauseStatus                   // a failing status
	CauseReset                    // broken off: before the headers, or in the middle of a 200
	CauseError                    // the variant's own handlers failed otherwise
	CauseClientLeft               // the client went away
	CauseThrottled                // 429
	CauseClientError              // another 4xx
	CauseKilled                   // ended by the kill switch
)

// Outcome is what became of one request.
type Outcome struct {
	Class Class
	Cause Cause
	// Answered is whether a payload byte (or the end of an empty answer) was sent; TTFB counts only then.
	Answered bool
	// Upgraded is true for WebSocket and the like: judged by the handshake, Total is the connection's life and no latency.
	Upgraded bool
	TTFB     time.Duration // from the request's arrival to the first payload byte
	Total    time.Duration // from the request's arrival to the end, or to the moment the client left
	Retries  int           // further tries that the variant's reverse_proxy made
}
