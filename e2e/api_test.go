//go:build unix

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// ask makes a raw call of the control API.
func (p *proxy) ask(method, path, body string, header http.Header) reply {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, "http://127.0.0.1/splits/v1/"+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		r.Header[name] = values
	}
	return send(unixClient(p.t, p.adminSocket()), r)
}

func TestAPI(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	seen := p.ask(http.MethodGet, "assistant", "", nil).header.Get("Etag")
	if seen == "" {
		t.Fatal("no ETag")
	}
	match := http.Header{"If-Match": {seen}}
	got := p.ask(http.MethodPatch, "assistant/weights?wait=2s", `{"weights": {"green": "10%"}, "reason": "e2e", "actor": "me"}`, match)
	if got.status != 200 || !strings.Contains(got.body, "1 of 1 instance") || got.header.Get("Etag") == seen {
		t.Errorf("a change that names what it saw: %+v", got)
	}
	for _, tt := range []struct {
		name, method, path, body string
		header                   http.Header
		status                   int
		kind                     string
	}{
		{"an old ETag", http.MethodPatch, "assistant/weights", `{"weights": {"green": "20%"}}`, match, 412, "stale"},
		{"an old ETag, kill", http.MethodPost, "assistant/kill", `{}`, match, 412, "stale"},
		{"unknown split", http.MethodGet, "nobody", "", nil, 404, "unknown-split"},
		{"unknown variant", http.MethodPatch, "assistant/weights", `{"weights": {"red": "20%"}}`, nil, 404, "unknown-variant"},
		{"unknown field", http.MethodPatch, "assistant/weights", `{"weight": {"green": "20%"}}`, nil, 422, "invalid"},
		{"no JSON", http.MethodPatch, "assistant/weights", `green=20%`, nil, 400, "malformed"},
		{"over 100 %", http.MethodPatch, "assistant/weights", `{"weights": {"green": "120%"}}`, nil, 422, "invalid"},
		{"two that do not add up", http.MethodPatch, "assistant/weights", `{"weights": {"green": "20%", "blue": "20%"}}`, nil, 422, "invalid"},
		{"wrong method", http.MethodGet, "assistant/kill", "", nil, 405, "method"},
		{"wrong level", http.MethodPost, "assistant/kill", `{"level": "hard"}`, nil, 422, "invalid"},
		{"stable alone", http.MethodPost, "assistant/kill", `{"variant": "blue"}`, nil, 409, "refused"},
		{"nothing to revive", http.MethodPost, "assistant/revive", `{"ids": ["0000"]}`, nil, 409, "refused"},
		{"form post from a browser", http.MethodPost, "assistant/kill", `{}`, http.Header{"Content-Type": {"text/plain"}}, 415, "media-type"},
	} {
		got := p.ask(tt.method, tt.path, tt.body, tt.header)
		var problem struct{ Type, Title, Detail string }
		err := json.Unmarshal([]byte(got.body), &problem)
		if got.status != tt.status || got.header.Get("Content-Type") != "application/problem+json" || err != nil ||
			problem.Type != "urn:switchback:problem:"+tt.kind || problem.Detail == "" || problem.Title == "" {
			t.Errorf("%s: want %d, %s; got %+v", tt.name, tt.status, tt.kind, got)
		}
	}
	if got := p.share("assistant", "green").String(); got != "10%" {
		t.Errorf("share is %s after all that was refused, want 10%%", got)
	}
	mustShowWhoAsked(t, p)
}

// mustShowWhoAsked wants the claim and what was verified in the audit log.
func mustShowWhoAsked(t *testing.T, p *proxy) {
	t.Helper()
	events, err := p.client.Events(t.Context(), "assistant", 1)
	if err != nil || len(events.Events) != 1 {
		t.Fatalf("events: %+v, %v", events, err)
	}
	if got := events.Events[0]; got.Actor != "me" || got.Via != "socket" || got.Reason != "e2e" {
		t.Errorf("who asked: %+v", got)
	}
}

// TestExitCodes goes through those of a proxy that is well; the outages have the others.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	version := strings.Trim(p.ask(http.MethodGet, "assistant", "", nil).header.Get("Etag"), `"`)
	p.mustSplit(0, "weight", "assistant", "green=10%", "--if", version)
	p.mustSplit(2, "weight", "assistant", "green=20%", "--if", version)
	p.mustSplit(1, "weight", "assistant", "red=20%")
	p.mustSplit(1, "weight", "assistant", "green=20")
	p.mustSplit(1, "weight", "nobody", "green=20%")
	p.mustSplit(1, "weight", "assistant")
	p.mustSplit(1, "kill", "assistant", "--level", "hard")
	p.mustSplit(1, "kil", "assistant")
	p.mustSplit(2, "kill", "assistant", "blue")
	if a := p.mustSplit(0, "list", "--json"); !json.Valid([]byte(a.out)) {
		t.Errorf("list --json is no JSON: %s", a)
	}
	p.stop()
	a := p.mustSplit(4, "status", "assistant")
	if !strings.Contains(a.err, "Hint:") {
		t.Errorf("want a hint: %s", a)
	}
}
