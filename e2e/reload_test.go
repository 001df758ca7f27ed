//go:build unix

package e2e

import (
	"strings"
	"testing"
)

func TestReloadKeepsWhatRuns(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), globals: "grace_period 60s"}
	text := strings.Replace(s.caddyfile(), "grace_period 1s", "", 1)
	p := startProxy(t, text)
	p.mustSplit(0, "weight", "assistant", "green=40%")
	user := p.userOf("green")
	open := openSession(t, p, user)
	for range 10 {
		p.mustGet(user, "/")
	}
	before := evidence(p, "green")
	placed := p.placements(50)
	traffic := startLoad(t, p)
	for range 3 {
		p.mustReload(text)
	}
	traffic.mustServe()
	if got := p.share("assistant", "green").String(); got != "40%" {
		t.Errorf("share is %s after a reload, want 40%%: the store wins over the file", got)
	}
	for user, want := range placed {
		if got := p.mustGet(user, "/"); got != want {
			t.Errorf("%s was moved from %s to %s by a reload", user, want, got)
		}
	}
	if after := evidence(p, "green"); after < before {
		t.Errorf("evidence: %d requests before the reload, %d after", before, after)
	}
	for range 10 {
		if _, err := open.stream.ReadString('\n'); err != nil {
			t.Fatalf("the stream ended by a reload: %v", err)
		}
	}
	if a := p.mustSplit(0, "instances"); strings.Count(a.out, "up to date") != 1 {
		t.Errorf("want one member, up to date: %s", a)
	}
}

// evidence returns how many requests count for a variant.
func evidence(p *proxy, variant string) uint64 {
	for _, v := range p.status("assistant").Variants {
		if v.Name == variant {
			return v.Summary.Requests
		}
	}
	return 0
}

// TestBadReloads wants each to be refused with its reason, and the old configuration to go on serving.
func TestBadReloads(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	good := s.caddyfile()
	p := startProxy(t, good)
	traffic := startLoad(t, p)
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"weights of 101 %", "variant green 50%", "variant green 51%", []string{"101 %", "Caddyfile:"}},
		{"unknown stable", "stable blue", "stable red", []string{"red", "Caddyfile:"}},
		{"no such matcher", "failback {", "override green {\nmatch @nobody\n}\nfailback {", []string{"@nobody", "Caddyfile:"}},
		{"users of an untrusted key", "failback {", "override green {\nusers alice\n}\nfailback {", []string{"trusted", "Caddyfile:"}},
		{"a limit that never fails", "max_error_rate 5%", "max_error_rate 100%", []string{"max_error_rate", "Caddyfile:"}},
		{"a header that never comes", "header X-User-ID", "header user_id", []string{"user_id"}},
		{
			"stable renamed", "stable blue\n\t\tcanary green\n\t\tvariant blue", "stable azure\n\t\tcanary green\n\t\tvariant azure",
			[]string{"blue", "azure", "rename", "adopt"},
		},
	} {
		if strings.Count(good, tt.old) != 1 {
			t.Fatalf("%s: %q is not once in the file", tt.name, tt.old)
		}
		p.write(strings.Replace(good, tt.old, tt.new, 1))
		a := p.reload()
		if a.code == 0 {
			t.Errorf("%s: was taken", tt.name)
		}
		for _, want := range tt.want {
			if !strings.Contains(a.err, want) {
				t.Errorf("%s: want %q in %s", tt.name, want, a)
			}
		}
	}
	traffic.mustServe()
	p.mustSplit(0, "weight", "assistant", "green=10%")
	p.mustReload(good)
}

// azure renames the stable variant in a file.
func azure(text string) string {
	return strings.NewReplacer("stable blue", "stable azure", "variant blue", "variant azure").Replace(text)
}

func TestRenameIsAWayOut(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	placed := p.placements(50)
	traffic := startLoad(t, p)
	p.mustSplit(0, "rename", "assistant", "blue=azure")
	p.mustReload(azure(s.caddyfile()))
	traffic.mustServe()
	for user, want := range placed {
		if got := p.mustGet(user, "/"); got != want {
			t.Errorf("%s was moved from %s to %s by a rename", user, want, got)
		}
	}
	if got := p.status("assistant").Stable; got != "azure" {
		t.Errorf("stable is %s, want azure", got)
	}
}

func TestAdoptIsAWayOut(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	p.mustSplit(0, "weight", "assistant", "green=10%")
	p.write(azure(s.caddyfile()))
	if a := p.reload(); a.code == 0 {
		t.Fatalf("reload: %s", a)
	}
	a := p.call("split", "--config", p.configFile(), "adopt", "assistant")
	if a.code != 0 {
		t.Fatalf("adopt: %s", a)
	}
	if a := p.reload(); a.code != 0 {
		t.Fatalf("reload after adopt: %s", a)
	}
	if got := p.status("assistant"); got.Stable != "azure" || p.share("assistant", "azure").String() != "50%" {
		t.Errorf("after adopt: stable %s, %+v", got.Stable, got.Variants)
	}
}

