package caddymodule

import (
	"fmt"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

// Rollout says how the canary gets from its first users to everybody by itself, once a rollout is started. What it says
// then is frozen into the State: an edited file applies to the next one. A plan by which no canary could ever pass, or
// none could fail, is an error.
type Rollout struct {
	// Steps are the canary's shares, in order: strictly rising, the last "100%". A step may have a "bake" of its own; the
	// last has none, as the watch is its. Default: 1%, 5%, 10%, 25%, 50% and 100%.
	Steps []rollout.Step `json:"steps,omitempty"`

	// Bake is how long the canary stays at each step that says nothing else, at least, 1s to 720h. Time in which no proxy
	// runs, or the store is away, does not count. Default: 24h.
	Bake health.Duration `json:"bake,omitempty"`

	// MinRequests is how many judged requests of the canary each step must have seen, in the fleet, before the next; 0 asks
	// for none. Default: 500.
	MinRequests *int `json:"min_requests,omitempty"`

	// MinUsers is how many users the canary must have had since the trial began; 0 asks for none. Default: 50.
	MinUsers *int `json:"min_users,omitempty"`

	// Gates must open before a step is taken, besides the one that is always there: that the verdict is pass. Each is either
	// a "webhook" or an "approval", before every step or the one that it names. Placeholders such as {env.GATE_URL} in a
	// webhook are replaced whenever it is asked. Its timeout is 100ms to 1m, 10s by default.
	Gates []rollout.Gate `json:"gates,omitempty"`

	// Window is when steps forward are taken: days, hours and a time zone, such as "mon-fri 09:00-17:00 Europe/Berlin".
	// Without days it is every day, without a zone UTC. Default: at any time.
	Window *Window `json:"window,omitempty"`

	// NoTraffic is after how long without a request of the canary people are told, 1m to 720h. Such a rollout is held, and
	// is no failure. Default: 1h.
	NoTraffic health.Duration `json:"no_traffic,omitempty"`

	// Watch is how long a canary that has everything is judged before it becomes stable, 1s to 720h. Default: 48h.
	Watch health.Duration `json:"watch,omitempty"`

	// OnFail says what becomes of a canary that fails: "failback" (default) gives its share back to stable, "pause" leaves
	// it as it is and tells people.
	OnFail string `json:"on_fail,omitempty"`
}

// Window is a rollout.Window that is written as text.
type Window struct{ rollout.Window }

// MarshalText returns the window as [rollout.ParseWindow] reads it.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads what [rollout.ParseWindow] reads.
func (w *Window) UnmarshalText(text []byte) error {
	parsed, err := rollout.ParseWindow(string(text))
	if err != nil {
		return fmt.Errorf("read %q: %w", text, err)
	}
	w.Window = *parsed
	return nil
}

// What can become of a canary that fails while it goes by a plan.
const (
	onFailFailback = "failback"
	onFailPause    = "pause"
)
