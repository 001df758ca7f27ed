package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// maxStream returns how long the reverse_proxies among the handlers, and in their routes, let an upgraded connection live
// (stream_timeout): the shortest time, 0 for ever. They end one without a close frame, as an agent does that is gone.
func maxStream(handlers []caddyhttp.MiddlewareHandler) (shortest time.Duration) {
	for _, h := range handlers {
		switch h := h.(type) {
		case *reverseproxy.Handler:
			shortest = shorter(shortest, time.Duration(h.StreamTimeout))
		case *caddyhttp.Subroute:
			for _, route := range h.Routes {
				shortest = shorter(shortest, maxStream(route.Handlers))
			}
		}
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
