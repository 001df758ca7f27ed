// Package caddymodule puts Switchback into Caddy: request in, response out. It is the only package that imports
// Caddy. What decides, judges and keeps is elsewhere (splitter, health, rollout, store) and knows nothing of HTTP;
// whoever wants to embed that in something other than Caddy starts there, not here.
//
// Two modules face the user: the app "switchback" ([App], the global option of the same name), which holds what the
// whole process shares, and the handler "http.handlers.traffic_split" ([Handler], the directive traffic_split). Their
// structs are the JSON configuration, and their field comments its reference.
package caddymodule

import (
	"encoding/json"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Handler splits traffic between variants: it finds out who is asking (the key), keeps every user on one variant,
// watches every answer to its last byte, and switches everybody back when the canary breaks its limits.
//
// It ends the route: handlers after it are not run.
//
// Placeholders that it sets, where NAME is the split's name:
//
//	Placeholder                       | Meaning
//	----------------------------------|------------------------------------------------
//	{http.traffic_split.NAME.variant} | the variant that serves the request
//	{http.traffic_split.NAME.reason}  | why: SPLIT, TARGETING_MATCH, DISABLED, STATIC …
type Handler struct {
	// Name is the split's name, the same on every proxy of the fleet. Required. It matches
	// [a-z0-9][a-z0-9_-]{0,62}.
	Name string `json:"name,omitempty"`

	// Keys says where to find who is asking, in order: the first source with a usable value wins. A value is usable
	// if it is not empty, not repeated, at most 256 bytes long and, for a placeholder, resolved. Default: none, so
	// that everybody is anonymous.
	Keys []KeySource `json:"keys,omitempty"`

	// Anonymous says what to do with a request without a key. "cookie" (default) gives it a random ID in a signed
	// cookie and places it by that; "stable" sends it to the stable variant.
	Anonymous string `json:"anonymous,omitempty"`

	// Stable names the trusted variant. Required, unless there is only one variant.
	Stable string `json:"stable,omitempty"`

	// Canary names the variant on trial: the one that is judged and failed back. Default: none.
	Canary string `json:"canary,omitempty"`

	// Variants lists what traffic can go to. At least one; their weights add up to 100 %.
	Variants []*Variant `json:"variants,omitempty"`

	// Overrides places requests regardless of weights; the first that applies wins. A killed variant gets nothing
	// all the same.
	Overrides []*Override `json:"overrides,omitempty"`

	// Failback holds the limits that a canary must keep to. Default: an error rate of at most 5 % over 60 s.
	Failback *Failback `json:"failback,omitempty"`

	// Judge says how the canary is compared with the baseline. Default: all of its defaults; none if failback is off.
	Judge *Judge `json:"judge,omitempty"`

	// Rollout says how the canary gets to everybody by itself, once a rollout is started. Default: all of its defaults.
	Rollout *Rollout `json:"rollout,omitempty"`

	// Contact says who is called when a rollout needs a person, for status and alerts: a text of at most 256 bytes.
	// Placeholders such as {env.ON_CALL} are replaced at load. Default: nobody.
	Contact string `json:"contact,omitempty"`

	// DrillEvery is how often a failback is to be rehearsed (`split drill`), 1h to 8760h: a preflight misses one that is due.
	// Default: it warns after 30 days.
	DrillEvery health.Duration `json:"drill_every,omitempty"`

	// Checks are requests by which is found out whether a variant is well: by preflight, and before a switch. At most 16.
	// Default: none.
	Checks []*Check `json:"checks,omitempty"`

	// Probes is how often besides the first check is asked, 0 to 10; without a check it is GET /, which any answer passes that
	// is no failure. Default: 3.
	Probes *int `json:"probes,omitempty"`

	// Classify says how answers are read for what became of them: agents report most failures inside a 200. Default:
	// the format is found by itself.
	Classify *Classify `json:"classify,omitempty"`

	// FailingStatuses lists the statuses that are the variant's failure: 400 to 599, or 4 and 5 for all that begin so.
	// A 4xx or 5xx that is not listed is nobody's failure. Default: 5.
	FailingStatuses []int `json:"failing_statuses,omitempty"`

	// AgentOutcome says what to make of a header or trailer X-Agent-Outcome of an answer. "trust" (default): "failure"
	// makes the answer a failure whatever else it says; "success" makes an answer that came whole, and whose status is
	// good, a success whatever it holds. "ignore": nothing.
	AgentOutcome string `json:"agent_outcome,omitempty"`

	// Stall is how long an answer that has begun may bring nothing, not even a comment, before it is a failure and is
	// ended; found out after at most a quarter more. While a client is slow to take what there is, nothing is missing.
	// Upgraded connections may be silent. At least 100ms. Default: for ever.
	Stall caddy.Duration `json:"stall,omitempty"`

	// ExcludeRaw is what a request must match to be no evidence: all matchers of any one set. Such requests, like those
	// of a load balancer's health check, are placed and counted like others, but nothing is judged by them. Default:
	// none.
	ExcludeRaw caddyhttp.RawMatcherSets `json:"exclude_from_evidence,omitempty" caddy:"namespace=http.matchers"`

	// Rescue says when stable answers a request that failed on the canary, before the client has seen any of it.
	// Default: when the canary's agent was never reached.
	Rescue *Rescue `json:"rescue,omitempty"`

	// Conversation keeps conversations on the variant that they began on while weights move. Default: none is told from
	// another, and every request is placed by its user's bucket.
	Conversation *Conversation `json:"conversation,omitempty"`

	// KillResponse is the answer while the split is killed. Default: 503 with a sentence, to be tried again in 30 s.
	KillResponse *KillResponse `json:"kill_response,omitempty"`

	// ResponseHeader names a response header that tells the client the variant. Default: none.
	ResponseHeader string `json:"response_header,omitempty"`

	handlerState
}

// KeyFrom is a kind of place where a key can be found.
type KeyFrom string

// The places where a key can be found.
const (
	KeyHeader      KeyFrom = "header"      // a request header
	KeyCookie      KeyFrom = "cookie"      // a cookie
	KeyQuery       KeyFrom = "query"       // a parameter of the query string
	KeyPlaceholder KeyFrom = "placeholder" // any Caddy placeholder
	KeyClientIP    KeyFrom = "client_ip"   // the client's address, as the server's trusted_proxies find it
)

// KeySource is one place where a key can be found.
type KeySource struct {
	// From is header, cookie, query, placeholder or client_ip. Required.
	From KeyFrom `json:"from"`

	// Name is the header's, cookie's or parameter's name, or the placeholder with its braces; one of a header, cookie
	// or parameter is the same as that itself. Required, except for client_ip, which has none. A header whose name
	// contains "_" or "." is an error unless the server expects it (expected_underscore_headers,
	// expected_dot_headers), for Caddy drops such headers before any handler runs.
	Name string `json:"name,omitempty"`

	// Trusted says that clients cannot set this key themselves, because something in front of the proxy, or a
	// handler before this one, sets or verifies it. Overrides by user need a trusted key. Always true for
	// {http.auth.user.*}, which only a successful authentication sets, and {http.reverse_proxy.header.*}, which
	// only the answer to a forward_auth sets. Default: false.
	Trusted bool `json:"trusted,omitempty"`
}

// The ways to treat a request without a key.
const (
	anonymousCookie = "cookie"
	anonymousStable = "stable"
)

// Variant is one thing that traffic can go to.
type Variant struct {
	// Name is the variant's name, the same on every proxy of the fleet. Required. It matches
	// [a-z0-9][a-z0-9_-]{0,62}.
	Name string `json:"name"`

	// Weight is the share of users that the variant begins with: a percentage with at most three decimals, such as
	// "0.5%". It counts only while the store has no State for the split; after that, weights are changed at run
	// time. Default: 0%.
	Weight splitter.Weight `json:"weight"`

	// Version declares the build behind the variant, such as an image digest. A new one begins a new epoch: a canary
	// that failed may be tried again, and evidence starts afresh. Placeholders such as {env.DIGEST} and {file.PATH}
	// are replaced at load. Default: not declared.
	Version string `json:"version,omitempty"`

	// HandlersRaw is the route of the variant, usually one reverse_proxy. Required.
	HandlersRaw []json.RawMessage `json:"handle,omitempty" caddy:"namespace=http.handlers inline_key=handler"`

	handler   caddyhttp.MiddlewareHandler // the loaded route; set by prepare
	plain     bool                        // it is a reverse proxy and nothing else; set by prepare
	traced    bool                        // all its reverse proxies tell of their connections; set by prepare
	retries   bool                        // it may try again, as far as is known; set by prepare
	proxies   []*reverseproxy.Handler     // its reverse proxies; set by prepare
	maxStream time.Duration               // how long it lets an upgraded connection live; 0 is for ever
}

// Override places requests on a variant regardless of weights: either listed users, or whatever a matcher matches.
type Override struct {
	// Variant names the variant to go to. Required.
	Variant string `json:"variant"`

	// Users lists keys; they count only when they come from a trusted source. Placeholders such as {env.TESTER} are
	// replaced at load. Either this or match.
	Users []string `json:"users,omitempty"`

	// MatcherSetsRaw is what a request must match: all matchers of any one set. Either this or users.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	matchers caddyhttp.MatcherSets // the loaded matchers; set by prepare
}

// Classify says how answers are read for what became of them. Nothing of an answer is changed, kept back or logged but
// the protocol's own code for how it ended.
type Classify struct {
	// Format is the protocol in which the agents answer: "openai-chat", "openai-responses", "anthropic", "ag-ui", "a2a",
	// "mcp", "langgraph", "ai-sdk", "sse", "ndjson", "json" or "grpc"; "auto" (default) finds it for each answer, from
	// content type, headers and first events; "off" judges by statuses and broken connections alone.
	Format string `json:"format,omitempty"`

	// KeepEncoding passes the client's Accept-Encoding on to the variants. An answer that comes compressed cannot be
	// looked into. Default: variants are asked not to compress; `encode` in front of the split does so for clients.
	KeepEncoding bool `json:"keep_encoding,omitempty"`
}

// Rescue lets stable answer, once, a request that failed on the canary before the client has seen a byte of an answer.
// It counts as the canary's failure all the same; what stable makes of it is no evidence. Requests that an override
// placed are not rescued: who tests the canary wants to see it fail.
type Rescue struct {
	// Off lets clients have every failure. Excludes everything else. Default: false.
	Off bool `json:"off,omitempty"`

	// When says how far a request may have got. "unreached" (default): every try ended at connecting to the agent, so
	// that nothing can have run twice, and nothing is kept back. "before_payload": the agent may have run; the beginning
	// of its answer is kept back until it brings something of substance, and of the request its body.
	When string `json:"when,omitempty"`

	// Hold is how long the beginning of an answer is kept back at most, counted from its header, while it holds nothing
	// of substance; 1ms to 10s. With before_payload only. Default: 300ms.
	Hold caddy.Duration `json:"hold,omitempty"`

	// AtMost bounds rescues on this proxy to a share of the requests that stable gets anyway, so that stable is not
	// overrun: above 0, at most 1. The first 50 are free. Default: 0.2.
	AtMost float64 `json:"at_most,omitempty"`

	// Body is the greatest size in bytes of a request's body that is kept to be sent again, at most 16 MiB. A request
	// whose body is longer is rescued only if the canary has read nothing of it. Default: 256 KiB.
	Body int64 `json:"body,omitempty"`

	// Statuses lists the canary's statuses that stable answers for: 400 to 599, or 4 and 5 for all that begin so. Each
	// must be among failing_statuses. With before_payload only. Default: failing_statuses.
	Statuses []int `json:"statuses,omitempty"`

	// Timeout is how long the canary may take to begin its answer, counted from when the request has arrived whole, before
	// stable is asked instead. With before_payload only. Default: for ever.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// KillResponse is the answer of a split that is off. It passes by handle_errors, so that an error page cannot hide it.
type KillResponse struct {
	// Status is the HTTP status, 400 to 599. Default: 503.
	Status int `json:"status,omitempty"`

	// Body is sent as plain text. Default: "Service temporarily unavailable. Please try again later."
	Body string `json:"body,omitempty"`

	// RetryAfter is told to clients in the header Retry-After, in whole seconds. Default: 30s.
	RetryAfter caddy.Duration `json:"retry_after,omitempty"`
}
