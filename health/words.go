package health

import (
	"fmt"
	"slices"
)

// The words for classes, causes and results, as metrics, logs and JSON carry them; indexed by value.
var (
	classNames = []string{Excluded: "excluded", Success: "success", Failure: "failure"}
	causeNames = []string{
		CauseNone:        "none",
		CauseDial:        "dial",
		CauseTimeout:     "timeout",
		CauseUnavailable: "unavailable",
		CauseStatus:      "status",
		CauseReset:       "reset",
		CauseError:       "error",
		CauseClientLeft:  "client_left",
		CauseThrottled:   "throttled",
		CauseClientError: "client_error",
		CauseKilled:      "killed",
		CauseTruncated:   "truncated",
		CauseProtocol:    "protocol_error",
		CauseGRPC:        "grpc",
		CauseAgentSaid:   "agent_said",
		CauseStall:       "stall",
		CauseAborted:     "aborted",
		CauseProxyClosed: "proxy_closed",
		CauseLeft:        "left",
	}
	resultNames   = []string{Inconclusive: "inconclusive", Pass: "pass", Fail: "fail"}
	fewUsersNames = []string{FewUsersHold: "hold", FewUsersFailback: "failback"}
)

const (
	numClasses = int(Failure) + 1
	numCauses  = int(CauseLeft) + 1
)

// String returns the class's word: excluded, success, failure.
func (c Class) String() string { return wordOf("class", classNames, uint8(c)) }

// MarshalText returns the class's word.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the class's word.
func (c *Class) UnmarshalText(text []byte) error {
	i, err := valueOf("class", classNames, text)
	*c = Class(i)
	return err
}

// String returns the cause's word: none, dial, timeout, unavailable, status, reset, error, client_left, throttled,
// client_error, killed, truncated, protocol_error, grpc, agent_said, stall, aborted, proxy_closed, left.
func (c Cause) String() string { return wordOf("cause", causeNames, uint8(c)) }

// MarshalText returns the cause's word.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the cause's word.
func (c *Cause) UnmarshalText(text []byte) error {
	i, err := valueOf("cause", causeNames, text)
	*c = Cause(i)
	return err
}

// String returns the result's word: inconclusive, pass, fail.
func (r Result) String() string { return wordOf("result", resultNames, uint8(r)) }

// MarshalText returns the result's word.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the result's word.
func (r *Result) UnmarshalText(text []byte) error {
	i, err := valueOf("result", resultNames, text)
	*r = Result(i)
	return err
}

// String returns the rule's word: hold, failback.
func (f OnFewUsers) String() string { return wordOf("few_users", fewUsersNames, uint8(f)) }

// MarshalText returns the rule's word.
func (f OnFewUsers) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads the rule's word.
func (f *OnFewUsers) UnmarshalText(text []byte) error {
	i, err := valueOf("few_users", fewUsersNames, text)
	*f = OnFewUsers(i)
	return err
}

func wordOf(kind string, words []string, i uint8) string {
	if int(i) < len(words) {
		return words[i]
	}
	return fmt.Sprintf("%s_%d", kind, i)
}

func valueOf(kind string, words []string, text []byte) (uint8, error) {
	i := slices.Index(words, string(text))
	if i < 0 {
		return 0, fmt.Errorf("%q is no %s, known are %q", text, kind, words)
	}
	return uint8(i), nil
}
