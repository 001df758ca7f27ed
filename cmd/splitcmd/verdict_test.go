package splitcmd

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
)

func TestTowardTheAlarm(t *testing.T) {
	tests := []struct {
		in   float64
		want cell
	}{
		{0, cell{"░░░░░░░░░░ 0%", good}},
		{0.09, cell{"░░░░░░░░░░ 9%", good}},
		{0.1, cell{"█░░░░░░░░░ 10%", doubt}},
		{0.29, cell{"██░░░░░░░░ 29%", doubt}},
		{0.999, cell{"█████████░ 99%", doubt}}, // it is not there yet
		{1, cell{"██████████ 100%", bad}},
		{-1, cell{"░░░░░░░░░░ 0%", good}},
		{7, cell{"██████████ 100%", bad}},
	}
	for _, tt := range tests {
		if got := toward(health.Verdict{Toward: tt.in}); got != tt.want {
			t.Errorf("%g: got %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestStrength(t *testing.T) {
	for in, want := range map[float64]string{0: "<0.01", 0.5: "0.50", 9.99: "9.99", 99.9: "99", 123_456: "123456", 3e38: ">1000000"} {
		if got := strength(in); got != want {
			t.Errorf("%g: got %q, want %q", in, got, want)
		}
	}
}

// What speaks against the canary stands out; a release that says less is shown as far as it goes.
func TestVerdictLine(t *testing.T) {
	v := health.Verdict{Reason: "so it is", Threshold: 100, Toward: 0.5, Streams: []health.StreamVerdict{
		{Stream: "errors", Evidence: 100, Canary: health.Rate{N: 9, K: 3}},
		{Stream: "left", Evidence: 1, Canary: health.Rate{N: 9}},
		{Stream: "aborted", Baseline: health.Rate{N: 9}},
	}}
	show := func(v health.Verdict) string {
		var b bytes.Buffer
		s := session{out: &b, look: look{zone: time.UTC, colours: true}}
		s.printVerdict(control.Status{Verdict: &v, JudgedInstances: 1})
		return b.String()
	}
	got := show(v)
	for _, want := range []string{"\x1b[33m█████░░░░░ 50%\x1b[0m  \x1b[33minconclusive: so it is", "\x1b[31m100\x1b[0m", "\x1b[33m1.00\x1b[0m"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
	if strings.Contains(got, "aborted") {
		t.Errorf("a stream without a request of the canary is shown: %q", got)
	}
	v.Threshold, v.Streams = 0, nil
	if diff := cmp.Diff("verdict   inconclusive: so it is (1 instance)\n", withoutColours(show(v))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
