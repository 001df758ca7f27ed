package health_test

import (
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/health"
)

func TestWordsRoundTrip(t *testing.T) {
	for c := health.Excluded; c <= health.Failure; c++ {
		var got health.Class
		if text, err := c.MarshalText(); err != nil || got.UnmarshalText(text) != nil || got != c {
			t.Errorf("class %d became %q and then %d (%v)", c, text, got, err)
		}
	}
	for c := health.CauseNone; c <= health.CauseAborted; c++ {
		var got health.Cause
		if text, err := c.MarshalText(); err != nil || got.UnmarshalText(text) != nil || got != c {
			t.Errorf("cause %d became %q and then %d (%v)", c, text, got, err)
		}
	}
	for r := health.Inconclusive; r <= health.Fail; r++ {
		var got health.Result
		if text, err := r.MarshalText(); err != nil || got.UnmarshalText(text) != nil || got != r {
			t.Errorf("result %d became %q and then %d (%v)", r, text, got, err)
		}
	}
	if got, want := health.Cause(200).String(), "cause_200"; got != want {
		t.Errorf("an unknown cause is %q, want %q", got, want)
	}
	var c health.Cause
	if err := c.UnmarshalText([]byte("gremlins")); err == nil || !strings.Contains(err.Error(), `"gremlins"`) {
		t.Errorf("an unknown word gives %v, want an error that quotes it", err)
	}
}

func TestDurationText(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"60s", "1m"}, {"90s", "1m30s"}, {"15m", "15m"}, {"1h", "1h"}, {"3600s", "1h"}, {"1h0m5s", "1h0m5s"},
		{"250ms", "250ms"}, {"0s", "0s"}, {"10s", "10s"}, {"10m", "10m"},
	} {
		var d health.Duration
		if err := d.UnmarshalText([]byte(tt.in)); err != nil || d.String() != tt.want {
			t.Errorf("%q became %q (%v), want %q", tt.in, d, err, tt.want)
		}
	}
	var d health.Duration
	for _, in := range []string{"", "5", "1d", "soon"} {
		if err := d.UnmarshalText([]byte(in)); err == nil || !strings.Contains(err.Error(), `"`+in+`"`) {
			t.Errorf("%q gives %v, want an error that quotes it", in, err)
		}
	}
}
