package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestHeaderFilterIsCaddys asks a real server of Caddy which headers it lets through.
func TestHeaderFilterIsCaddys(t *testing.T) {
	names := []string{
		"X-User-Id", "User-Id", "user_id", "USER_ID", "user.id", "user-name", "user_name", "app_user.id", "App-User-Id",
		"webhook_id", "webhook_user.id", "Webhook-Id", "app.x", "App-X", "_", ".", "a_b-c", "A-B-C",
	}
	for _, filter := range []headerFilter{
		{},
		{underscore: []string{"user_id"}},
		{dot: []string{"user.id"}},
		{underscore: []string{"webhook_*", "USER_name"}},
		{dot: []string{"app.*"}},
		{underscore: []string{"app_user.id", "a_b-c"}, dot: []string{"x.y"}},
		{underscore: []string{"a_*"}, dot: []string{"app_user.id", "webhook.*"}},
	} {
		server := echoServer(t, filter, names)
		for _, name := range names {
			canonical := http.CanonicalHeaderKey(name)
			got, want := filter.passes(canonical), letsThrough(server, canonical)
			if got != want {
				t.Errorf("header %q, filter %+v: got passes %t, Caddy says %t", canonical, filter, got, want)
			}
		}
	}
}

// echoServer is a provisioned server that answers with the header X-Saw-N for each of the names that reaches it.
func echoServer(t *testing.T, filter headerFilter, names []string) *caddyhttp.Server {
	t.Helper()
	echo := http.Header{}
	for _, name := range names {
		canonical := http.CanonicalHeaderKey(name)
		echo["Saw-"+canonical] = []string{"{http.request.header." + canonical + "}"}
	}
	config := map[string]any{"servers": map[string]any{"s": map[string]any{
		"automatic_https":             map[string]any{"disable": true},
		"expected_underscore_headers": filter.underscore,
		"expected_dot_headers":        filter.dot,
		"routes": []any{map[string]any{"handle": []any{map[string]any{
			"handler": "static_response", "headers": echo,
		}}}},
	}}}
	doc, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	app, err := provisionContext(t).LoadModuleByID("http", doc)
	if err != nil {
		t.Fatal(err)
	}
	return app.(*caddyhttp.App).Servers["s"]
}

func letsThrough(server *caddyhttp.Server, name string) bool {
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header[name] = []string{"here"}
	recorder := httptest.NewRecorder()
	server.ServeHTTP(recorder, request)
	for key, values := range recorder.Header() {
		if http.CanonicalHeaderKey(key) == http.CanonicalHeaderKey("Saw-"+name) {
			return values[0] == "here"
		}
	}
	return false
}

// provisionContext is a context in which modules can be loaded, without any configuration.
func provisionContext(t *testing.T) caddy.Context {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}
