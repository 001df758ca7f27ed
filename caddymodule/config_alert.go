package caddymodule

// Alert is a target that is told of events: somebody, by way of a chat, a pager, a mailbox or a webhook.
type Alert struct {
	// Name names the target in status, metrics and log. It matches [a-z0-9][a-z0-9_-]{0,62}, and no two are the same. What
	// a target was told is remembered by it, over restarts and in the whole fleet.
	Name string `json:"name"`

	// URL is where to: http:// or https:// for a webhook that is sent JSON, or a URL of a service that shoutrrr knows, such as
	// slack://, teams://, discord://, telegram://, pagerduty://, opsgenie:// and smtp://. Most have a secret in them: better
	// as {env.NAME} or {file.PATH} than in clear, for Caddy's admin endpoint shows its configuration.
	URL string `json:"url"`

	// Secret signs what a webhook is sent. Better as {env.NAME} or {file.PATH} than in clear. Default: nothing is signed.
	Secret string `json:"secret,omitempty"`

	// Events lists the kinds of event that are told, such as failback and kill. Default: all that are urgent enough.
	Events []string `json:"events,omitempty"`

	// Severity is how urgent an event must be at least: info, warning or critical. Default: warning, or info if events
	// are listed.
	Severity string `json:"severity,omitempty"`

	// Template makes the text that is sent, a Go text/template; it is tried at load. Default: all that is known of the
	// event, in plain words. Placeholders are not replaced in it.
	Template string `json:"template,omitempty"`
}
