package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/sim"
)

// TestMain lets the test binary be a proxy too, as the program is.
func TestMain(m *testing.M) {
	if os.Getenv(asProxy) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// tiny shows that everything can be measured; its figures mean nothing, nor are they looked at.
var tiny = scale{tries: 1, pairs: 1, blocks: 2, block: 80, chats: 16, delays: 2, changes: 6, polled: 2, streams: 20, rounds: 1,
	cut: 20, kills: 1, healthy: 2 * time.Second, outage: 2 * time.Second, trials: 1, scenarios: []string{"errors-100", "nobody"},
	fleets: []int{1, 2}, judged: 200, aging: 4 * time.Second, members: 4, idle: time.Second, faults: []string{"pub/sub cut"},
	span: 300 * time.Millisecond, simulate: sim.Scale{Healthy: time.Minute, Runs: 1, Detections: 1}}

func TestEverythingCanBeMeasured(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the processor time of another process can be measured on Linux only")
	}
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("CI") == "" {
		t.Skip("redis-server is not installed (apt install redis-server)")
	}
	for _, m := range measurements {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel() // most of them wait most of the time
			l := newLab(t.TempDir())
			rows, err := m.measure(t.Context(), l, tiny)
			if err := errors.Join(err, l.close()); err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				t.Error("no row")
			}
			for _, r := range rows {
				if r.What == "" || r.Measured == "" || r.Bar == "" {
					t.Errorf("row %+v says too little", r)
				}
			}
		})
	}
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		args string
		code int
		want string // part of the messages
	}{
		{"--only decide,nothing", exitFailed, `--only "nothing": must be some of decide, overhead,`},
		{"--full", exitFailed, "-quick"},
		{"decide", exitFailed, `argument "decide": there are only flags`},
		{"--health -1m", exitFailed, "--health -1m0s, --outage 0s: must not be negative"},
		{"--help", 0, "-json"},
	}
	for _, tt := range tests {
		var out, messages bytes.Buffer
		code := run(t.Context(), strings.Fields(tt.args), &out, &messages)
		if code != tt.code || !strings.Contains(messages.String(), tt.want) || out.Len() > 0 {
			t.Errorf("run(%s) = %d, printed %q and %q; want %d, nothing and %q", tt.args, code, &out, &messages, tt.code, tt.want)
		}
	}
}

func TestScale(t *testing.T) {
	tests := []struct {
		args            string
		healthy, outage time.Duration
	}{
		{"", full.healthy, full.outage},
		{"--quick", quick.healthy, quick.outage},
		{"--quick --health 30m", 30 * time.Minute, quick.outage},
		{"--outage 10m", full.healthy, 10 * time.Minute},
	}
	for _, tt := range tests {
		o, err := parse(strings.Fields(tt.args), io.Discard)
		if s := o.scale(); err != nil || s.healthy != tt.healthy || s.outage != tt.outage {
			t.Errorf("parse(%q): got %s of health and %s of outage, %v; want %s and %s", tt.args, s.healthy, s.outage, err,
				tt.healthy, tt.outage)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, messages bytes.Buffer
	code := run(ctx, []string{"--json"}, &out, &messages)
	var rows []row
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil {
		t.Fatalf("reading %q: %v", &out, err)
	}
	if code != exitFailed || len(rows) != 0 {
		t.Errorf("interrupted before anything was measured: exit code %d and %d rows, want %d and none", code, len(rows), exitFailed)
	}
}

func TestWhatIsMeasured(t *testing.T) {
	tests := []struct {
		args string
		want bool // that faults are
	}{
		{"", false},
		{"--quick", false},
		{"--only faults", true},
	}
	for _, tt := range tests {
		o, err := parse(strings.Fields(tt.args), io.Discard)
		if got := slices.Contains(o.only, "faults"); err != nil || got != tt.want {
			t.Errorf("parse(%q): faults are measured: %t, %v; want %t", tt.args, got, err, tt.want)
		}
	}
}
