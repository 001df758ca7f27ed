package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// deafRelay is a path to a Redis on which announcements are lost, and silently, which is the worst way: once a
// connection asks to subscribe, nothing that the server says on it comes through any more. Other connections are whole.
type deafRelay struct {
	listener net.Listener
	target   string
	copying  sync.WaitGroup
	lost     atomic.Int64 // bytes that did not come through

	mu    sync.Mutex // protects following fields
	ends  []net.Conn
	ended bool
}

// startDeafRelay starts a relay, which ends with the lab.
func (l *lab) startDeafRelay(target string) (*deafRelay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a relay: %w", err)
	}
	r := &deafRelay{listener: listener, target: target}
	r.copying.Go(r.accept)
	l.atEnd(r.close)
	return r, nil
}

// address returns where the relay listens.
func (r *deafRelay) address() string { return r.listener.Addr().String() }

// accept links connections until the listener is closed.
func (r *deafRelay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.target)
		if err != nil || !r.adopt(client, server) {
			client.Close()
			continue
		}
		var subscribes atomic.Bool
		r.copying.Go(func() { pass(server, client, r.listen(&subscribes)) })
		r.copying.Go(func() { pass(client, server, r.lose(&subscribes)) })
	}
}

// adopt remembers connections that are to be closed with the relay; false if it is closed already.
func (r *deafRelay) adopt(ends ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		for _, end := range ends {
			end.Close()
		}
		return false
	}
	r.ends = append(r.ends, ends...)
	return true
}

// listen notices the command that subscribes, in whichever case a client writes it.
func (r *deafRelay) listen(subscribes *atomic.Bool) func([]byte) []byte {
	return func(p []byte) []byte {
		if bytes.Contains(bytes.ToLower(p), []byte("\r\nsubscribe\r\n")) {
			subscribes.Store(true)
		}
		return p
	}
}

// lose drops what a connection that subscribes would hear.
func (r *deafRelay) lose(subscribes *atomic.Bool) func([]byte) []byte {
	return func(p []byte) []byte {
		if !subscribes.Load() {
			return p
		}
		r.lost.Add(int64(len(p)))
		return nil
	}
}

// pass copies what filter leaves from one end to the other until either is closed, and then closes both.
func pass(to, from net.Conn, filter func([]byte) []byte) {
	defer from.Close()
	defer to.Close()
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

// close ends everything and waits for it.
func (r *deafRelay) close() error {
	err := r.listener.Close()
	r.mu.Lock()
	r.ended = true
	for _, end := range r.ends {
		if closing := end.Close(); !errors.Is(closing, net.ErrClosed) {
			err = errors.Join(err, closing)
		}
	}
	r.mu.Unlock()
	r.copying.Wait()
	return err
}
