package caddymodule

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// socketConn is a client's connection that has become a WebSocket over HTTP/1. It reads along, and when the connection
// was killed it keeps it open, for whoever closes it, until the agent's frames have ended and a close frame can follow.
//
// It has neither ReadFrom nor WriteTo, on purpose: as the other end is no plain TCP connection, a TCP connection's own
// would only ask for another buffer of 32 KiB each.
type socketConn struct {
	net.Conn
	socket  *socket
	state   atomic.Uint32 // see connOpen
	stop    func() bool   // of the watch for a kill
	stopped chan struct{} // closed when that watch has run
}

// The states of a socketConn.
const (
	connOpen     = iota
	connHeld     // closed by its user, but not in truth
	connReleased // its handler has ended; whoever closes it now closes it in truth
)

// halfCloser is a connection of which one direction can be closed.
type halfCloser interface{ CloseWrite() error }

// halfSocketConn is a socketConn of which one direction can be closed: a proxy asks for the method.
type halfSocketConn struct{ *socketConn }

// Hijack hands the connection over to whoever upgrades it. If it becomes a WebSocket it is read along.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil || x.socket == nil {
		return conn, buffered, err
	}
	c := &socketConn{Conn: conn, socket: x.socket, stopped: make(chan struct{})}
	x.socket.conn = c
	c.stop = context.AfterFunc(x.socket.tunnel, c.hurry)
	if err := c.take(buffered); err != nil {
		conn.Close()
		return nil, nil, err
	}
	if _, ok := conn.(halfCloser); ok {
		return halfSocketConn{c}, buffered, nil
	}
	return c, buffered, nil
}

// take puts c under the buffers, of which that for writing is empty, and reads what the client has sent already.
func (c *socketConn) take(buffered *bufio.ReadWriter) error {
	buffered.Writer.Reset(c)
	early, err := buffered.Reader.Peek(buffered.Reader.Buffered())
	if err != nil {
		return err
	}
	if len(early) == 0 {
		buffered.Reader.Reset(c)
		return nil
	}
	early = bytes.Clone(early)
	c.socket.heard(early, nil, false)
	buffered.Reader.Reset(io.MultiReader(bytes.NewReader(early), c))
	_, err = buffered.Reader.Peek(len(early)) // users look at what is buffered, and not behind it
	return err
}

// Read passes on what the client sends.
func (c *socketConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.socket.heard(p[:n], err, isClosed(err))
	return n, err
}

// Write passes on what the agent sends. It is read before, so that what the client answers is not taken for the end.
func (c *socketConn) Write(p []byte) (int, error) {
	if c.socket.isGoodbye(p) {
		c.socket.note(closedByProxy, 0, saidNothing)
		return c.Conn.Write(p)
	}
	c.socket.exchange.scan(p)
	n, err := c.Conn.Write(p)
	if n < len(p) {
		c.socket.exchange.body.scanner = nil // no more frames can follow
	}
	if err != nil && !isClosed(err) && !killed(c.socket.tunnel) {
		c.socket.note(droppedByClient, 0, saidNothing)
	}
	return n, err
}

// CloseWrite passes on that the agent has dropped its side, unless the proxy made it do so.
func (c halfSocketConn) CloseWrite() error {
	if killed(c.socket.tunnel) {
		return nil
	}
	c.socket.note(droppedByAgent, 0, saidNothing)
	return c.Conn.(halfCloser).CloseWrite()
}

// Close closes the connection, or holds it open for finish if it was killed.
func (c *socketConn) Close() error {
	if killed(c.socket.tunnel) && (c.state.CompareAndSwap(connOpen, connHeld) || c.state.Load() == connHeld) {
		return nil // whoever reads is done, by hurry
	}
	return c.Conn.Close()
}

// hurry ends a killed connection that nothing else would end, as neither of its sides says anything or its client has
// stopped reading: reading now, upon which its user closes it, and writing within a time. It runs beside whoever uses the
// connection. Both fail if it is closed already, which is as good.
//
// Over HTTP/2 there is no such thing, as Caddy's response is not for two at once. There, what ends a client that has
// stopped reading is the server's own write_idle_timeout.
func (c *socketConn) hurry() {
	defer close(c.stopped)
	if now := time.Now(); killed(c.socket.tunnel) {
		_, _ = c.Conn.SetReadDeadline(now), c.Conn.SetWriteDeadline(now.Add(farewellLimit))
	}
}

// finish lets the connection go when its handler has ended. If it was held it ends now: with a close frame where one can
// be written, and then, for a short time, with reading what the client still says. To close a connection of which not
// all is read takes back what was sent last.
func (c *socketConn) finish() {
	if !c.stop() {
		<-c.stopped
	}
	if c.state.CompareAndSwap(connOpen, connReleased) {
		return // closed already, or in the hands of a handler's own goroutine
	}
	c.state.Store(connReleased)
	defer c.Conn.Close()
	frame := c.socket.exchange.closeFrame()
	if frame == nil || c.Conn.SetDeadline(time.Now().Add(farewellLimit)) != nil {
		return
	}
	if _, err := c.Conn.Write(frame); err != nil {
		return
	}
	if half, ok := c.Conn.(halfCloser); ok && half.CloseWrite() != nil {
		return
	}
	c.linger()
}

// linger reads until the client has closed too.
func (c *socketConn) linger() {
	rest := make([]byte, 512)
	for {
		n, err := c.Conn.Read(rest)
		c.socket.client.Write(rest[:n])
		if _, _, closed := c.socket.client.Closed(); closed || err != nil {
			return
		}
	}
}

// isClosed reports whether a connection failed because this side has closed it.
func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }

var (
	_ http.Hijacker = (*exchange)(nil)
	_ net.Conn      = (*socketConn)(nil)
	_ net.Conn      = halfSocketConn{}
	_ halfCloser    = halfSocketConn{}
)
