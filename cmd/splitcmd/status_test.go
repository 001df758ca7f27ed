package splitcmd

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// A cooldown is told while it lasts.
func TestCooldownLine(t *testing.T) {
	until := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for now, want := range map[time.Time]bool{until.Add(-time.Second): true, until: false, until.Add(time.Hour): false} {
		var b bytes.Buffer
		s := session{out: &b, look: look{zone: time.UTC}}
		s.printHead(control.Status{Now: now, Cooldown: splitter.Cooldown{Until: until, Failbacks: 1}})
		if got := strings.Contains(b.String(), "cooldown  until 2026-11-22 12:00:00 UTC"); got != want {
			t.Errorf("at %s: got %t, want %t: %q", now, got, want, b.String())
		}
	}
}
