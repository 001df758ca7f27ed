package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

// handlerOf decodes a handler as Caddy does. Without variants in it, it gets two.
func handlerOf(t *testing.T, doc string) *Handler {
	t.Helper()
	h := new(Handler)
	if err := caddy.StrictUnmarshalJSON([]byte(doc), h); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	if h.Name == "" {
		h.Name = "assistant"
	}
	if h.Variants == nil {
		answer := []json.RawMessage{json.RawMessage(`{"handler":"static_response","body":"hello"}`)}
		h.Stable, h.Canary = "blue", "green"
		h.Variants = []*Variant{
			{Name: "blue", Weight: 99_000, HandlersRaw: answer},
			{Name: "green", Weight: 1_000, HandlersRaw: answer},
		}
	}
	return h
}

func TestPrepareHandler(t *testing.T) {
	t.Setenv("DIGEST", "sha256:0123")
	t.Setenv("TESTER", "alice")
	h := handlerOf(t, `{
		"keys": [
			{"from": "header", "name": "x-user-id", "trusted": true},
			{"from": "placeholder", "name": "{http.auth.user.id}"},
			{"from": "placeholder", "name": "{http.request.header.x-tenant}"},
			{"from": "placeholder", "name": "{http.request.cookie.Uid}"},
			{"from": "placeholder", "name": "{http.request.uri.query.user}"},
			{"from": "client_ip"}
		],
		"overrides": [
			{"variant": "green", "users": ["{env.TESTER}"]},
			{"variant": "green", "match": [{"path": ["/preview/*"]}]}
		]
	}`)
	h.Variants[1].Version = "{env.DIGEST}"
	if err := h.prepare(provisionContext(t)); err != nil {
		t.Fatal(err)
	}
	wantKeys := []KeySource{
		{KeyHeader, "X-User-Id", true},
		{KeyPlaceholder, "{http.auth.user.id}", true},
		{KeyHeader, "X-Tenant", false},
		{KeyCookie, "Uid", false},
		{KeyQuery, "user", false},
		{KeyClientIP, "", false},
	}
	if diff := cmp.Diff(wantKeys, h.Keys); diff != "" {
		t.Errorf("keys: want -, got +:\n%s", diff)
	}
	wantKill := &KillResponse{
		503, "Service temporarily unavailable. Please try again later.", caddy.Duration(30 * time.Second),
	}
	if diff := cmp.Diff(wantKill, h.KillResponse); diff != "" {
		t.Errorf("kill response: want -, got +:\n%s", diff)
	}
	if h.Anonymous != "cookie" {
		t.Errorf("anonymous: got %q, want cookie", h.Anonymous)
	}
	for _, v := range h.Variants {
		if v.handler == nil {
			t.Errorf("variant %q has no handler", v.Name)
		}
	}
	if got := h.Overrides[0].Users; got[0] != "alice" {
		t.Errorf("users: got %q, want alice", got)
	}
	if got := len(h.Overrides[1].matchers); got != 1 {
		t.Errorf("matcher sets: got %d, want 1", got)
	}
	if got := h.definition().Variants[1].Version; got != "sha256:0123" {
		t.Errorf("version: got %q, want sha256:0123", got)
	}
}

func TestDefinition(t *testing.T) {
	defaults, judge := health.DefaultLimits(), health.DefaultSettings()
	minute := health.Duration(time.Minute)
	edited := health.Settings{
		Alpha: 0.05, Ratio: 2, FewUsers: health.FewUsersFailback, Duration: 120 * minute,
		Trickle: health.Trickle{First: 0.1, Watch: 15 * minute, Then: 0.01},
	}
	alone := health.DefaultSettings()
	alone.Trickle = health.Trickle{Off: true}
	for _, tt := range []struct {
		in   string
		want rollout.Policy
	}{
		{`{}`, rollout.Policy{Failback: &defaults, Judge: &judge, Cooldown: 15 * minute}},
		{`{"judge": {}}`, rollout.Policy{Failback: &defaults, Judge: &judge, Cooldown: 15 * minute}},
		{`{"judge": {"off": true}}`, rollout.Policy{Failback: &defaults, Cooldown: 15 * minute}},
		{`{"failback": {"off": true}}`, rollout.Policy{Cooldown: 15 * minute}},
		{`{"failback": {"off": true}, "judge": {"off": true}}`, rollout.Policy{Cooldown: 15 * minute}},
		{`{"judge": {"alpha": 0.05, "ratio": 2, "margin": 0, "latency_margin": 0, "few_users": "failback", "duration": "2h",
			"trickle": {"first": 0.1}}}`, rollout.Policy{Failback: &defaults, Judge: &edited, Cooldown: 15 * minute}},
		{`{"failback": {"max_error_rate": 0}, "judge": {"trickle": {"off": true}}}`, rollout.Policy{
			Failback: &health.Limits{Window: minute, MinRequests: 20}, Judge: &alone, Cooldown: 15 * minute,
		}},
		{`{"failback": {"window": "2m", "cooldown": "1h"}}`, rollout.Policy{
			Failback: &health.Limits{Window: 2 * minute, MinRequests: 20, MaxErrorRate: 0.05}, Judge: &judge, Cooldown: 60 * minute,
		}},
		{`{"failback": {"max_ttft": {"quantile": 0.95, "max": "1m"}, "min_requests": 5}}`, rollout.Policy{
			Failback: &health.Limits{
				Window: minute, MinRequests: 5, MaxTTFT: &health.QuantileLimit{Quantile: 0.95, Max: minute},
			},
			Judge: &judge, Cooldown: 15 * minute,
		}},
	} {
		variants := []rollout.Variant{{Name: "blue", Weight: 99_000}, {Name: "green", Weight: 1_000}}
		want := rollout.Definition{
			Name: "assistant", Stable: "blue", Canary: "green", Variants: variants, Policy: tt.want,
		}
		if diff := cmp.Diff(want, handlerOf(t, tt.in).definition()); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", tt.in, diff)
		}
	}
}

