package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
)

// replay keeps a request's body while it passes to the canary, so that stable can be sent the same. A nil *replay keeps
// nothing and refuses nothing.
type replay struct {
	mu    sync.Mutex // protects following fields: whoever sends reads in another goroutine
	limit int64      // how much may be kept
	whole int64      // how much there is; -1 if only its end tells
	body  []byte
	state bodyState
}

// bodyState is how far the canary has read the body.
type bodyState uint8

const (
	bodyUntouched bodyState = iota // nothing of it
	bodyPassing                    // some of it, which is kept
	bodyWhole                      // all of it, which is kept
	bodyLost                       // some of it, and it is not kept
	bodyTaken                      // it is somebody else's now
)

// errBodyTaken is what the canary reads of a body that stable has been given.
var errBodyTaken = errors.New("the request is answered by another variant by now")

// newReplay returns a replay for a request's body of a length, -1 if it is not known, that keeps at most limit bytes.
func newReplay(length, limit int64) *replay {
	r := &replay{limit: limit, whole: length}
	if length > limit {
		r.limit = 0
	}
	return r
}

// begin asks whether the body may be read on.
func (r *replay) begin() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.state {
	case bodyTaken:
		return errBodyTaken
	case bodyUntouched:
		r.state = bodyPassing
	}
	return nil
}

// take keeps what was read.
func (r *replay) take(p []byte, err error) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != bodyPassing {
		return
	}
	if int64(len(r.body)+len(p)) > r.limit || err != nil && !errors.Is(err, io.EOF) {
		r.lose()
		return
	}
	r.body = append(r.body, p...)
	if err != nil || int64(len(r.body)) == r.whole { // whoever sends may never read on to a declared end
		r.state = bodyWhole
	}
}

// drop stops keeping what has been read: it will not be asked for.
func (r *replay) drop() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = -1
	if r.state == bodyPassing || r.state == bodyWhole {
		r.lose()
	}
}

// lose must be called with r.mu held.
func (r *replay) lose() { r.state, r.body = bodyLost, nil }

// can reports whether the body could be sent again: because none of it was read, or all, and kept.
func (r *replay) can() bool {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state == bodyUntouched || r.state == bodyWhole
}

// claim takes the body for another variant, if it can be sent again, and reports whether it did. The canary gets nothing
// more of it then.
func (r *replay) claim() bool {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != bodyUntouched && r.state != bodyWhole {
		return false
	}
	r.state = bodyTaken
	return true
}

// again returns the body that was claimed: what was kept of it, or the request's own, of which nothing was read.
func (r *replay) again(own io.ReadCloser) io.ReadCloser {
	if r == nil {
		return own
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.body) == 0 {
		return own
	}
	body := io.NopCloser(bytes.NewReader(r.body))
	r.body = nil
	return body
}

// taken reports whether the body is somebody else's by now.
func (r *replay) taken() bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state == bodyTaken
}

// hasBody reports whether a client sends a body. A server in front may have put a body of its own in the place of none,
// which nobody would read.
func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}
