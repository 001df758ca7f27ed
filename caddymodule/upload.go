package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/stream"
)

// upload is a request's body on its way to a variant. It notes when it has arrived whole, as from then on the client
// waits, and that the client spoiled it: sent less than it declared, or chunks that are none. A proxy fails then as if
// its upstream had.
type upload struct {
	io.ReadCloser
	own     io.ReadCloser // the server's; what is read, unless that is a copy which is sent once more
	flight  *health.Flight
	call    *call   // nil if nobody wants to know its id
	replay  *replay // nil if it will not be sent again
	closed  atomic.Bool
	spoiled atomic.Bool            // read by another goroutine than the one that sends
	socket  atomic.Pointer[socket] // what the body has become the client's side of; nil if it is a body
}

// watch puts u in the place of the request's body. The server must find its own there when the answer begins, as it
// decides by its type what to do with the rest: see release. The format is what answers are read as.
func (u *upload) watch(r *http.Request, f *health.Flight, format stream.Format) {
	if !hasBody(r) {
		return
	}
	f.Upload()
	u.ReadCloser, u.flight, u.call = r.Body, f, newCall(r, format)
	if u.own == nil {
		u.own = ownBody(r.Body)
	}
	r.Body = u
}

// release puts the request's own body back, unless somebody put another in its place. Whoever reads u goes on.
func (u *upload) release(r *http.Request) {
	if r.Body == io.ReadCloser(u) {
		r.Body = u.own
	}
}

// Read passes the body on.
func (u *upload) Read(p []byte) (int, error) {
	if err := u.replay.begin(); err != nil {
		return 0, err
	}
	n, err := u.ReadCloser.Read(p)
	u.call.take(p[:n])
	u.replay.take(p[:n], err)
	if s := u.socket.Load(); s != nil {
		s.heard(p[:n], err, u.closed.Load())
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		u.flight.Uploaded(time.Now())
	case !u.closed.Load():
		u.spoiled.Store(true)
	}
	return n, err
}

// Close says that the variant wants no more; that reading fails from then on is not the client's doing.
func (u *upload) Close() error {
	u.closed.Store(true)
	if u.replay.taken() {
		return nil // it is stable's now
	}
	return u.ReadCloser.Close()
}

var _ io.ReadCloser = (*upload)(nil)
