//go:build unix

package redis_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay is a path to a server that can begin to swallow all that goes over its present connections, without closing
// them. New connections are whole.
type relay struct {
	listener net.Listener
	target   string
	copying  sync.WaitGroup
	mute     atomic.Bool // answers are swallowed, on all connections

	mu    sync.Mutex // protects following fields
	links []*link
}

// link is one connection through a relay.
type link struct {
	client, server net.Conn
	swallows       atomic.Bool
}

// newRelay starts a relay, which ends with the test.
func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, target: target}
	r.copying.Go(r.accept)
	t.Cleanup(r.close)
	return r
}

// addr returns where the relay listens.
func (r *relay) addr() string { return r.listener.Addr().String() }

// accept links connections until the listener is closed.
func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &link{client: client, server: server}
		r.mu.Lock()
		r.links = append(r.links, l)
		r.mu.Unlock()
		r.copying.Go(func() { l.pass(server, client, nil) })
		r.copying.Go(func() { l.pass(client, server, &r.mute) })
	}
}

// pass copies from one end to the other until either is closed. What comes while mute holds is swallowed; mute may be nil.
func (l *link) pass(to, from net.Conn, mute *atomic.Bool) {
	defer l.close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !l.swallows.Load() && (mute == nil || !mute.Load()) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *link) close() {
	for _, end := range []io.Closer{l.client, l.server} {
		_ = end.Close() // the other direction may have closed it
	}
}

// swallow makes the present connections pass nothing any more.
func (r *relay) swallow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.links {
		l.swallows.Store(true)
	}
}

// close ends everything and waits for it.
func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for _, l := range r.links {
		l.close()
	}
	r.mu.Unlock()
	r.copying.Wait()
}
