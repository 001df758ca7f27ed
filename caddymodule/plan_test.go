package caddymodule

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

func TestPlan(t *testing.T) {
	const hour = health.Duration(time.Hour)
	if plan := handlerOf(t, `{}`).definition().Plan; plan != nil {
		t.Errorf("without a rollout: got %v, want none", plan)
	}
	defaults := rollout.DefaultPlan()
	for _, tt := range []struct {
		in     string
		change func(*rollout.Plan)
	}{
		{`{}`, func(*rollout.Plan) {}},
		{`{"min_requests": 0, "min_users": 0, "on_fail": "failback"}`, func(p *rollout.Plan) { p.MinRequests, p.MinUsers = 0, 0 }},
		{`{"no_traffic": "2h", "watch": "1h", "on_fail": "pause"}`, func(p *rollout.Plan) {
			p.NoTraffic, p.Watch, p.OnFail = 2*hour, hour, rollout.OnFailPause
		}},
		{`{"bake": "6h", "steps": [{"weight": "1%", "bake": "1h"}, {"weight": "5%"}, {"weight": "100%"}]}`, func(p *rollout.Plan) {
			p.Steps = []rollout.Step{{Weight: 1000, Bake: hour}, {Weight: 5000, Bake: 6 * hour}, {Weight: 100_000}}
		}},
		{`{"gates": [{"webhook": "https://gate.internal/", "before": "25%"}, {"approval": true}]}`, func(p *rollout.Plan) {
			p.Gates = []rollout.Gate{
				{Webhook: "https://gate.internal/", Timeout: health.Duration(10 * time.Second), Before: 25_000}, {Approval: true},
			}
		}},
		{`{"window": "sat 09:00-17:00"}`, func(p *rollout.Plan) {
			p.Window = &rollout.Window{Days: []time.Weekday{time.Saturday}, From: 540, To: 1020}
		}},
	} {
		want := defaults
		tt.change(&want)
		h := handlerOf(t, `{"rollout": `+tt.in+`}`)
		if err := h.validate(asWritten); err != nil {
			t.Errorf("%s: %v", tt.in, err)
		}
		if diff := cmp.Diff(&want, h.definition().Plan); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", tt.in, diff)
		}
	}
}

// What the file says of steps without a time of their own is told too: other steps than its own are held by it.
func TestPlanTellsItsBake(t *testing.T) {
	for in, want := range map[string]time.Duration{
		`{}`: 0, `{"rollout": {}}`: 0, `{"rollout": {"bake": "6h", "steps": [{"weight": "1%", "bake": "1h"}, {"weight": "100%"}]}}`: 6 * time.Hour,
	} {
		if got := handlerOf(t, in).definition().Bake; got != health.Duration(want) {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// TestWebhookKeepsItsPlaceholders loads a webhook whose address is a secret: it is checked, and never in the definition, which
// goes into the store.
func TestWebhookKeepsItsPlaceholders(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"https://gate.internal/hook?token=s3cret", ""},
		{"gate.internal/s3cret", "rollout.gates[0]: the webhook of a gate must be a URL that begins with http:// or https://"},
		{"ftp://s3cret@gate.internal/s3cret", `rollout.gates[0]: webhook "ftp://gate.internal" of a gate: must be a URL that begins with http:// or https://`},
		{"", "rollout.gates[0].webhook: placeholder {env.GATE_URL} is empty or not set"},
	} {
		t.Setenv("GATE_URL", tt.url)
		h := handlerOf(t, `{"rollout": {"gates": [{"webhook": "{env.GATE_URL}"}]}}`)
		err := h.load(provisionContext(t))
		if got := h.definition().Plan.Gates[0].Webhook; got != "{env.GATE_URL}" {
			t.Errorf("%q: the definition has %q", tt.url, got)
		}
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
			t.Errorf("%q: got %v, want %q", tt.url, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error has the secret: %v", tt.url, err)
		}
	}
}

// TestWindowIsText writes and reads a window as configurations have it.
func TestWindowIsText(t *testing.T) {
	h := handlerOf(t, `{"rollout": {"window": "mon-fri 9:00-17:00 Europe/Berlin"}}`)
	text, err := h.Rollout.Window.MarshalText()
	if want := "mon-fri 09:00-17:00 Europe/Berlin"; err != nil || string(text) != want {
		t.Errorf("got %q, %v; want %q", text, err, want)
	}
	if err := new(Window).UnmarshalText([]byte("noon")); err == nil {
		t.Error("noon was read as a window")
	}
}
