//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// filtered is the filter of Caddyfile.example: the snippet without_users.
func filtered(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`(?s)\n(\(without_users\) \{\n.*?\n\}\n)`).FindStringSubmatch(document(t, "Caddyfile.example"))
	if found == nil {
		t.Fatal("Caddyfile.example has no snippet without_users")
	}
	return found[1]
}

// TestUsersAreSeenNowhere gives keys in all the ways that the example knows, to requests that go well and that go wrong,
// and looks for them in all that is written.
func TestUsersAreSeenNowhere(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	s.site = "log {\noutput file DIR/access.log\nimport without_users\n}"
	s.split = "key cookie uid\nkey query user\nresponse_header X-Variant"
	s.globals = "metrics\ndebug\nlog {\nimport without_users\n}"
	p := startProxy(t, filtered(t)+strings.Replace(s.caddyfile(), "key header X-User-ID",
		"key header X-User-ID trusted\noverride green {\nusers listed-secret-user\n}", 1))
	for _, user := range []string{"secret-user-1", "listed-secret-user"} {
		p.mustGet(user, "/")
		p.mustGet("", "/?user="+url.QueryEscape(user)+"&lang=de")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "uid", Value: user})
		send(p.http, r)
	}
	p.mustSplit(0, "kill", "assistant", "green")
	p.mustGet("secret-user-1", "/")
	p.get("secret-user-1", "/break?user=secret-user-2")
	access := filepath.Join(p.dir, "access.log")
	await(t, "the access log has all requests", func() bool {
		data, err := os.ReadFile(access)
		return err == nil && strings.Count(string(data), `"handled request"`) == 8
	})
	p.stop()
	data, err := os.ReadFile(access)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "lang=de") {
		t.Errorf("want the rest of the query in the log:\n%s", data)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		mustPlace(t, line)
	}
	mustNotSay(t, access, "secret-user")
	if !strings.Contains(p.log(), "aborting with incomplete response") {
		t.Errorf("want the broken answer in the log:\n%s", lastLines(p.log(), 20))
	}
	mustNotSay(t, filepath.Join(p.dir, "log"), "secret-user")
	err = filepath.WalkDir(filepath.Join(p.dir, "data"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			mustNotSay(t, path, "secret-user")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// mustPlace wants a line of the access log to say where the request was placed.
func mustPlace(t *testing.T, line string) {
	t.Helper()
	var entry struct {
		Split map[string]struct {
			Variant, Reason, Class string
			Epoch, Bytes           int
			TTFB                   float64
		} `json:"traffic_split"`
	}
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Errorf("%v: %s", err, line)
	}
	if got := entry.Split["assistant"]; got.Variant == "" || got.Reason == "" || got.Epoch != 1 ||
		got.Class == "success" && (got.Bytes == 0 || got.TTFB <= 0) {
		t.Errorf("placement %+v in %s", got, line)
	}
}

func mustNotSay(t *testing.T, path, secret string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		if strings.Contains(line, secret) {
			t.Errorf("%s has %q: %s", path, secret, line)
		}
	}
}

func TestMetricsSurviveReloads(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), globals: "metrics"}
	p := startProxy(t, s.caddyfile())
	green := p.userOf("green")
	for range 5 {
		p.mustGet(green, "/")
	}
	s.green.fail.Store(true)
	p.get(green, "/")
	p.mustSplit(0, "kill", "assistant", "green")
	p.mustReload(s.caddyfile())
	text := p.metrics()
	for _, want := range []string{
		`caddy_traffic_split_requests_total\{cause="none",class="success",split="assistant",variant="green"\} [6-9]`,
		`caddy_traffic_split_requests_total\{cause="status",class="failure",split="assistant",variant="green"\} 1\n`,
		`caddy_traffic_split_weight_ratio\{split="assistant",variant="green"\} 0.5\n`,
		`caddy_traffic_split_killed\{split="assistant",variant="green"\} 1\n`,
		`caddy_traffic_split_killed\{split="assistant",variant="blue"\} 0\n`,
		`caddy_traffic_split_users\{split="assistant",variant="green"\} [1-9]`,
		`caddy_traffic_split_users_failed\{split="assistant",variant="green"\} 1\n`,
		`caddy_traffic_split_few_users\{split="assistant"\} [01]\n`,
		`caddy_traffic_split_state_revision\{split="assistant"\} 2\n`,
		`caddy_traffic_split_state_epoch\{split="assistant"\} 1\n`,
		`caddy_traffic_split_failbacks_total\{split="assistant"\} 0\n`,
		`caddy_traffic_split_ready\{split="assistant"\} 1\n`,
		`caddy_traffic_split_store_age_seconds `,
		`caddy_traffic_split_requests_in_flight\{split="assistant",variant="green"\} 0\n`,
		`caddy_traffic_split_bytes_total\{split="assistant",variant="green"\} [1-9]`,
		`caddy_traffic_split_retries_total\{split="assistant",variant="green"\} 0\n`,
		`caddy_traffic_split_ttfb_seconds_count\{split="assistant",variant="green"\} `,
		`caddy_traffic_split_duration_seconds_bucket\{split="assistant",variant="green",le="600"\} `,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no %s in the metrics:\n%s", want, grep(text, "traffic_split"))
		}
	}
}

// metrics scrapes the admin endpoint.
func (p *proxy) metrics() string {
	p.t.Helper()
	resp, err := unixClient(p.t, p.adminSocket()).Get("http://127.0.0.1/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

func grep(text, what string) string {
	var found []string
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, what) && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return strings.Join(found, "\n")
}

// TestOtherDirectivesSeeThePlacement has placeholders in a header and a matcher on the variable.
func TestOtherDirectivesSeeThePlacement(t *testing.T) {
	t.Parallel()
	blue, green := startAgent(t, "blue"), startAgent(t, "green")
	const handle = `{
			handle {
				request_header X-Seen "{http.traffic_split.assistant.variant} {http.traffic_split.assistant.reason}"
				@on vars traffic_split_assistant green
				header @on X-Matched yes
				header X-Seen "{http.traffic_split.assistant.variant} {http.traffic_split.assistant.reason}"
				reverse_proxy %s
			}
		}`
	s := settings{blue: blue, green: green, split: "response_header X-Variant\nanonymous stable"}
	text := s.caddyfile()
	for _, a := range []*agent{blue, green} {
		text = strings.Replace(text, "50% "+a.addr, "50% "+fmt.Sprintf(handle, a.addr), 1)
	}
	p := startProxy(t, text)
	for user, want := range map[string]reply{
		p.userOf("green"): {body: "green", header: http.Header{"X-Variant": {"green"}, "X-Seen": {"green SPLIT"}, "X-Matched": {"yes"}}},
		p.userOf("blue"):  {body: "blue", header: http.Header{"X-Variant": {"blue"}, "X-Seen": {"blue SPLIT"}}},
		"":                {body: "blue", header: http.Header{"X-Variant": {"blue"}, "X-Seen": {"blue DEFAULT"}}},
	} {
		got := p.get(user, "/")
		if got.body != want.body {
			t.Errorf("%q gets %s, want %s", user, got.body, want.body)
		}
		for _, name := range []string{"X-Variant", "X-Seen", "X-Matched"} {
			if g, w := got.header.Get(name), want.header.Get(name); g != w {
				t.Errorf("%q gets %s: %q, want %q", user, name, g, w)
			}
		}
		if len(got.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%q gets a cookie, with anonymous stable", user)
		}
	}
}
