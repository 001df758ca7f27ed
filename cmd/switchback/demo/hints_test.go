package demo

import (
	"strings"
	"testing"
)

// TestHintsNameRealPlaces: what people are told to type must reach this very demo.
func TestHintsNameRealPlaces(t *testing.T) {
	d := &demo{
		greenAt: "127.0.0.1:7002",
		proxies: []*proxy{{site: "127.0.0.1:7000", admin: "unix//tmp/demo/1/admin.sock"}},
	}
	got := d.hints()
	for _, want := range []string{
		"curl -Ni -H 'X-User-ID: me' -d '{}' http://127.0.0.1:7000/v1/chat/completions\n",
		"export CADDY_ADMIN=unix//tmp/demo/1/admin.sock\n",
		" split weight assistant green=10% --force --reason 'it is mended'\n",
		"curl -X PUT 'http://127.0.0.1:7002/-/fail?rate=0.5'\n",
		" split kill assistant --reason 'just trying'\n",
		" split revive assistant\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the hints lack %q:\n%s", want, got)
		}
	}
}
