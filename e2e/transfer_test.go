//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/store/storetest"
)

// TestExportImport moves a fleet from one Redis to another, with a kill that the other one must not lose.
func TestExportImport(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.one.mustSplit(0, "weight", "assistant", "green=30%")
	placed := f.one.placements(50)
	f.one.mustSplit(0, "kill", "assistant", "green", "--reason", "loops")
	file := filepath.Join(f.one.dir, "states.json")
	f.one.mustSplit(0, "export", "-o", file)

	elsewhere := storetest.StartRedis(t)
	s := settings{blue: f.blue, green: f.green, redis: elsewhere.Addr(), instance: "three"}
	p := startProxy(t, s.caddyfile())
	p.mustSplit(0, "kill", "assistant", "--reason", "leaks prompts")
	p.mustSplit(0, "import", file, "--dry-run")
	if got := p.share("assistant", "green").String(); got != "50%" {
		t.Errorf("share is %s after a dry run, want the 50%% from before", got)
	}
	if a := p.mustSplit(0, "import", file, "--reason", "moved"); !strings.Contains(a.out, "1 of 1 instance") {
		t.Errorf("want it confirmed: %s", a)
	}
	if got := p.get("u", "/"); got.status != 503 {
		t.Errorf("its own kill is lost: %+v", got)
	}
	if got := p.status("assistant").Kills; len(got) != 2 {
		t.Errorf("kills: got %+v, want those of both", got)
	}
	p.mustSplit(0, "revive", "assistant")
	for user, want := range placed {
		if got := p.mustGet(user, "/"); got != want {
			t.Errorf("%s was moved from %s to %s", user, want, got)
		}
	}
}

// TestForget gives a split up, and has a file name it again later.
func TestForget(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{share: "10%"})
	f.one.mustSplit(0, "weight", "assistant", "green=30%")
	a := f.one.mustSplit(2, "forget", "assistant", "--reason", "gone")
	if !strings.Contains(a.err, "one") || !strings.Contains(a.err, "two") {
		t.Errorf("want it to name who configures it: %s", a)
	}
	caddyfile := f.one.caddyfile()
	without := strings.Replace(caddyfile, "traffic_split assistant", "traffic_split other", 1)
	f.one.mustReload(without)
	f.two.stop()
	f.one.await("nobody configures it", func() bool { return f.one.split("forget", "assistant", "--reason", "gone").code == 0 })
	if a := f.one.mustSplit(0, "events", "assistant"); !strings.Contains(a.out, "forgotten") {
		t.Errorf("want it told: %s", a)
	}
	f.two.start()
	f.two.awaitReady()
	f.two.awaitShare("assistant", "green", "10%")
}

// TestForgetInstance takes a proxy off the list that was killed and will not come back.
func TestForgetInstance(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.one.mustSplit(2, "forget", "--instance", "two")
	f.two.kill()
	f.one.await("it is silent", func() bool { return f.one.split("forget", "--instance", "two").code == 0 })
	if a := f.one.mustSplit(0, "weight", "assistant", "green=20%"); !strings.Contains(a.out, "1 of 1 instance") {
		t.Errorf("want nobody to wait for it: %s", a)
	}
}

// caddyfile returns the proxy's file as it is.
func (p *proxy) caddyfile() string {
	data, err := os.ReadFile(p.configFile())
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}
