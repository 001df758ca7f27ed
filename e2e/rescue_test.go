//go:build unix

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// deadAgent is one that nobody runs: its address refuses every connection.
func deadAgent(t *testing.T) *agent {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &agent{name: "dead", addr: l.Addr().String()}
}

// TestRescueUntilFailback has a canary that refuses every connection: no user sees an error, it is failed back for it
// all the same, and log and metrics tell of both.
func TestRescueUntilFailback(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: deadAgent(t), share: "20%"}
	p := startProxy(t, s.caddyfile())
	rescued, user := 0, 0
	p.await("green is failed back", func() bool {
		for range 50 {
			user++
			r := p.get(fmt.Sprintf("user-%d", user), "/")
			if r.err != nil || r.status != http.StatusOK || r.body != "blue" {
				t.Fatalf("user %d sees %d %q, %v", user, r.status, r.body, r.err)
			}
			if from := r.header.Get("X-Switchback-Rescued"); from != "" && from != "dial" {
				t.Fatalf("user %d: rescued from %q, want dial", user, from)
			} else if from != "" {
				rescued++
			}
		}
		return p.share("assistant", "green") == 0
	})
	if rescued < 20 {
		t.Errorf("%d of %d requests were rescued; it takes 20 failures to fail back", rescued, user)
	}
	metric := fmt.Sprintf(`caddy_traffic_split_rescues_total{result="success",split="assistant",variant="green"} %d`, rescued)
	log, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "is answered by stable"); n != 1 || strings.Contains(string(log), "user-") {
		t.Errorf("the log tells of rescues %d times, want once, and of no user:\n%s", n, log)
	}
	if metrics := p.metrics(); !strings.Contains(metrics, metric) {
		t.Errorf("want %s", metric)
	}
}
