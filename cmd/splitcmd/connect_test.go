package splitcmd

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/switchback-proxy/switchback/api/control"
)

func TestParseAddress(t *testing.T) {
	tests := []struct{ in, network, address, err string }{
		{"localhost:2019", "tcp", "localhost:2019", ""},
		{"http://localhost:2019/", "tcp", "localhost:2019", ""},
		{":2019", "tcp", ":2019", ""},
		{"tcp4/127.0.0.1:2019", "tcp4", "127.0.0.1:2019", ""},
		{"[::1]:2019", "tcp", "[::1]:2019", ""},
		{"unix//run/switchback/admin.sock", "unix", "/run/switchback/admin.sock", ""},
		{"unix//run/switchback/admin.sock|0660", "unix", "/run/switchback/admin.sock", ""},
		{"localhost", "", "", `admin address "localhost": host:port or unix//path is needed`},
		{"localhost:2019-2021", "", "", `admin address "localhost:2019-2021": host:port or unix//path is needed`},
		{"udp/localhost:2019", "", "", `admin address "udp/localhost:2019": host:port or unix//path is needed`},
		{"fd/3", "", "", `admin address "fd/3": host:port or unix//path is needed`},
	}
	for _, tt := range tests {
		network, address, err := parseAddress(tt.in)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if network != tt.network || address != tt.address || got != tt.err {
			t.Errorf("parseAddress(%q) = %q, %q, %q, want %q, %q, %q", tt.in, network, address, got, tt.network, tt.address, tt.err)
		}
	}
}

// writeFile writes a file into a folder of the test's own and returns its path.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfiguredAddress(t *testing.T) {
	tests := []struct{ name, content, adapter, want, err string }{
		{"Caddyfile", "{\nadmin unix//run/admin.sock\n}\n", "", "unix//run/admin.sock", ""},
		{"Caddyfile", "{\nadmin off\n}\n", "", "", "FILE switches the admin endpoint off (admin off)"},
		{"proxy.caddyfile", "{\ndebug\n}\n", "", caddy.DefaultAdminListen, ""},
		{"proxy.conf", "{\nadmin localhost:2020\n}\n", "caddyfile", "localhost:2020", ""},
		{"caddyfile.json", `{"admin":{"listen":"localhost:2020"}}`, "", "localhost:2020", ""},
		{"caddy.json", `{"admin":{"disabled":true}}`, "", "", "FILE switches the admin endpoint off (admin off)"},
		{"caddy.json", `{}`, "", caddy.DefaultAdminListen, ""},
		{"caddy.json", `[]`, "", "", `finding the admin address in "FILE"`},
		{"proxy.conf", "{\nadmin off\n}\n", "", "", `"FILE" is not valid JSON`},
		{"proxy.conf", "", "nginx", "", `--adapter "nginx": there is no such config adapter`},
		{"Caddyfile", "{\nadmin\n", "", "", `"FILE", read by the adapter caddyfile: `},
	}
	for _, tt := range tests {
		path := writeFile(t, tt.name, tt.content)
		got, err := configuredAddress(path, tt.adapter)
		said := ""
		if err != nil {
			said = strings.ReplaceAll(err.Error(), path, "FILE")
		}
		if got != tt.want || !strings.HasPrefix(said, tt.err) || (tt.err == "") != (said == "") {
			t.Errorf("%s %q: %q, %q, want %q, %q", tt.name, tt.content, got, said, tt.want, tt.err)
		}
	}
}

func TestOtherServersAreNotTakenForTheProxy(t *testing.T) {
	const not = "proxy:80 is no Caddy admin endpoint (default localhost:2019): "
	tests := []struct {
		status int
		body   string
		want   string
		code   int
	}{
		{200, "<!doctype html>", not + "the answer is not Switchback's: invalid character '<' looking for beginning of value", exitError},
		{404, "<!doctype html>", not + "it answers 404 Not Found", exitError},
		{409, `{"error":{"message":"no"}}`, not + "it answers 409 Conflict", exitError},
		{502, "bad gateway", not + "it answers 502 Bad Gateway", exitUnreachable},
		{503, `{"error":"no traffic_split runs"}`, "no traffic_split runs", exitUnreachable},
		{403, `{"error":"host not allowed: proxy"}`, "host not allowed: proxy", exitError},
	}
	for _, tt := range tests {
		client := control.NewClient("http://proxy:80", doer(func(*http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.WriteHeader(tt.status)
			_, err := w.WriteString(tt.body)
			return w.Result(), err
		}))
		_, err := client.List(t.Context())
		if err = notAdmin("proxy:80", err); err == nil || err.Error() != tt.want || exitCode(err) != tt.code {
			t.Errorf("%d %s: %v, exit code %d, want %s, %d", tt.status, tt.body, err, exitCode(err), tt.want, tt.code)
		}
	}
}
