package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// maxStream returns how long reverse proxies let an upgraded connection live (stream_timeout): the shortest time, 0 for
// ever. They end one without a close frame, as an agent does that is gone.
func maxStream(proxies []*reverseproxy.Handler) (shortest time.Duration) {
	for _, p := range proxies {
		shortest = shorter(shortest, time.Duration(p.StreamTimeout))
	}
	return shortest
}

// shorter is the shorter of two times, of which 0 is for ever.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
