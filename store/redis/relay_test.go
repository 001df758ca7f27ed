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
	loss     atomic.Pointer[loss]

	mu    sync.Mutex // protects following fields
	links []*link
}

// link is one connection through a relay.
type link struct {
	client, server net.Conn
	swallows       atomic.Bool
}

// loss is one answer that does not arrive. It is held back until end is called; then its connection breaks. Meanwhile new
// connections pass nothing.
type loss struct {
	begin sync.Once
	held  chan struct{} // closed once there is an answer to lose
	over  chan struct{}
	end   func()
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
		if loss := r.loss.Load(); loss != nil {
			loss.waitIfHeld()
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
		r.copying.Go(func() { l.pass(client, server, r.losesAnswer) })
	}
}

// pass copies from one end to the other until either is closed, but for what loses says is lost; loses may be nil.
func (l *link) pass(to, from net.Conn, loses func(*link) bool) {
	defer l.close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !l.swallows.Load() && (loses == nil || !loses(l)) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// losesAnswer reports whether an answer is lost.
func (r *relay) losesAnswer(l *link) bool {
	if loss := r.loss.Load(); loss != nil && loss.take() {
		<-loss.over
		l.close()
		return true
	}
	return r.mute.Load()
}

// loseAnswer makes the next answer be lost.
func (r *relay) loseAnswer(t *testing.T) *loss {
	l := &loss{held: make(chan struct{}), over: make(chan struct{})}
	l.end = sync.OnceFunc(func() { close(l.over) })
	t.Cleanup(l.end)
	r.loss.Store(l)
	return l
}

// take reports whether an answer is the one to lose.
func (l *loss) take() (first bool) {
	l.begin.Do(func() {
		first = true
		close(l.held)
	})
	return first
}

// waitIfHeld waits, while the answer is held back, for the end of that.
func (l *loss) waitIfHeld() {
	select {
	case <-l.held:
		<-l.over
	default:
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
