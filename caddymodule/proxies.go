package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// proxiesOf lists the reverse proxies among handlers and in their routes, those for errors too.
func proxiesOf(handlers []caddyhttp.MiddlewareHandler) (proxies []*reverseproxy.Handler) {
	for _, h := range handlers {
		switch h := h.(type) {
		case *reverseproxy.Handler:
			proxies = append(proxies, h)
		case *caddyhttp.Subroute:
			routes := h.Routes
			if h.Errors != nil {
				routes = slices.Concat(routes, h.Errors.Routes)
			}
			for _, route := range routes {
				proxies = append(proxies, proxiesOf(route.Handlers)...)
			}
		}
	}
	return proxies
}
