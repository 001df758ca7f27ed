package splitcmd

import (
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
)

func TestLimitsInWords(t *testing.T) {
	second := health.Duration(time.Second)
	tests := []struct {
		in   health.Limits
		want string
	}{
		{health.DefaultLimits(), "max_error_rate 5%; window 1m, at least 20 requests"},
		{
			health.Limits{
				Window: 90 * second, MinRequests: 1, MaxErrorRate: 0.0125, MaxMeanLatency: 3 * second,
				MaxLatency: &health.QuantileLimit{Quantile: 0.95, Max: 8 * second}, MaxTTFT: &health.QuantileLimit{Quantile: 0.999, Max: second},
			},
			"max_error_rate 1.25%; mean latency 3s; p95 latency 8s; p99.9 ttft 1s; window 1m30s, at least 1 request",
		},
	}
	for _, tt := range tests {
		if got := inWords(tt.in); got != tt.want {
			t.Errorf("inWords(%+v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestFrozenLimitsCountBeforeTheFiles(t *testing.T) {
	var file control.Status
	file.File.Policy.Failback = &health.Limits{Window: health.Duration(time.Hour)}
	frozen, off, broken := file, file, file
	frozen.Policy = []byte(`{"failback":{"window":"30s"}}`)
	off.Policy = []byte(`{"cooldown":"15m"}`)
	broken.Policy = []byte(`[]`)
	tests := []struct {
		name   string
		in     control.Status
		window string
		err    string
	}{
		{"file", file, "1h", ""},
		{"frozen", frozen, "30s", ""},
		{"off", off, "1m", ""},
		{"broken", broken, "1m", "the policy in force cannot be read"},
	}
	for _, tt := range tests {
		_, err := limitsOf(tt.in)
		if got := windowOf(tt.in).String(); got != tt.window || (err != nil) != (tt.err != "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
			t.Errorf("%s: window %s and error %v, want %s and %q", tt.name, got, err, tt.window, tt.err)
		}
	}
}
