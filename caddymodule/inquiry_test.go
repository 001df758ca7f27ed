package caddymodule

import (
	"errors"
	"fmt"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/switchback-proxy/switchback/health"
)

func TestFailureOf(t *testing.T) {
	refused := errors.New("connection refused")
	for _, tt := range []struct {
		code string
		err  error
		want string
	}{
		{"", nil, "dial"},
		{"x", nil, "dial (x)"},
		{"", refused, "dial: connection refused"},
		{"", caddyhttp.Error(502, refused), "dial: connection refused"},
		{"", fmt.Errorf("in a route: %w", caddyhttp.Error(502, refused)), "dial: connection refused"},
	} {
		if got := failureOf(health.CauseDial, tt.code, tt.err).Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
