package splitcmd

import (
	"testing"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// A pause is seen at a glance: as an alarm while the canary fails and somebody has it.
func TestHeadlineOfAPause(t *testing.T) {
	exposed := &control.Exposure{Canary: "v2", Share: 95_000, Stable: "v1"}
	kill := []splitter.Kill{{ID: "k", Variant: "v2"}}
	for _, tt := range []struct {
		name         string
		actor        string
		exposed      *control.Exposure
		kills        []splitter.Kill
		want, inList string
	}{
		{"by a person", "alice", nil, nil, "\x1b[33mpaused by alice\x1b[0m  (trial, epoch 7)", "\x1b[33mtrial, paused\x1b[0m"},
		{"by nobody known", "", nil, nil, "\x1b[33mpaused\x1b[0m  (trial, epoch 7)", "\x1b[33mtrial, paused\x1b[0m"},
		{"its canary fails", "switchback", exposed, nil,
			"\x1b[31mPAUSED: v2 failed and still has 95% of the users\x1b[0m  (trial, epoch 7)", "\x1b[31mtrial, paused\x1b[0m"},
		{"and is killed", "switchback", nil, kill, "\x1b[31mv2 KILLED\x1b[0m  (trial, epoch 7)", "\x1b[33mtrial, paused\x1b[0m"},
	} {
		status := control.Status{Epoch: 7, Kills: tt.kills, Progress: splitter.Progress{Phase: splitter.PhaseTrial},
			Plan: &control.PlanStatus{Paused: &splitter.Pause{Actor: tt.actor}, Exposed: tt.exposed}}
		s := &session{look: look{colours: true}}
		if got := s.headline(status); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if c := phaseCell(status); s.look.paint(c.text, c.colour) != tt.inList {
			t.Errorf("%s: in a list got %q, want %q", tt.name, s.look.paint(c.text, c.colour), tt.inList)
		}
	}
}
