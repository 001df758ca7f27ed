package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

// Check is a request by which is found out whether a variant is well: by preflight, by a drill, and before a switch. It goes
// through the variant's own route and is no evidence. A check fails if its answer does not come whole, or is a failure as
// answers are judged, or not as it says here.
type Check struct {
	// Method is the request's. Default: GET.
	Method string `json:"method,omitempty"`

	// URI is the path and query that are asked for. Required. It begins with "/".
	URI string `json:"uri"`

	// Header is sent with the request; Host is the host that is asked. Placeholders such as {env.TOKEN} in values are
	// replaced at load. Default: nothing but a User-Agent, of the host "localhost".
	Header http.Header `json:"header,omitempty"`

	// Body is sent with the request, at most 64 KiB. Default: none.
	Body string `json:"body,omitempty"`

	// Status lists the statuses that are expected: 200 to 599, or 2 to 5 for all that begin so. Default: 2.
	Status []int `json:"status,omitempty"`

	// BodyContains is a text that the first 64 KiB of the answer must have. Default: none.
	BodyContains string `json:"body_contains,omitempty"`

	// Timeout is how long the whole answer may take, 1ms to 1m. Default: 5s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}
