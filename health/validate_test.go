package health_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

func TestValidate(t *testing.T) {
	const second = health.Duration(time.Second)
	quantile := func(q float64, max health.Duration) *health.QuantileLimit {
		return &health.QuantileLimit{Quantile: q, Max: max}
	}
	for _, tt := range []struct {
		name string
		in   func(l *health.Limits)
		want string // empty: valid
	}{
		{"defaults", func(*health.Limits) {}, ""},
		{"shortest window", func(l *health.Limits) { l.Window = 10 * second }, ""},
		{"longest window", func(l *health.Limits) { l.Window = 3600 * second }, ""},
		{"too short a window", func(l *health.Limits) { l.Window = 9 * second }, "window 9s: must be from 10s to 1h"},
		{"too long a window", func(l *health.Limits) { l.Window = 3601 * second }, "window 1h0m1s: must be from 10s to 1h"},
		{"no requests needed", func(l *health.Limits) { l.MinRequests = 0 }, "min_requests 0: must be from 1"},
		{"more requests than come", func(l *health.Limits) { l.MinRequests = 1e7 }, "min_requests 10000000: must be from 1 to 1000000"},
		{"rate of 100 %", func(l *health.Limits) { l.MaxErrorRate = 1 }, "max_error_rate 100%: must be below 100%"},
		{"negative rate", func(l *health.Limits) { l.MaxErrorRate = -0.01 }, "max_error_rate -1%: must be above 0%"},
		{"rate that is no number", func(l *health.Limits) { l.MaxErrorRate = math.NaN() }, "max_error_rate NaN%"},
		{"mean below what is measured", func(l *health.Limits) { l.MaxMeanLatency = second / 1001 }, "must be at least 1ms"},
		{"longest mean", func(l *health.Limits) { l.MaxMeanLatency = 600 * second }, ""},
		{"mean beyond what is looked at", func(l *health.Limits) { l.MaxMeanLatency = 601 * second },
			"max_mean_latency 10m1s: must be at most 10m, as no request is looked at for longer"},
		{"latency beyond that", func(l *health.Limits) { l.MaxLatency = quantile(0.95, 601*second) }, "max_latency p95 10m1s: must be at most 10m"},
		{"ttft beyond that", func(l *health.Limits) { l.MaxTTFT = quantile(0.95, 601*second) }, "max_ttft p95 10m1s: must be at most 10m"},
		{"negative mean", func(l *health.Limits) { l.MaxMeanLatency = -second }, "max_mean_latency -1s: must be at least 1ms"},
		{"latency", func(l *health.Limits) { l.MaxLatency = quantile(0.95, 8*second) }, ""},
		{"p100", func(l *health.Limits) { l.MaxLatency = quantile(1, 8*second) }, "max_latency p100: the quantile must be above p0 and below p100"},
		{"p0", func(l *health.Limits) { l.MaxTTFT = quantile(0, second) }, "max_ttft p0:"},
		{"quantile that is no number", func(l *health.Limits) { l.MaxTTFT = quantile(math.NaN(), second) }, "max_ttft pNaN:"},
		{"no time", func(l *health.Limits) { l.MaxTTFT = quantile(0.999, 0) }, "max_ttft p99.9 0s: must be at least 1ms"},
		{"no limit", func(l *health.Limits) { l.MaxErrorRate = 0 }, ""},
		{"latency alone", func(l *health.Limits) { l.MaxErrorRate, l.MaxTTFT = 0, quantile(0.5, second) }, ""},
	} {
		l := health.DefaultLimits()
		tt.in(&l)
		err := l.Validate()
		if tt.want == "" && err != nil {
			t.Errorf("%s: got %q, want no error", tt.name, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestEmptyLimits(t *testing.T) {
	quantile := &health.QuantileLimit{Quantile: 0.5, Max: health.Duration(time.Second)}
	for _, tt := range []struct {
		in   health.Limits
		want bool
	}{
		{health.Limits{Window: health.Duration(time.Minute), MinRequests: 20}, true},
		{health.DefaultLimits(), false},
		{health.Limits{MaxErrorRate: 0.1}, false},
		{health.Limits{MaxLeft: 0.1}, false},
		{health.Limits{MaxMeanLatency: 1}, false},
		{health.Limits{MaxLatency: quantile}, false},
		{health.Limits{MaxTTFT: quantile}, false},
	} {
		if got := tt.in.Empty(); got != tt.want {
			t.Errorf("%+v: empty is %t, want %t", tt.in, got, tt.want)
		}
	}
}

func TestValidateNamesAllThatIsWrong(t *testing.T) {
	err := health.Limits{Window: 1, MaxErrorRate: 2, MinRequests: 1}.Validate()
	for _, want := range []string{"window 1ns", "max_error_rate 200%"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