// The fleet is told where overrides lead, so that nobody deletes what they need.
func TestOverriddenVariantsAreTold(t *testing.T) {
	const overrides = `{"overrides": [{"variant": "green", "match": [{}]}, {"variant": "blue", "match": [{}]}, {"variant": "green", "match": [{}]}]}`
	if diff := cmp.Diff([]string{"blue", "green"}, handlerOf(t, overrides).definition().Overrides); diff != "" {
		t.Errorf("overrides (-want +got):\n%s", diff)
	}
}

// TestPrepareHandlerRefuses has what cannot be known, or written, in a Caddyfile; the rest is in testdata.
func TestPrepareHandlerRefuses(t *testing.T) {
	t.Setenv("EMPTY", "")
	const routes = `"handle": [{"handler": "static_response"}]`
	for _, tt := range []struct{ in, want string }{
		{`{"variants": []}`, `traffic_split "assistant": variants: split "assistant" has no variants`},
		{`{"variants": [{"name": "a", "weight": "100%"}]}`, `variants[0].handle: variant "a" has no route`},
		{`{"variants": [{"name": "a", "weight": "99%", ` + routes + `}]}`, `variants: the variants' weights add up to 99 %`},
		{`{"variants": [{"name": "a", "weight": "100%", "version": "{env.EMPTY}", ` + routes + `}]}`,
			`variants[0].version: placeholder {env.EMPTY} is empty or not set`},
		{`{"variants": [{"name": "a", "weight": "100%", "version": "{http.request.host}", ` + routes + `}]}`,
			`variants[0].version: it contains a placeholder that means nothing while`},
		{`{"variants": [{"name": "a", "weight": "100%", "handle": [{"handler": "nobody"}]}]}`,
			`variants[0].handle: variant "a": `},
		{`{"keys": [{"from": "jwt", "name": "sub"}]}`, `keys[0].from: key from "jwt": it must be header, cookie`},
		{`{"keys": [{"from": "client_ip", "name": "x"}]}`, `keys[0]: key "client_ip x": client_ip takes neither`},
		{`{"keys": [{"from": "placeholder", "name": "http.auth.user.id"}]}`, `keys[0].name: key "http.auth.user.id" must be`},
		{`{"keys": [{"from": "header", "name": "user_id"}]}`, `keys[0].name: key "header user_id": Caddy drops headers`},
		{`{"overrides": [{"variant": "green"}]}`, `overrides[0]: override of "green" must have either users or match`},
		{`{"overrides": [{"variant": "green", "match": [{"nobody": {}}]}]}`, `overrides[0].match: override of "green": `},
		{`{"keys": [{"from": "cookie", "name": "u", "trusted": true}],
			"overrides": [{"variant": "green", "users": [""]}]}`,
			`overrides[0].users[0]: user "" of the override of "green" must have 1 to 256 bytes`},
		{`{"failback": {"max_error_rate": 1.5}}`, `failback.max_error_rate: max_error_rate 150%: must be below 100%`},
		{`{"failback": {"window": "1s", "max_error_rate": 2}}`, `failback.window: window 1s: must be from 10s to 1h`},
		{`{"failback": {"min_requests": -1}}`, `failback.min_requests: min_requests -1: must be from 1`},
		{`{"failback": {"cooldown": "-1s"}}`, `failback.cooldown: cooldown -1s must be longer than 0s`},
		{`{"failback": {"max_error_rate": -0.1}}`, `failback.max_error_rate: max_error_rate -10%: must be above 0%`},
		{`{"failback": {"max_error_rate": 0}, "judge": {"off": true}}`, `failback.max_error_rate: no limit is set and the judge is off`},
		{`{"failback": {"off": true}, "judge": {}}`, `judge: failback is off, so that nothing fails back by itself, and a judge`},
		{`{"judge": {"off": true, "ratio": 2}}`, `judge.off: judge is off and has settings`},
		{`{"judge": {"alpha": -1}}`, `judge.alpha: alpha -1: must be from 0.000001 to 0.2`},
		{`{"judge": {"margin": -0.1}}`, `judge.margin: margin -10pp: must be from 0pp to 50pp`},
		{`{"judge": {"latency_margin": 1}}`, `judge.latency_margin: latency_margin 100pp: must be from 0pp to 50pp`},
		{`{"judge": {"duration": "-1h"}}`, `judge.duration: duration -1h: must be from 1h to 2160h`},
		{`{"judge": {"trickle": {"first": -1}}}`, `judge.trickle: trickle -100%, then 1%: both must be above 0%`},
		{`{"judge": {"trickle": {"off": true, "then": 0.1}}}`, `judge.trickle: trickle is off and has settings`},
		{`{"kill_response": {"retry_after": -1}}`, `kill_response.retry_after: retry_after -1ns must be one second or more`},
	} {
		err := handlerOf(t, tt.in).prepare(provisionContext(t))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s:\n got %v\nwant %s", tt.in, err, tt.want)
		}
	}
}

