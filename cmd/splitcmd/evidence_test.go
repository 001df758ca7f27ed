package splitcmd

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
)

// Excluded requests have latencies too, which are not shown as if they were those of judged ones.
func TestWithoutRequestsNoLatencies(t *testing.T) {
	s := health.Summary{
		Excluded:    map[health.Cause]uint64{health.CauseClientLeft: 3},
		MeanLatency: health.Duration(2 * time.Second),
		Latency:     health.Quantiles{P95: health.Duration(3 * time.Second)},
		TTFB:        health.Quantiles{P95: health.Duration(time.Second)},
	}
	tests := []struct {
		requests uint64
		want     []string
	}{
		{0, []string{"0", "-", "-", "-", "-", "3"}},
		{1, []string{"1", "0%", "2s", "3s", "1s", "3"}},
	}
	for _, tt := range tests {
		s.Requests = tt.requests
		var got []string
		for _, c := range evidenceCells(s) {
			got = append(got, c.text)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d requests (-want +got):\n%s", tt.requests, diff)
		}
	}
}