// TestColdStartWithoutStable has a file that lacks the State's stable: its own serves alone, and it is not ready.
func TestColdStartWithoutStable(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	p.stop()
	p.write(azure(s.caddyfile()))
	p.start()
	p.awaitUp()
	for user, got := range p.placements(20) {
		if got != "blue" {
			t.Fatalf("%s gets %s, want the file's stable alone", user, got)
		}
	}
	ready, err := p.client.Ready(t.Context())
	if err != nil || ready.Ready {
		t.Errorf("ready: %+v, %v; want not ready", ready, err)
	}
	if a := p.mustSplit(0, "status", "assistant"); !strings.Contains(a.out, "rename") || !strings.Contains(a.out, "adopt") {
		t.Errorf("want the ways out: %s", a)
	}
	p.mustSplit(0, "rename", "assistant", "blue=azure")
	p.awaitReady()
}

func TestFileAgainstStore(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	p := startProxy(t, s.caddyfile())
	p.mustSplit(0, "weight", "assistant", "green=10%")
	if a := p.mustSplit(0, "status", "assistant"); !strings.Contains(a.out, "--from-file") {
		t.Errorf("want the difference to be said with its way out: %s", a)
	}
	p.mustSplit(0, "weight", "assistant", "--from-file")
	if got := p.share("assistant", "green").String(); got != "50%" {
		t.Errorf("share is %s, want the file's", got)
	}
	s.failback = "max_error_rate 50%\nmin_requests 20"
	p.mustReload(s.caddyfile())
	if got := string(p.status("assistant").Policy); !strings.Contains(got, `"max_error_rate": 0.05`) {
		t.Errorf("policy after a reload: %s, want it frozen at 5%%", got)
	}
	p.mustSplit(0, "policy", "apply", "assistant")
	if got := string(p.status("assistant").Policy); !strings.Contains(got, `"max_error_rate": 0.5`) {
		t.Errorf("policy after policy apply: %s, want 50%%", got)
	}
}

func TestVersionBeginsAnEpoch(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), version: "v1"}
	p := startProxy(t, s.caddyfile())
	p.mustSplit(0, "weight", "assistant", "green=10%")
	before := p.status("assistant")
	p.mustReload(s.caddyfile())
	if got := p.status("assistant"); got.Epoch != before.Epoch {
		t.Errorf("epoch %d after a reload of the same file, want %d", got.Epoch, before.Epoch)
	}
	s.version = "v2"
	p.mustReload(s.caddyfile())
	p.await("a new epoch begins", func() bool { return p.status("assistant").Epoch == before.Epoch+1 })
	t.Logf("share in the new epoch: %s", p.share("assistant", "green"))
	if a := p.mustSplit(0, "events", "assistant"); !strings.Contains(a.out, "version") {
		t.Errorf("want the event: %s", a)
	}
}

// TestReloadOfSettings changes what the process is told of itself, kill on and streams open.
func TestReloadOfSettings(t *testing.T) {
	for _, option := range []string{"max_stale 10m", "boot_wait 3s", "on_stale stable", "secret 0123456789abcdef0123456789"} {
		t.Run("embedded, "+option, func(t *testing.T) {
			t.Parallel()
			s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green")}
			p := startProxy(t, s.caddyfile())
			p.mustSplit(0, "kill", "assistant", "green")
			s.options = option
			p.mustReload(s.caddyfile())
			if got := p.mustGet("u", "/"); got != "blue" {
				t.Errorf("green is killed, and serves after a reload: %s", got)
			}
			if strings.HasPrefix(option, "secret") == strings.Contains(p.log(), "when the process is restarted") {
				t.Errorf("want a word on settings that wait for a restart, and only on those:\n%s", lastLines(p.log(), 5))
			}
		})
	}
	t.Run("redis, max_stale", func(t *testing.T) {
		t.Parallel()
		s := settings{instance: "one"}
		f := startFleet(t, s)
		open := openSession(t, f.one, f.one.userOf("green"))
		s.blue, s.green, s.redis, s.options = f.blue, f.green, f.redis.Addr(), "max_stale 10m"
		f.one.mustReload(strings.Replace(s.caddyfile(), "grace_period 1s", "", 1))
		f.two.mustSplit(0, "kill", "assistant", "--level", "cut")
		open.mustEnd()
	})
}