func TestPrepareApp(t *testing.T) {
	t.Setenv("SECRET", "0123456789abcdef0123456789abcdef")
	t.Setenv("PASSWORD", "p{}w")
	t.Setenv("REGION", "eu")
	ctx := provisionContext(t)
	app := &App{
		Fleet:    "production-{env.REGION}",
		Instance: "proxy-7",
		Secrets:  []string{"{env.SECRET}"},
		Store: &StoreConfig{Redis: &RedisConfig{
			Addresses: []string{"redis-{env.REGION}", "[::1]:7000", "::2"},
			Cluster:   true,
			Password:  "{env.PASSWORD}",
		}},
	}
	if err := app.prepare(ctx); err != nil {
		t.Fatal(err)
	}
	if app.Fleet != "production-eu" || app.Secrets[0] != "0123456789abcdef0123456789abcdef" || app.Store.Embedded != nil {
		t.Errorf("got %+v", app)
	}
	redis := app.redisConfig()
	if diff := cmp.Diff([]string{"redis-eu:6379", "[::1]:7000", "[::2]:6379"}, redis.Addresses); diff != "" {
		t.Errorf("addresses: want -, got +:\n%s", diff)
	}
	if redis.Password != "p{}w" || redis.Fleet != "production-eu" {
		t.Errorf("got %+v", redis)
	}

	app = new(App)
	if err := app.prepare(ctx); err != nil {
		t.Fatal(err)
	}
	if app.Fleet != "default" || app.Instance == "" || strings.Contains(app.Instance, "{") || app.OnStale != "keep" ||
		time.Duration(app.MaxStale) != 5*time.Minute || time.Duration(app.BootWait) != 5*time.Second ||
		!strings.HasSuffix(app.Store.Embedded.Dir, "switchback") || app.Store.Redis != nil {
		t.Errorf("defaults: got %+v", app)
	}
}

func TestPrepareAppRefuses(t *testing.T) {
	t.Setenv("EMPTY", "")
	t.Setenv("BAD", "Not A Name")
	t.Setenv("URL", "redis://:hunter2@ho st")
	for _, tt := range []struct {
		in   *App
		want string
	}{
		{&App{Fleet: "{env.BAD}"}, `fleet: fleet "Not A Name": it must be`},
		{&App{Fleet: "{env.EMPTY}"}, `fleet: placeholder {env.EMPTY} is empty or not set`},
		{&App{Instance: "{env.BAD}"}, `instance: instance "Not A Name": it must be`},
		{&App{Secrets: []string{"{env.EMPTY}"}}, `secrets[0]: placeholder {env.EMPTY} is empty or not set`},
		{&App{Secrets: []string{"{file./none}"}}, `secrets[0]: placeholder {file./none} is empty or not set`},
		{&App{Secrets: []string{"hunter{2}hunter2"}}, `secrets[0]: it contains a placeholder that means nothing`},
		{&App{Secrets: []string{"a", ""}}, `secrets[1]: secret number 2 is empty`},
		{&App{MaxStale: -1}, `max_stale: max_stale -1ns must be longer than 0s`},
		{&App{BootWait: -1}, `boot_wait: boot_wait -1ns must be longer than 0s`},
		{&App{Store: &StoreConfig{Embedded: new(EmbeddedConfig), Redis: new(RedisConfig)}},
			`store: store must be either embedded or redis`},
		{&App{Store: &StoreConfig{Redis: &RedisConfig{URL: "{env.URL}"}}}, `store.redis.url: redis url (not shown`},
		{&App{Store: &StoreConfig{Redis: &RedisConfig{URL: "redis://h", Password: "{env.EMPTY}"}}},
			`store.redis.password: placeholder {env.EMPTY} is empty or not set`},
	} {
		err := tt.in.prepare(provisionContext(t))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%+v:\n got %v\nwant %s", tt.in, err, tt.want)
		}
	}
}
