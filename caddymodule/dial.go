package caddymodule

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/switchback-proxy/switchback/rollout"
)

// dialTimeout is how long trying to reach a variant's upstreams may take.
const dialTimeout = time.Second

var errUnhealthy = errors.New("its health check fails, so that no request is sent to it")

// upstreamsOf tries at once to reach all upstreams of a variant's proxies. known is false if there may be more: some that
// cannot be told, or are reached by way of another proxy.
func (h *Handler) upstreamsOf(ctx context.Context, v *Variant) (all []rollout.Upstream, known bool) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	r, err := h.inquiry(ctx, h.probe(), nil)
	if err != nil {
		return nil, false
	}
	known = len(v.proxies) > 0
	var trying sync.WaitGroup
	for _, proxy := range v.proxies {
		upstreams, told := upstreamsFor(proxy, r)
		known = known && told
		found := make([]rollout.Upstream, len(upstreams))
		for i, u := range upstreams {
			trying.Go(func() { found[i] = tryUpstream(ctx, proxy, u) })
		}
		trying.Wait()
		all = append(all, found...)
	}
	return all, known
}

// upstreamsFor lists the upstreams that a proxy would choose from for a request; false if it cannot be told.
func upstreamsFor(proxy *reverseproxy.Handler, r *http.Request) ([]*reverseproxy.Upstream, bool) {
	if t, ok := proxy.Transport.(*reverseproxy.HTTPTransport); ok && t.NetworkProxyRaw != nil {
		return nil, false
	}
	if proxy.DynamicUpstreams == nil {
		return proxy.Upstreams, true
	}
	upstreams, err := proxy.DynamicUpstreams.GetUpstreams(r)
	return upstreams, err == nil
}

// tryUpstream connects to an upstream, unless a health check has found that it is down.
func tryUpstream(ctx context.Context, proxy *reverseproxy.Handler, u *reverseproxy.Upstream) rollout.Upstream {
	found := rollout.Upstream{Address: u.Dial}
	if checks := proxy.HealthChecks; checks != nil && checks.Active != nil && checks.Active.IsEnabled() &&
		proxy.DynamicUpstreams == nil && !u.Healthy() {
		found.Err = errUnhealthy
		return found
	}
	addr, err := caddy.ParseNetworkAddress(caddy.NewReplacer().ReplaceAll(u.Dial, ""))
	if err != nil {
		found.Err = err
		return found
	}
	conn, err := new(net.Dialer).DialContext(ctx, addr.Network, addr.JoinHostPort(0))
	if err != nil {
		found.Err = err
		return found
	}
	found.Err = conn.Close()
	return found
}

// isRefused reports whether an upstream is down for sure: a connection that takes too long may yet come about.
func isRefused(err error) bool {
	var dns *net.DNSError
	switch {
	case errors.Is(err, errUnhealthy), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT),
		errors.Is(err, syscall.EHOSTUNREACH):
		return true
	case errors.As(err, &dns):
		return dns.IsNotFound
	}
	return false
}
