package caddymodule

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// reach notes how near the tries of a variant's proxies came to its agents. With several tries, only the last one's error
// comes back; and net/http sends some requests again by itself.
type reach struct {
	trace     httptrace.ClientTrace
	connected atomic.Bool // one was had, so that something may have been sent
	replay    *replay     // is dropped once connected; may be nil
}

// watch returns a context in which r is told.
func (r *reach) watch(ctx context.Context) context.Context {
	r.trace.GotConn = func(httptrace.GotConnInfo) {
		r.connected.Store(true)
		r.replay.drop()
	}
	return httptrace.WithClientTrace(ctx, &r.trace)
}

// never reports whether nothing can have been sent to any agent, by proxies that tell of their connections.
func (r *reach) never() bool { return !r.connected.Load() }
