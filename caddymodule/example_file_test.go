package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
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

// TestExampleValidates loads Caddyfile.example up to the point where servers would start.
func TestExampleValidates(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SWITCHBACK_SECRET", "0123456789abcdef0123456789abcdef")
	t.Setenv("SWITCHBACK_PREVIOUS_SECRET", "fedcba9876543210fedcba9876543210")
	t.Setenv("REDIS_PASSWORD", "redis-password")
	t.Setenv("REDIS_CA", filepath.Join(t.TempDir(), "ca.pem"))
	t.Setenv("GREEN_DIGEST", "sha256:0123")
	adapted, err := adapt(t, readExample(t))
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal([]byte(adapted), &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Errorf("validate: %v", err)
	}
}
