//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestValidateBesideAProxy checks a file while a proxy runs on the same store.
func TestValidateBesideAProxy(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	p.mustSplit(0, "weight", "assistant", "green=10%")
	if a := p.call("validate", "--config", p.configFile()); a.code != 0 {
		t.Errorf("validate beside a running proxy: %s", a)
	}
	if a := p.call("adapt", "--config", p.configFile(), "--validate"); a.code != 0 {
		t.Errorf("adapt beside a running proxy: %s", a)
	}
	if got := p.share("assistant", "green").String(); got != "10%" {
		t.Errorf("share is %s after validate, want 10%%", got)
	}
}

// TestTwoProxiesOnOneFolder starts a second process on an embedded store.
func TestTwoProxiesOnOneFolder(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	first := startProxy(t, s.caddyfile())
	second := newProxy(t, s.caddyfile())
	second.env = append(second.env, "XDG_DATA_HOME="+filepath.Join(first.dir, "data"))
	second.start()
	select {
	case <-second.exited:
	case <-time.After(patience):
		t.Fatal("the second proxy goes on")
	}
	if code := second.process.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if log := second.log(); !strings.Contains(log, filepath.Join(first.dir, "data")) || !strings.Contains(log, "redis") {
		t.Errorf("want it to name the folder and the way out:\n%s", lastLines(log, 3))
	}
	first.mustSplit(0, "weight", "assistant", "green=10%")
}

// TestEmbeddedSurvivesAPowerCut wants what was confirmed to be there after a SIGKILL.
func TestEmbeddedSurvivesAPowerCut(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	p.mustSplit(0, "weight", "assistant", "green=12.345%", "--reason", "odd")
	placed := p.placements(100)
	p.kill()
	p.start()
	p.awaitReady()
	p.awaitShare("assistant", "green", "12.345%")
	for user, want := range placed {
		if got := p.mustGet(user, "/"); got != want {
			t.Errorf("%s was moved from %s to %s by a restart", user, want, got)
		}
	}
	if a := p.mustSplit(0, "events", "assistant"); !strings.Contains(a.out, "odd") {
		t.Errorf("want the event to have survived: %s", a)
	}
}

// nobody is a user who owns nothing.
const nobody = 65534

// TestReadOnlyDisk goes on in memory, and says so. Root may write everywhere, so the proxy is nobody's then.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), embedded: "DIR/store"}
	p := newProxy(t, s.caddyfile())
	store := filepath.Join(p.dir, "store")
	if err := os.Mkdir(store, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		p.user = &syscall.Credential{Uid: nobody, Gid: nobody}
		for _, path := range []string{p.dir, p.configFile()} {
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.start()
	p.awaitReady()
	p.mustSplit(0, "weight", "assistant", "green=10%")
	if got := p.share("assistant", "green").String(); got != "10%" {
		t.Errorf("share is %s, want the change to hold in memory", got)
	}
	a := p.mustSplit(0, "status", "assistant")
	if p.status("assistant").Store.Warning == "" || !strings.Contains(a.out, p.status("assistant").Store.Warning) {
		t.Errorf("want a warning that nothing is kept: %s", a)
	}
	if !strings.Contains(p.log(), store) {
		t.Errorf("want the folder in the log:\n%s", lastLines(p.log(), 5))
	}
	p.mustSplit(0, "kill", "assistant")
	if got := p.get("u", "/"); got.status != 503 {
		t.Errorf("after a kill: %+v", got)
	}
}
