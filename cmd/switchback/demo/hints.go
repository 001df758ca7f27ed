package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hints returns commands to play with, for a demo that stays.
func (d *demo) hints() string {
	self, p := commandName(), d.proxies[0]
	var b strings.Builder
	say := func(comment string, commands ...string) {
		fmt.Fprintf(&b, "  # %s\n", comment)
		for _, c := range commands {
			fmt.Fprintf(&b, "  %s\n", c)
		}
	}
	b.WriteString("\nAll of it goes on running. In another terminal, in this folder:\n\n")
	say("ask as a user; X-Agent-Version says who answered",
		fmt.Sprintf("curl -Ni -H 'X-User-ID: me' -d '{}' http://%s/v1/chat/completions", p.site))
	say("tell `split` which proxy to talk to", "export CADDY_ADMIN="+p.admin)
	say("look", self+" split status "+split, self+" split events "+split)
	say("try green again; it failed a moment ago, so that needs --force",
		self+" split weight "+split+" green=10% --force --reason 'it is mended'")
	say("let half of green's answers fail, and watch", fmt.Sprintf("curl -X PUT 'http://%s%s?rate=0.5'", d.greenAt, failPath))
	say("the kill switch, and back", self+" split kill "+split+" --reason 'just trying'", self+" split revive "+split)
	b.WriteString("\nCtrl-C ends it and removes everything.\n\n")
	return b.String()
}

// commandName returns how this program is called. One that `go run` built is gone when it ends, so that is called so.
func commandName() string {
	self, err := os.Executable()
	if err != nil {
		return "switchback"
	}
	if strings.Contains(filepath.ToSlash(self), "/go-build") {
		return "go run ./cmd/switchback"
	}
	return self
}
