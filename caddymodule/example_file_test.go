package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func readExample(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// validate loads a Caddyfile up to the point where servers would start.
func validate(t *testing.T, source string) error {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	adapted, err := adapt(t, source)
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal([]byte(adapted), &config); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(&config)
}

func TestExampleValidates(t *testing.T) {
	t.Setenv("SWITCHBACK_SECRET", "0123456789abcdef0123456789abcdef")
	t.Setenv("SWITCHBACK_PREVIOUS_SECRET", "fedcba9876543210fedcba9876543210")
	t.Setenv("REDIS_PASSWORD", "redis-password")
	t.Setenv("REDIS_CA", filepath.Join(t.TempDir(), "ca.pem"))
	t.Setenv("GREEN_DIGEST", "sha256:0123")
	t.Setenv("CHECK_TOKEN", "check-token")
	t.Setenv("ALERT_URL", "pagerduty:///0123456789abcdef0123456789abcdef")
	t.Setenv("ALERT_SECRET", "alert-secret")
	if err := validate(t, readExample(t)); err != nil {
		t.Errorf("validate: %v", err)
	}
}

// TestExampleNamesItsVariables expects that the head of the file names what it needs of the environment.
func TestExampleNamesItsVariables(t *testing.T) {
	head, rest, _ := strings.Cut(readExample(t), "\n\n")
	for _, name := range regexp.MustCompile(`(?m)^[^#\n]*?\{env\.([A-Z_]+)\}(?: \{env\.([A-Z_]+)\})?`).FindAllStringSubmatch(rest, -1) {
		for _, name := range name[1:] {
			if !regexp.MustCompile(`\b` + name + `\b`).MatchString(head) {
				t.Errorf("the head does not name %s", name)
			}
		}
	}
}

// TestExampleIsComplete finds each directive in Caddyfile.example, in use or in a comment.
func TestExampleIsComplete(t *testing.T) {
	example := readExample(t)
	at := positions{}
	p := &splitParser{split: new(Handler), at: at}
	directives := []string{globalOption, splitDirective, "version", "handle", "users", "match", "body", "retry_after",
		"webhook", "approval"}
	for _, known := range []map[string]subDirective{
		new(App).subDirectives(at),
		new(RedisConfig).subDirectives(at),
		new(Alert).subDirectives("", at),
		p.subDirectives(),
		new(Failback).subDirectives(),
		new(Judge).subDirectives(),
		new(rolloutParser).subDirectives(),
		new(Check).subDirectives(),
		new(Classify).subDirectives(at),
		new(Rescue).subDirectives(at),
		new(Conversation).subDirectives(at),
	} {
		directives = append(directives, sortedKeys(known)...)
	}
	for _, name := range directives {
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(example) {
			t.Errorf("directive %q is missing", name)
		}
	}
}

// TestHeaderKeyNeedsItsServer has a header that one server expects and another drops: the Caddyfile's parser cannot
// tell which one a site will be part of, the server's provisioning can.
func TestHeaderKeyNeedsItsServer(t *testing.T) {
	const source = `{
	admin off
	servers :8081 {
		expected_underscore_headers user_id
	}
}

http://:ADDRESS {
	traffic_split assistant {
		key header user_id
		variant only 100% localhost:8000
	}
}
`
	if err := validate(t, strings.ReplaceAll(source, "ADDRESS", "8081")); err != nil {
		t.Errorf("expected header: %v", err)
	}
	err := validate(t, strings.ReplaceAll(source, "ADDRESS", "8082"))
	if err == nil || !strings.Contains(err.Error(), `key "header user_id": Caddy drops headers`) {
		t.Errorf("header that is not expected: got %v", err)
	}
}
