package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// relay is a path to a server that can be spoilt. One that is deaf loses announcements, and silently, which is the worst
// way: once a connection asks to subscribe, nothing that the server says on it comes through any more, while other
// connections are whole. One that is turned leads to another server from then on.
type relay struct {
	listener net.Listener
	copying  sync.WaitGroup
	deaf     atomic.Bool
	asked    atomic.Int64        // round trips: how often a client spoke after the server had; what it sends together is one
	lost     atomic.Int64        // bytes that did not come through
	reword   func([]byte) []byte // changes what servers say; nil: nothing

	mu     sync.Mutex // protects following fields
	target string
	ends   []net.Conn
	ended  bool
}

// newRelay opens a relay that does not work yet: nobody is linked before run.
func newRelay(target string) (*relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a relay: %w", err)
	}
	return &relay{listener: listener, target: target}, nil
}

// run begins to relay, until the lab is closed.
func (r *relay) run(l *lab) {
	r.copying.Go(r.accept)
	l.atEnd(r.close)
}

// startRelay starts a relay, which ends with the lab.
func (l *lab) startRelay(target string) (*relay, error) {
	r, err := newRelay(target)
	if err != nil {
		return nil, err
	}
	r.run(l)
	return r, nil
}

// startDeafRelay starts a relay that is deaf from the beginning.
func (l *lab) startDeafRelay(target string) (*relay, error) {
	r, err := l.startRelay(target)
	if err != nil {
		return nil, err
	}
	r.deaf.Store(true)
	return r, nil
}

// address returns where the relay listens.
func (r *relay) address() string { return r.listener.Addr().String() }

// turn ends all connections and leads new ones to another server.
func (r *relay) turn(target string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
	return r.hangUp()
}

// hangUp ends all connections. Caller must hold r.mu.
func (r *relay) hangUp() error {
	var err error
	for _, end := range r.ends {
		if closing := end.Close(); !errors.Is(closing, net.ErrClosed) {
			err = errors.Join(err, closing)
		}
	}
	r.ends = nil
	return err
}

// accept links connections until the listener is closed.
func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		if !r.link(client) {
			client.Close()
		}
	}
}

// link connects a client with the server; false if that cannot be done.
func (r *relay) link(client net.Conn) bool {
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return false
	}
	if !r.adopt(target, client, server) {
		server.Close()
		return false
	}
	var t talk
	r.copying.Go(func() { r.pass(server, client, r.listen(&t)) })
	r.copying.Go(func() { r.pass(client, server, r.say(&t)) })
	return true
}

// adopt remembers connections that are to be closed with the relay; false if it is closed, or was turned meanwhile.
func (r *relay) adopt(target string, ends ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.target != target {
		return false
	}
	r.ends = append(r.ends, ends...)
	return true
}

// talk is what matters of what was said on one connection.
type talk struct {
	subscribes atomic.Bool // the client has
	waits      atomic.Bool // the client has asked, and nothing was answered yet
}

// listen counts what is asked, and notices the command that subscribes, in whichever case a client writes it.
func (r *relay) listen(t *talk) func([]byte) []byte {
	return func(p []byte) []byte {
		if len(p) > 0 && !t.waits.Swap(true) {
			r.asked.Add(1)
		}
		if bytes.Contains(bytes.ToLower(p), []byte("\r\nsubscribe\r\n")) {
			t.subscribes.Store(true)
		}
		return p
	}
}

// say rewords what the server says, and drops it on a connection that subscribes while the relay is deaf.
func (r *relay) say(t *talk) func([]byte) []byte {
	return func(p []byte) []byte {
		if len(p) > 0 {
			t.waits.Store(false)
		}
		if r.deaf.Load() && t.subscribes.Load() {
			r.lost.Add(int64(len(p)))
			return nil
		}
		if r.reword != nil {
			return r.reword(p)
		}
		return p
	}
}

// pass copies what filter leaves from one end to the other until either is closed, and then closes both.
func (r *relay) pass(to, from net.Conn, filter func([]byte) []byte) {
	defer r.forget(to, from)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if rest := filter(buffer[:n]); len(rest) > 0 {
			if _, err := to.Write(rest); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// forget closes connections, unless somebody else has.
func (r *relay) forget(ends ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, end := range ends {
		end.Close()
	}
	r.ends = slices.DeleteFunc(r.ends, func(o net.Conn) bool { return slices.Contains(ends, o) })
}

// close ends everything and waits for it.
func (r *relay) close() error {
	err := r.listener.Close()
	r.mu.Lock()
	r.ended = true
	err = errors.Join(err, r.hangUp())
	r.mu.Unlock()
	r.copying.Wait()
	return err
}
