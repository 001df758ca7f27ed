//go:build unix

package e2e

import (
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/store/storetest"
)

// TestManyServers has two proxies on Sentinel and on a Cluster.
func TestManyServers(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (lines, address string){
		"sentinel": func(t *testing.T) (string, string) {
			s := storetest.StartSentinel(t)
			return "addresses " + strings.Join(s.Addresses(), " ") + "\nmaster_name " + storetest.MasterName, "sentinel " + storetest.MasterName
		},
		"cluster": func(t *testing.T) (string, string) {
			c := storetest.StartCluster(t, 3)
			return "addresses " + strings.Join(c.Addresses(), " ") + "\ncluster", "cluster"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, address := start(t)
			s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), servers: lines}
			s.instance = "one"
			one := startProxy(t, s.caddyfile())
			s.instance = "two"
			two := startProxy(t, s.caddyfile())
			if a := one.mustSplit(0, "weight", "assistant", "green=30%"); !strings.Contains(a.out, "2 of 2 instances") {
				t.Errorf("want both to confirm: %s", a)
			}
			two.mustSplit(0, "kill", "assistant", "--reason", "leaks prompts")
			if got := one.get("u", "/"); got.status != 503 {
				t.Errorf("after the kill was confirmed: %+v", got)
			}
			if got := one.status("assistant").Store.Address; !strings.Contains(got, address) {
				t.Errorf("store: got %q, want it to say %q", got, address)
			}
		})
	}
}
