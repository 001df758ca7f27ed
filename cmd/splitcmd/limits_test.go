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
		{health.DefaultLimits(), "max_error_rate 5%; from 20 requests on"},
		{
			health.Limits{
				Window: 90 * second, MinRequests: 1, MaxErrorRate: 0.0125, MaxMeanLatency: 3 * second,
				MaxLatency: &health.QuantileLimit{Quantile: 0.95, Max: 8 * second}, MaxTTFT: &health.QuantileLimit{Quantile: 0.999, Max: second},
			},
			"max_error_rate 1.25%; mean latency 3s; p95 latency 8s; p99.9 ttft 1s; from 1 request on",
		},
		{health.Limits{Window: 90 * second, MinRequests: 1}, "none: the judge alone decides"},
	}
	for _, tt := range tests {
		if got := inWords(tt.in); got != tt.want {
			t.Errorf("inWords(%+v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestJudgeInWords(t *testing.T) {
	defaults, edited := health.DefaultSettings(), health.DefaultSettings()
	edited.Alpha, edited.Margin, edited.FewUsers, edited.Trickle = 0.005, 0, health.FewUsersFailback, health.Trickle{Off: true}
	for _, tt := range []struct {
		in   *health.Settings
		want string
	}{
		{nil, "off: the limits alone decide"},
		{&defaults, "alpha 0.01; ratio 1.2, margin 0.2pp, latency_margin 1pp; duration 24h; trickle 5% for 15m, then 1%; few_users hold"},
		{&edited, "alpha 0.005; ratio 1.2, margin 0pp, latency_margin 1pp; duration 24h; trickle off; few_users failback"},
	} {
		if got := judgeInWords(tt.in); got != tt.want {
			t.Errorf("judgeInWords(%+v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestFrozenLimitsCountBeforeTheFiles(t *testing.T) {
	var file control.Status
	file.File.Policy.Failback = &health.Limits{Window: health.Duration(time.Hour)}
	file.File.Policy.Judge = new(health.Settings)
	frozen, off, broken := file, file, file
	frozen.Policy = []byte(`{"failback":{"window":"30s"}}`)
	off.Policy = []byte(`{"cooldown":"15m"}`)
	broken.Policy = []byte(`[]`)
	tests := []struct {
		name   string
		in     control.Status
		window string
		judge  bool
		err    string
	}{
		{"file", file, "1h", true, ""},
		{"frozen", frozen, "30s", false, ""},
		{"off", off, "1m", false, ""},
		{"broken", broken, "1m", false, "the policy in force cannot be read"},
	}
	for _, tt := range tests {
		got, err := rulesOf(tt.in)
		if judge := got.Judge != nil; judge != tt.judge {
			t.Errorf("%s: judge %t, want %t", tt.name, judge, tt.judge)
		}
		if got := windowOf(tt.in).String(); got != tt.window || (err != nil) != (tt.err != "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
			t.Errorf("%s: window %s and error %v, want %s and %q", tt.name, got, err, tt.window, tt.err)
		}
	}
}
