package splitcmd

import (
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// The Caddyfile adapter, for --config.
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// asCaddy is the variable that makes the test binary a Caddy with the command.
const asCaddy = "SPLITCMD_TEST_AS_CADDY"

func TestMain(m *testing.M) {
	if os.Getenv(asCaddy) != "" {
		caddycmd.Main()
		return
	}
	os.Exit(m.Run())
}

// runCaddy runs Caddy with the given arguments and returns what it printed and its exit code.
func runCaddy(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	cmd.Env = append(os.Environ(), asCaddy+"=1")
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), complaints.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), complaints.String(), 0
}

func TestInsideCaddy(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(&replay{t: t, answers: map[string]string{
		"GET /splits/v1/":                    "list",
		"PATCH /splits/v1/assistant/weights": "cooldown",
		"POST /splits/v1/assistant/revive":   "unconfirmed",
		"GET /splits/v1/nobody":              "unknown_split",
	}})
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	server.Start()
	defer server.Close()

	caddyfile := writeFile(t, "Caddyfile", "{\nadmin unix/"+socket+"\n}\n")
	tests := []struct {
		args   []string
		code   int
		stdout string // part of it
		stderr string // part of it
	}{
		{[]string{"split", "list", "--address", "unix/" + socket + "|0660"}, 0, "blue 90%, green 10%", ""},
		{[]string{"split", "status", "nobody", "--address", "unix/" + socket}, 1, "", "Hint: `split list`"},
		{[]string{"split", "weight", "assistant", "green=1%", "--address", "unix/" + socket}, 2, "", "--force"},
		{[]string{"split", "revive", "assistant", "--address", "unix/" + socket}, 3, "1 of 2", "missing proxy-2"},
		{[]string{"split", "list", "--address", "unix/" + socket + ".nobody"}, 4, "", "is the proxy running?"},
		{[]string{"split", "list", "--json", "--address", "unix/" + socket + ".nobody"}, 4, `"urn:switchback:problem:unreachable"`, "is the proxy running?"},
		{[]string{"split", "list", "--address", "nowhere", "--json"}, 1, `"urn:switchback:problem:invalid"`, `admin address "nowhere"`},
		{[]string{"split", "kill", "assistant", "--reasn", "x", "--json"}, 1, `"urn:switchback:problem:invalid"`, "did you mean --reason?"},
		{[]string{"split", "kill", "assistant", "--reasn", "x"}, 1, "", "`caddy split kill --help`"},
		{[]string{"split", "--help"}, 0, "Exit codes:", ""},
		{[]string{"split", "kill", "--help"}, 0, "docs/reference.md", ""},
		{[]string{"split"}, 0, "Exit codes:", ""},
		{[]string{"split", "kil", "assistant"}, 1, "", `unknown command "kil" for "caddy split"; did you mean "kill"?`},
		{[]string{"split", "list", "--config", caddyfile}, 0, "blue 90%, green 10%", ""},
		{[]string{"split", "weight", "--help"}, 0, "--if revision ", ""},
		{[]string{"split", "weight", "--help"}, 0, "\n  caddy split weight assistant green=10%", ""},
		{[]string{"split", "kill", "--help"}, 0, "\n  caddy split kill assistant --level cut", ""},
		{[]string{"split", "policy", "aply", "assistant"}, 1, "", `unknown command "aply"`},
	}
	for _, tt := range tests {
		stdout, stderr, code := runCaddy(t, tt.args...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%s: exit code %d, want %d\nstdout, want %q:\n%s\nstderr, want %q:\n%s",
				strings.Join(tt.args, " "), code, tt.code, tt.stdout, stdout, tt.stderr, stderr)
		}
		if code == 0 && stderr != "" {
			t.Errorf("%s: complaints though all is well:\n%s", strings.Join(tt.args, " "), stderr)
		}
		if strings.Contains(stdout, "caddyserver.com") {
			t.Errorf("%s: points to Caddy's documentation:\n%s", strings.Join(tt.args, " "), stdout)
		}
		if n := strings.Count(stderr, "rror:"); n > 1 {
			t.Errorf("%s: the error is printed %d times:\n%s", strings.Join(tt.args, " "), n, stderr)
		}
	}
}
